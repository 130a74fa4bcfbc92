use bytes::Bytes;
use cocoon_tl::frame::MAX_PAYLOAD;

use super::{FrameReader, MAX_ADVANCE, READ_CHUNK};
use crate::link::Broken;

/// The two frames of spec/network.md 5.5.
const VECTOR: &str = "0c00000000000000 61427ca5 0807060504030201 \
                      1400000001000000 0819f53a 0100000000000000 0497c6d19e000000";

fn vector() -> Vec<u8> {
    hex::decode(VECTOR.replace(' ', "")).unwrap()
}

async fn read_all(mut source: &[u8]) -> Result<Vec<Bytes>, Broken> {
    let mut frames = FrameReader::new(MAX_PAYLOAD);
    let mut payloads = Vec::new();
    loop {
        while let Some(payload) = frames.next()? {
            payloads.push(payload);
        }
        if frames.fill(&mut source).await.unwrap() == 0 {
            return Ok(payloads);
        }
    }
}

#[tokio::test]
async fn the_specification_s_frames_are_read() {
    let payloads = read_all(&vector()).await.unwrap();
    assert_eq!(payloads.len(), 2);
    assert_eq!(payloads[0], vector()[8..20]);
    assert_eq!(payloads[1], vector()[28..]);
}

#[tokio::test]
async fn frames_may_arrive_cut_anywhere() {
    let bytes = vector();
    for cut in 0..=bytes.len() {
        let mut frames = FrameReader::new(MAX_PAYLOAD);
        let mut payloads = Vec::new();
        for mut part in [&bytes[..cut], &bytes[cut..]] {
            while frames.fill(&mut part).await.unwrap() > 0 {
                while let Some(payload) = frames.next().unwrap() {
                    payloads.push(payload);
                }
            }
        }
        assert_eq!(payloads.len(), 2, "cut at {cut}");
        assert!(!frames.is_mid_frame());
    }
}

#[tokio::test]
async fn lengths_outside_the_limits_fail() {
    for length in [0_u32, 3, (1 << 24) + 1, (1 << 24) + 4, u32::MAX] {
        let mut frame = length.to_le_bytes().to_vec();
        frame.extend_from_slice(&[0; 64]);
        let error = read_all(&frame).await.unwrap_err();
        assert!(matches!(error, Broken::FrameLength(_)), "{length}: {error}");
    }
}

#[tokio::test]
async fn a_wrong_number_fails_before_the_payload_is_there() {
    for (first, second) in [(1_i32, None), (-1, None), (0, Some(0_i32)), (0, Some(2))] {
        let mut bytes = 4_u32.to_le_bytes().to_vec();
        bytes.extend_from_slice(&first.to_le_bytes());
        if let Some(second) = second {
            bytes.extend_from_slice(&[0; 4]);
            bytes.extend_from_slice(&4_u32.to_le_bytes());
            bytes.extend_from_slice(&second.to_le_bytes());
        }
        let error = read_all(&bytes).await.unwrap_err();
        assert!(matches!(error, Broken::Seqno { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_claimed_length_costs_no_memory() {
    let mut frame = u32::try_from(MAX_PAYLOAD).unwrap().to_le_bytes().to_vec();
    frame.extend_from_slice(&[0; 4 + 1000]);
    let mut source = frame.as_slice();
    let mut frames = FrameReader::new(MAX_PAYLOAD);
    while frames.fill(&mut source).await.unwrap() > 0 {
        assert!(frames.next().unwrap().is_none());
    }
    assert!(
        frames.buffer.capacity() <= 2 * MAX_ADVANCE,
        "{}",
        frames.buffer.capacity()
    );
}

#[tokio::test]
async fn the_largest_frame_is_read_whole() {
    let mut frame = u32::try_from(MAX_PAYLOAD).unwrap().to_le_bytes().to_vec();
    frame.extend_from_slice(&[0; 4]);
    frame.resize(8 + MAX_PAYLOAD, 7);
    let payloads = read_all(&frame).await.unwrap();
    assert_eq!(payloads.len(), 1);
    assert_eq!(payloads[0].len(), MAX_PAYLOAD);
}

#[tokio::test]
async fn small_frames_share_a_buffer() {
    let mut bytes = Vec::new();
    for seqno in 0..100_i32 {
        bytes.extend_from_slice(&60_u32.to_le_bytes());
        bytes.extend_from_slice(&seqno.to_le_bytes());
        bytes.extend_from_slice(&[1; 60]);
    }
    let payloads = read_all(&bytes).await.unwrap();
    let span = payloads[99].as_ptr() as usize - payloads[0].as_ptr() as usize;
    assert!(span < READ_CHUNK, "{span}");
}

#[tokio::test]
async fn a_frame_above_what_this_link_takes_fails_at_its_header() {
    let mut frames = FrameReader::new(1024);
    let mut header: &[u8] = &hex::decode("0104000000000000").unwrap();
    frames.fill(&mut header).await.unwrap();
    let error = frames.next().unwrap_err();
    assert!(
        matches!(
            error,
            Broken::LargeFrame {
                len: 1025,
                largest: 1024
            }
        ),
        "{error}"
    );
}
