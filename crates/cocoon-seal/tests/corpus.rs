//! Replays the committed fuzz corpus through the entry functions of the fuzz targets (fuzz/README.md).

// Only `TARGETS` and `seeds` are used here, the fuzz targets use the functions one by one.
#[path = "../../../fuzz/src/seal.rs"]
#[expect(unreachable_pub, reason = "public in its own crate")]
mod entry;
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[test]
fn every_target_has_a_program_and_a_corpus() {
    replay::nothing_is_missing("seal_", entry::TARGETS);
}

#[test]
fn no_input_does_harm() {
    replay::no_input_does_harm(entry::TARGETS, 25);
}

#[test]
#[ignore = "writes the seeds"]
fn write_the_seeds() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (target, name, bytes) in entry::seeds() {
        let directory = corpus.join(target);
        std::fs::create_dir_all(&directory).expect("writable");
        std::fs::write(directory.join(name), bytes).expect("writable");
    }
}
