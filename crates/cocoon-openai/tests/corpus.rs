//! Replays the committed fuzz corpus through the entry functions of the fuzz targets (fuzz/README.md).

// Only `TARGETS` is used here, the fuzz targets use the functions one by one.
#[path = "../../../fuzz/src/openai.rs"]
#[expect(unreachable_pub, reason = "public in its own crate")]
mod entry;

use std::{collections::BTreeSet, fs, path::Path};

fn fuzz() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz"))
}

fn names(directory: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(fuzz().join(directory)).expect("the directory is there");
    entries
        .map(|entry| entry.expect("readable").path())
        .filter_map(|path| path.file_stem()?.to_str().map(str::to_owned))
        .filter(|name| name.starts_with("openai_"))
        .collect()
}

#[test]
fn every_target_has_a_program_and_a_corpus() {
    let targets: BTreeSet<_> = entry::TARGETS
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(targets, names("corpus"));
    assert_eq!(targets, names("fuzz_targets"));
}

#[test]
fn the_corpus_does_no_harm() {
    let mut files = 0;
    for (name, run) in entry::TARGETS {
        for input in fs::read_dir(fuzz().join("corpus").join(name)).expect("the directory is there") {
            let path = input.expect("readable").path();
            let data = fs::read(&path).expect("readable");
            assert!(data.len() <= 4096, "{}: seeds are tiny", path.display());
            run(&data);
            files += 1;
        }
    }
    assert!(files > 20, "{files} seeds are too few");
}
