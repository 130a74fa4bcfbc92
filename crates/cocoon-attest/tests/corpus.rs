//! Replays the committed fuzz corpus through the entry functions of the fuzz targets (fuzz/README.md).

// Only `TARGETS` is used here, the fuzz targets use the functions one by one.
#[path = "../../../fuzz/src/attest.rs"]
#[expect(unreachable_pub, reason = "public in its own crate")]
mod entry;
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[test]
fn every_target_has_a_program_and_a_corpus() {
    replay::nothing_is_missing("attest_", entry::TARGETS);
}

#[test]
fn no_input_does_harm() {
    replay::no_input_does_harm(entry::TARGETS, 6);
}
