//! Writes the seeds of the fuzz corpus; run by hand after a change of the scheme:
//! `cargo test -p cocoon-tl --test scheme -- --ignored`.

use std::{fs, path::Path};

use bytes::BytesMut;
use cocoon_tl::{TlObject, frame, tcp};

use crate::{SCHEME, is_built_in, reference::Sample, text::Declaration};

/// A small object of a declaration, if possible with all of its optional fields.
fn small(line: &Declaration) -> Vec<u8> {
    (0..400)
        .map(|seed| Sample::of(&SCHEME, line, seed))
        .min_by_key(|sample| {
            let flags = sample.flags_at.map_or(0, |at| sample.bytes[at]);
            (usize::from(255 - flags) << 32) + sample.bytes.len()
        })
        .unwrap()
        .bytes
}

fn target(name: &str) -> &'static str {
    match name.split('.').next().unwrap() {
        "tcp" => "tl_packet",
        "client" => "tl_client",
        "proxy" => "tl_proxy",
        "worker" => "tl_worker",
        "keyManager" => "tl_key_manager",
        "cocoon" => "tl_v3",
        "http" | "test" | "tokensUsed" => "tl_http",
        _ => "tl_disk",
    }
}

#[test]
#[ignore = "writes into the source tree"]
fn write_seeds() {
    let corpus = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus"));
    let put = |target: &str, name: &str, bytes: &[u8]| {
        fs::create_dir_all(corpus.join(target)).unwrap();
        fs::write(corpus.join(target).join(name), bytes).unwrap();
    };
    let mut frames = BytesMut::new();
    for (index, line) in SCHEME
        .declarations
        .iter()
        .filter(|line| !is_built_in(&line.name))
        .enumerate()
    {
        let bytes = small(line);
        put(target(&line.name), &line.name, &bytes);
        let id = index as i64;
        let packet: tcp::Packet = match index % 3 {
            0 => tcp::PacketData { data: bytes.into() }.into(),
            1 => tcp::Query {
                id,
                data: bytes.into(),
            }
            .into(),
            _ => tcp::QueryAnswer {
                id,
                data: bytes.into(),
            }
            .into(),
        };
        if line.name.starts_with("cocoon.") || line.name.contains("onnectToProxy") {
            put("tl_packet", &format!("with-{}", line.name), &packet.to_boxed());
        }
        if line.name.starts_with("test.") {
            let seqno = i32::from(!frames.is_empty());
            frame::write_frame(&mut frames, seqno, &packet).unwrap();
        }
    }
    put("tl_frame", "two-packets", &frames);
    put("tl_frame", "cut", &frames[..frames.len() - 1]);
    put("tl_frame", "longest", &[0, 0, 0, 1, 0, 0, 0, 0]);
    put("tl_frame", "too-long", &[4, 0, 0, 1, 0, 0, 0, 0]);
    // tcp.packet whose data claims 2^56 - 1 bytes, and whose data is in the longest form.
    let id = tcp::PacketData::ID.to_le_bytes();
    put(
        "tl_packet",
        "huge-length",
        &[&id[..], &[0xff; 8], &[0; 8]].concat(),
    );
    put(
        "tl_packet",
        "long-form",
        &[&id[..], &[0xff, 4, 0, 0, 0, 0, 0, 0], &[0x97, 0xc6, 0xd1, 0x9e]].concat(),
    );
    // client.workerTypesV2 with 2^32 - 1 elements.
    put(
        "tl_client",
        "huge-count",
        &[0x67, 0xdc, 0xf0, 0x0c, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
    );
}
