//! Replays the committed fuzz corpus through the entry functions of the fuzz targets (fuzz/README.md).

// Only `TARGETS` is used here, the fuzz targets use the functions one by one.
#[path = "../../../fuzz/src/contracts.rs"]
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
        .filter(|name| name.starts_with("contracts_"))
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
    for (name, run) in entry::TARGETS {
        let mut files = 0;
        for input in fs::read_dir(fuzz().join("corpus").join(name)).expect("the directory is there") {
            let path = input.expect("readable").path();
            let data = fs::read(&path).expect("readable");
            assert!(data.len() <= 4096, "{}: seeds are tiny", path.display());
            run(&data);
            files += 1;
        }
        assert!(files > 2, "{name}: {files} seeds are too few");
    }
}

/// Not a fuzzer, but it finds what lies near: seeds with bytes changed, moved, cut and spliced.
#[test]
fn mutations_of_the_corpus_do_no_harm() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below.max(1)).expect("fits")).expect("fits")
    };
    for (name, run) in entry::TARGETS {
        let entries = fs::read_dir(fuzz().join("corpus").join(name)).expect("the directory is there");
        let mut seeds: Vec<_> = entries
            .map(|entry| fs::read(entry.expect("readable").path()).expect("readable"))
            .collect();
        seeds.sort_unstable();
        for _ in 0..MUTATIONS {
            let mut input = seeds[random(seeds.len())].clone();
            for _ in 0..=random(3) {
                let at = random(input.len());
                match random(5) {
                    0 if !input.is_empty() => input[at] ^= 1 << random(8),
                    1 if !input.is_empty() => input[at] = u8::try_from(random(256)).expect("a byte"),
                    2 => input.truncate(at),
                    3 => input.insert(at, 0xff),
                    _ => {
                        let other = &seeds[random(seeds.len())];
                        input.truncate(at);
                        input.extend_from_slice(&other[random(other.len())..]);
                    }
                }
            }
            run(&input);
        }
    }
}

const MUTATIONS: usize = 2_000;
