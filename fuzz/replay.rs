//! Replays the committed corpus of a crate's fuzz targets as part of its tests (fuzz/README.md). Included by path, so that
//! no crate has to depend on another for it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The name of a target and of its corpus directory, and its entry function.
type Target = (&'static str, fn(&[u8]));

/// Inputs that are tried beside the seeds of a target.
const MUTATIONS: usize = 500;

/// Every target has a program and a corpus, and every program and corpus that begins so has a target.
pub(crate) fn nothing_is_missing(prefix: &str, targets: &[Target]) {
    let expected: BTreeSet<_> = targets.iter().map(|(name, _)| (*name).to_owned()).collect();
    for directory in ["corpus", "fuzz_targets"] {
        let entries = fs::read_dir(fuzz().join(directory)).expect("the directory is there");
        let found: BTreeSet<_> = entries
            .map(|entry| entry.expect("readable").path())
            .filter_map(|path| path.file_stem()?.to_str().map(str::to_owned))
            .filter(|name| name.starts_with(prefix))
            .collect();
        assert_eq!(found, expected, "{directory}");
    }
}

/// No seed does harm, nor what lies near: seeds with bytes changed, moved, cut and spliced, the same ones in every run.
/// There are at least so many seeds in all.
pub(crate) fn no_input_does_harm(targets: &[Target], least: usize) {
    let mut total = 0;
    for (name, run) in targets {
        let seeds = seeds(name);
        total += seeds.len();
        for seed in &seeds {
            run(seed);
        }
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % below.max(1) as u64).expect("below a usize")
        };
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
    assert!(total >= least, "{total} seeds are too few");
}

/// The committed seeds of a target, in the order of their bytes.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(fuzz().join("corpus").join(name)).expect("the directory is there");
    let mut seeds: Vec<_> = entries
        .map(|entry| fs::read(entry.expect("readable").path()).expect("readable"))
        .collect();
    assert!(seeds.len() > 2, "{name}: {} seeds are too few", seeds.len());
    let longest = seeds.iter().map(Vec::len).max();
    assert!(
        longest <= Some(LARGEST_SEED),
        "{name}: seeds are small: {longest:?}"
    );
    seeds.sort_unstable();
    seeds
}

/// Bytes of the largest seed: a quote with its certificates fits.
const LARGEST_SEED: usize = 16 * 1024;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}
