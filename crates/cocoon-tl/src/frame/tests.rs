use bytes::{Bytes, BytesMut};

use super::{
    FrameHeader, FrameLengthError, MAX_PACKET, MAX_PAYLOAD, packet_padding, read_header, write_frame,
    write_packet, write_packet_header, write_packet_padding,
};
use crate::{TlObject, client, tcp, v3};

fn hex(text: &str) -> Bytes {
    Bytes::from(hex::decode(text.replace(' ', "")).unwrap())
}

/// spec/network.md 5.5, first example.
#[test]
fn connect_is_the_frame_of_the_specification() {
    let mut out = BytesMut::new();
    let connect = tcp::Connect {
        id: 0x0102_0304_0506_0708,
    };
    write_frame(&mut out, 0, &connect.clone().into()).unwrap();
    assert_eq!(out, hex("0c000000 00000000 61427ca5 0807060504030201"));
    assert_eq!(
        read_header(*out.first_chunk().unwrap()),
        Ok(FrameHeader { len: 12, seqno: 0 })
    );
    assert_eq!(
        tcp::Packet::from_boxed(out.freeze().slice(8..)),
        Ok(connect.into())
    );
}

/// spec/network.md 5.5, second example.
#[test]
fn a_query_is_the_frame_of_the_specification() {
    let mut out = BytesMut::new();
    let data = client::UpdatePaymentStatus {}.to_boxed();
    assert_eq!(data, hex("97c6d19e"));
    write_frame(&mut out, 1, &tcp::Query { id: 1, data }.into()).unwrap();
    assert_eq!(
        out,
        hex("14000000 01000000 0819f53a 0100000000000000 0497c6d19e000000")
    );
    assert_eq!(out.len(), 28);
}

#[test]
fn a_packet_in_one_pass_equals_a_packet_in_two() {
    for length in [0, 1, 2, 3, 200, 230, 231, 232, 233, 234, 235, 65536] {
        let message = v3::Part {
            stream: 9,
            data: Bytes::from(vec![7; length]),
        };
        let boxed = message.to_boxed();
        let mut slow = BytesMut::new();
        write_frame(&mut slow, 3, &tcp::PacketData { data: boxed.clone() }.into()).unwrap();

        let mut fast = BytesMut::new();
        write_packet(&mut fast, 3, &message).unwrap();
        assert_eq!(fast, slow);

        let mut pieces = BytesMut::new();
        write_packet_header(&mut pieces, 3, boxed.len()).unwrap();
        pieces.extend_from_slice(&boxed);
        write_packet_padding(&mut pieces, boxed.len());
        assert_eq!(pieces, slow);
    }
}

#[test]
fn a_reserved_buffer_does_not_move() {
    let message = v3::Part {
        stream: 9,
        data: Bytes::from(vec![7; 65536]),
    };
    let mut out = BytesMut::with_capacity(65536 + 64);
    let at = out.as_ptr();
    write_packet(&mut out, 0, &message).unwrap();
    assert_eq!(out.as_ptr(), at);
}

#[test]
fn padding_fills_to_whole_words_behind_any_head() {
    for (length, padding) in [
        (0, 3),
        (1, 2),
        (3, 0),
        (4, 3),
        (253, 2),
        (254, 2),
        (256, 0),
        (257, 3),
    ] {
        assert_eq!(packet_padding(length).len(), padding, "length {length}");
    }
}

#[test]
fn lengths_outside_the_limits_are_refused_and_write_nothing() {
    assert_eq!(MAX_PAYLOAD, 16_777_216, "spec/network.md 1.3");
    for len in [0, 3, MAX_PAYLOAD + 1, MAX_PAYLOAD + 4, u32::MAX as usize] {
        let word = u32::try_from(len).unwrap().to_le_bytes();
        let header = [word, [0; 4]].concat();
        assert_eq!(
            read_header(*header.first_chunk().unwrap()),
            Err(FrameLengthError { len })
        );
    }
    for len in [4, MAX_PAYLOAD] {
        let word = u32::try_from(len).unwrap().to_le_bytes();
        let header = [word, (-1_i32).to_le_bytes()].concat();
        assert_eq!(
            read_header(*header.first_chunk().unwrap()),
            Ok(FrameHeader { len, seqno: -1 })
        );
    }
    let mut out = BytesMut::new();
    assert!(write_packet_header(&mut out, 0, MAX_PACKET).is_ok());
    assert_eq!(read_header(*out.first_chunk().unwrap()).unwrap().len, MAX_PAYLOAD);
    out.clear();
    assert!(write_packet_header(&mut out, 0, MAX_PACKET + 1).is_err());
    assert!(write_packet_header(&mut out, 0, usize::MAX).is_err());
    let long = tcp::PacketData {
        data: Bytes::from(vec![0; MAX_PACKET + 1]),
    };
    assert!(write_frame(&mut out, 0, &long.into()).is_err());
    assert!(out.is_empty());
}
