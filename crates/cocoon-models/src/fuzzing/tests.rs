//! Replays the committed fuzz corpus through the entry functions of the fuzz targets (fuzz/README.md).

use std::fs;
use std::io::Write;
use std::path::Path;

use super::*;

#[path = "../../../../fuzz/replay.rs"]
mod replay;

fn fuzz() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz"))
}

#[test]
fn every_target_has_a_program_and_a_corpus() {
    replay::nothing_is_missing("models_", TARGETS);
}

#[test]
fn no_input_does_harm() {
    replay::no_input_does_harm(TARGETS, 18);
}

/// Writes the binary seeds; the others are texts, written by hand.
#[test]
#[ignore = "writes into fuzz/corpus"]
fn write_seeds() {
    let put = |target: &str, name: &str, bytes: &[u8]| {
        let dir = fuzz().join("corpus").join(target);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(name), bytes).unwrap();
    };
    for (name, bytes) in gguf::tests::seeds() {
        put("models_gguf", name, &bytes);
    }
    let whole = |method: zip::CompressionMethod, members: &[(&str, &[u8])]| {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in members {
            let options = zip::write::SimpleFileOptions::default().compression_method(method);
            zip.start_file(*name, options).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    let (stored, deflated) = (zip::CompressionMethod::Stored, zip::CompressionMethod::Deflated);
    put(
        "models_wheel",
        "stored",
        &whole(stored, &[("x", b"hello"), ("y", b"")]),
    );
    put(
        "models_wheel",
        "deflated",
        &whole(deflated, &[("y", b"1"), ("x", &[7; 900])]),
    );
    put("models_wheel", "bomb", &whole(deflated, &[("x", &[0; 100_000])]));
    put("models_wheel", "empty", &whole(stored, &[]));
}
