use std::fs;
use std::path::{Path, PathBuf};

use super::TARGETS;

#[path = "../../../../fuzz/replay.rs"]
mod replay;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

#[test]
fn every_target_has_a_program_and_a_corpus() {
    replay::nothing_is_missing("session_", TARGETS);
}

#[test]
fn no_input_does_harm() {
    replay::no_input_does_harm(TARGETS, 7);
}

#[test]
fn noise_does_no_harm() {
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..500 {
        let mut data = vec![0; random.usize(..600)];
        random.fill(&mut data);
        for (_, run) in TARGETS {
            run(&data);
        }
    }
}

/// Writes the seeds: frames as a peer sends them, and scripts that reach far. Run by hand:
/// `cargo test -p cocoon-link --lib write_seeds -- --ignored`
#[test]
#[ignore = "writes into the source tree"]
fn write_seeds() {
    use bytes::BytesMut;
    use cocoon_tl::frame::{write_frame, write_packet};
    use cocoon_tl::{tcp, v3};

    use crate::testing::raw_hello;

    let write = |name: &str, seed: &str, data: &[u8]| {
        let directory = fuzz().join("corpus").join(name);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(seed), data).unwrap();
    };
    let text = |text: &str| text.to_owned().into();
    let request = v3::Request {
        stream: 1,
        request_id: [1; 32],
        endpoint: text("/v1/completions"),
        model: text("model"),
        max_tokens: 10,
        floor: 2,
        flags: 0,
        max_coefficient: 1000,
        timeout_ms: 1000,
        body_bytes: 30,
    };
    let data = bytes::Bytes::from_static(b"thirty bytes of body, or less.");
    let mut asked = BytesMut::from(&[0xfe_u8][..]);
    write_packet(&mut asked, 0, &raw_hello()).unwrap();
    write_packet(&mut asked, 1, &request).unwrap();
    write_packet(
        &mut asked,
        2,
        &v3::Body {
            stream: 1,
            flags: 1,
            data: data.clone(),
        },
    )
    .unwrap();
    write_packet(&mut asked, 3, &v3::Credit { stream: 1, bytes: 9 }).unwrap();
    write_packet(&mut asked, 4, &v3::Cancel { stream: 1 }).unwrap();
    write("session_bytes", "request", &asked);

    let mut answered = BytesMut::from(&[0xff_u8][..]);
    write_packet(&mut answered, 0, &raw_hello()).unwrap();
    let (status, tier) = (200, 2);
    let answer = v3::Answer {
        stream: 1,
        status,
        content_type: text("text/plain"),
        tier,
        coefficient: 1000,
    };
    write_packet(&mut answered, 1, &answer).unwrap();
    write_packet(
        &mut answered,
        2,
        &v3::Part {
            stream: 1,
            data: data.clone(),
        },
    )
    .unwrap();
    let (stream, engine_ms) = (1, 5);
    let (prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens) = (9, 1, 9, 1);
    let end = v3::End {
        stream,
        prompt_tokens,
        cached_tokens,
        completion_tokens,
        reasoning_tokens,
        engine_ms,
    };
    write_packet(&mut answered, 3, &end).unwrap();
    write_packet(
        &mut answered,
        4,
        &v3::Refuse {
            stream: 2,
            code: 13,
            message: text("busy"),
        },
    )
    .unwrap();
    write("session_bytes", "answer", &answered);

    let mut packets = BytesMut::from(&[0x10_u8][..]);
    write_packet(&mut packets, 0, &raw_hello()).unwrap();
    let id = 5;
    for (seqno, packet) in (1..).zip([
        tcp::Packet::Ping(tcp::Ping { id }),
        tcp::Packet::Pong(tcp::Pong { id }),
        tcp::Packet::Connect(tcp::Connect { id }),
        tcp::Packet::Query(tcp::Query {
            id,
            data: data.clone(),
        }),
        tcp::Packet::QueryAnswer(tcp::QueryAnswer {
            id,
            data: data.clone(),
        }),
        tcp::Packet::QueryError(tcp::QueryError {
            id,
            code: 602,
            message: text("no"),
        }),
        tcp::Packet::Packet(tcp::PacketData { data }),
    ]) {
        write_frame(&mut packets, seqno, &packet).unwrap();
    }
    write("session_bytes", "packets", &packets);

    // Step codes: even ones are the peer's (2 × the message), odd ones ours (1 + 2 × the act).
    let serve = [
        0, 0, 1, 100, 2, 1, 90, 5, 0, 0, 1, 0, 1, 3, 0, 254, 10, 1, 50, 2, 1, 200, 7, 0, 0, 12, 1, 0, 5, 0, 0,
    ];
    write("session_script", "serve", &serve);
    let ask = [
        1, 1, 0, 0, 14, 1, 0, 6, 1, 250, 6, 1, 250, 5, 0, 0, 5, 0, 0, 5, 0, 0, 16, 1, 9, 5, 0, 0, 11, 0, 255,
    ];
    write("session_script", "ask", &ask);
    let mut windows = vec![1, 1, 0, 0, 14, 1, 0];
    for _ in 0..40 {
        windows.extend_from_slice(&[6, 1, 150, 6, 1, 3, 5, 0, 0]);
    }
    write("session_script", "windows", &windows);
    let overrun = [[1, 1, 0, 0, 14, 1, 0].as_slice(), &[6, 1, 254].repeat(6)].concat();
    write("session_script", "overrun", &overrun);
}
