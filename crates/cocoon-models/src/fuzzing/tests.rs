//! Replays the committed fuzz corpus through the entry functions of the fuzz targets (fuzz/README.md).

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;

use super::*;

fn fuzz() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz"))
}

fn names(directory: &str) -> BTreeSet<String> {
    let paths = fs::read_dir(fuzz().join(directory))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let names = paths.filter_map(|path| path.file_stem()?.to_str().map(str::to_owned));
    names.filter(|name| name.starts_with("models_")).collect()
}

#[test]
fn every_target_has_a_program_and_a_corpus() {
    let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(targets, names("corpus"));
    assert_eq!(targets, names("fuzz_targets"));
}

#[test]
fn the_corpus_does_no_harm() {
    for (name, run) in TARGETS {
        let mut files = 0;
        for input in fs::read_dir(fuzz().join("corpus").join(name)).unwrap() {
            let path = input.unwrap().path();
            let data = fs::read(&path).unwrap();
            assert!(data.len() <= 4096, "{}: seeds are tiny", path.display());
            run(&data);
            files += 1;
        }
        assert!(files > 2, "{name}: {files} seeds are too few");
    }
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
