use super::TARGETS;
use crate::development::DevelopmentTee;

#[path = "../../../../fuzz/replay.rs"]
mod replay;

#[test]
fn every_target_has_a_program_and_a_corpus() {
    replay::nothing_is_missing("tee_", TARGETS);
}

#[test]
fn no_input_does_harm() {
    replay::no_input_does_harm(TARGETS, 10);
}

/// Writes the seeds of `tee_development_file`: a whole file, cut in several places, and a small
/// one of the same form.
#[test]
#[ignore = "writes into the source tree"]
fn seeds_of_the_development_file() {
    let tee = DevelopmentTee::new(1_795_400_000).unwrap();
    let whole = tee.to_bytes();
    assert!(DevelopmentTee::from_bytes(&whole).unwrap().is_some());
    let head = whole.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let place = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fuzz/corpus/tee_development_file"
    );
    std::fs::create_dir_all(place).unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(format!("{place}/{name}"), bytes).unwrap();
    write("whole", &whole);
    write("head", &whole[..head]);
    write("time", &whole[..head + 8]);
    write("half", &whole[..whole.len() / 2]);
    let mut small = whole[..head + 8].to_vec();
    for field in [&b"a"[..], b"", b"bc"] {
        small.extend(u16::try_from(field.len()).unwrap().to_be_bytes());
        small.extend(field);
    }
    write("small", &small);
}
