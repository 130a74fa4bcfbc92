use bytes::{Buf, Bytes, BytesMut};
use cocoon_tl::frame::{MAX_PACKET, write_frame, write_packet};
use cocoon_tl::{TlString, tcp, v3};

use super::{Batch, MAX_BATCH};
use crate::link::Outgoing;
use crate::testing::noise;

/// Everything that the batch would write, in steps of this size.
fn written(batch: &mut Batch, step: usize) -> BytesMut {
    batch.seal();
    let mut out = BytesMut::new();
    while batch.has_remaining() {
        let mut slots = [std::io::IoSlice::new(&[]); 4];
        let count = batch.chunks_vectored(&mut slots);
        assert!(count > 0 && slots[0][..] == *batch.chunk() && !batch.chunk().is_empty());
        let chunk = Bytes::copy_from_slice(batch.chunk());
        let step = step.min(chunk.len());
        out.extend_from_slice(&chunk[..step]);
        batch.advance(step);
    }
    assert!(batch.chunk().is_empty());
    out
}

#[test]
fn frames_are_those_that_the_codec_makes() {
    let sizes = [
        0, 1, 2, 3, 4, 252, 253, 254, 255, 1000, 8191, 8192, 8193, 65_535, 65_536,
    ];
    for step in [usize::MAX, 7] {
        let mut batch = Batch::starting_at(1);
        let mut expected = BytesMut::new();
        let mut seqno = 0;
        for size in sizes {
            let data = noise(size, size as u64);
            let mut next = || {
                seqno += 1;
                seqno
            };
            batch.encode(Outgoing::Part {
                stream: 5,
                data: data.clone(),
            });
            write_packet(
                &mut expected,
                next(),
                &v3::Part {
                    stream: 5,
                    data: data.clone(),
                },
            )
            .unwrap();
            for last in [false, true] {
                batch.encode(Outgoing::Body {
                    stream: 6,
                    last,
                    data: data.clone(),
                });
                let (stream, flags) = (6, u32::from(last));
                let body = v3::Body {
                    stream,
                    flags,
                    data: data.clone(),
                };
                write_packet(&mut expected, next(), &body).unwrap();
            }
            batch.encode(Outgoing::Packet(data.clone()));
            let packet = tcp::Packet::Packet(tcp::PacketData { data: data.clone() });
            write_frame(&mut expected, next(), &packet).unwrap();
            batch.encode(Outgoing::Credit { stream: 7, bytes: 9 });
            write_packet(&mut expected, next(), &v3::Credit { stream: 7, bytes: 9 }).unwrap();
            batch.encode(Outgoing::Cancel { stream: 8 });
            write_packet(&mut expected, next(), &v3::Cancel { stream: 8 }).unwrap();
            batch.encode(Outgoing::Query {
                id: -1,
                data: data.clone(),
            });
            let query = tcp::Packet::Query(tcp::Query {
                id: -1,
                data: data.clone(),
            });
            write_frame(&mut expected, next(), &query).unwrap();
            batch.encode(Outgoing::Answer {
                id: -2,
                data: data.clone(),
            });
            let answer = tcp::Packet::QueryAnswer(tcp::QueryAnswer { id: -2, data });
            write_frame(&mut expected, next(), &answer).unwrap();
        }
        batch.encode(Outgoing::Error {
            id: 3,
            code: 602,
            message: "no".into(),
        });
        let message = TlString::from_static("no");
        let error = tcp::Packet::QueryError(tcp::QueryError {
            id: 3,
            code: 602,
            message,
        });
        write_frame(&mut expected, seqno + 1, &error).unwrap();
        assert!(written(&mut batch, step) == expected);
    }
}

#[test]
fn large_data_is_not_copied() {
    let mut batch = Batch::starting_at(1);
    let data = noise(65_536, 0);
    batch.encode(Outgoing::Part {
        stream: 1,
        data: data.clone(),
    });
    batch.seal();
    assert!(batch.slices.iter().any(|slice| slice.as_ptr() == data.as_ptr()));
}

#[test]
fn a_frame_that_is_too_long_uses_up_no_number() {
    let mut batch = Batch::starting_at(4);
    batch.encode(Outgoing::Packet(Bytes::from(vec![0; MAX_PACKET + 1])));
    batch.encode(Outgoing::Ping(1));
    let out = written(&mut batch, usize::MAX);
    assert_eq!(out.len(), 20);
    assert_eq!(out[4..8], 4_i32.to_le_bytes());
}

#[test]
fn a_full_batch_says_so() {
    let mut batch = Batch::starting_at(1);
    let mut count = 0;
    while !batch.is_full() {
        batch.encode(Outgoing::Part {
            stream: 1,
            data: noise(1000, 0),
        });
        count += 1;
    }
    assert!((MAX_BATCH / 1100..=MAX_BATCH / 1000).contains(&count), "{count}");
}
