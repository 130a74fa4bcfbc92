use std::{fs, path::Path};

use cocoon_types::{Address, Nanoton};
use tycho_types::boc::Boc;

use super::TARGETS;
use crate::ledger::tests::kit::{Relay, TON, internal, test_ledger};

#[path = "../../../../fuzz/replay.rs"]
mod replay;

#[test]
fn every_target_has_a_program_and_a_corpus() {
    replay::nothing_is_missing("chain_", TARGETS);
}

#[test]
fn no_input_does_harm() {
    replay::no_input_does_harm(TARGETS, 9);
}

fn corpus(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(name)
}

/// Writes the seeds that are made by running the ledger. By hand: `cargo test -p cocoon-chain seeds -- --ignored`.
#[test]
#[ignore = "writes into the tree"]
fn seeds_are_written() {
    let mut ledger = test_ledger();
    let relay = Relay::new(&mut ledger, 1, 10 * TON);
    let refuser = Relay::with_code(&mut ledger, "F22A");
    relay.send(&mut ledger, internal(refuser.address(), TON, true, None, None));
    ledger.block(0).unwrap();
    ledger.faucet(Address::new([9; 32]), Nanoton::new(1)).unwrap();
    ledger.block(0).unwrap();
    let write = |target: &str, name: &str, bytes: &[u8]| {
        fs::create_dir_all(corpus(target)).unwrap();
        fs::write(corpus(target).join(name), bytes).unwrap();
    };
    for (name, address) in [
        ("relay", relay.address()),
        ("refused", refuser.address()),
        ("plain", Address::new([9; 32])),
    ] {
        for (index, logged) in ledger.logged(address, u64::MAX, 0, 9).unwrap().iter().enumerate() {
            write(
                "chain_transaction",
                &format!("{name}-{index}"),
                &Boc::encode(&logged.cell),
            );
        }
    }
}
