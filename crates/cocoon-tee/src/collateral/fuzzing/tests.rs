use super::TARGETS;

#[path = "../../../../../fuzz/replay.rs"]
mod replay;

#[test]
fn every_target_has_a_program_and_a_corpus() {
    replay::nothing_is_missing("tee_", TARGETS);
}

#[test]
fn no_input_does_harm() {
    replay::no_input_does_harm(TARGETS, 6);
}
