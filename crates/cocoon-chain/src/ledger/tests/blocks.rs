//! Block ids and old heads, as statements need them.

use rusqlite::Connection;

use super::{NOW, kit::test_ledger};
use crate::{
    chain::ChainError,
    ledger::{Faults, Ledger, LedgerOptions},
};

const INSTANT: LedgerOptions = LedgerOptions {
    is_test: true,
    instant: true,
};

#[test]
fn each_block_has_an_id_that_stays() {
    let mut ledger = test_ledger();
    let mut made = vec![ledger.head()];
    for second in 1..=20 {
        if second % 7 == 0 {
            ledger
                .faucet(cocoon_types::Address::new([7; 32]), cocoon_types::Nanoton::new(1))
                .unwrap();
        }
        ledger.block(NOW + second).unwrap();
        made.push(ledger.head());
    }
    for block in &made {
        assert_eq!(ledger.block_at(block.seqno).unwrap(), *block);
        assert_eq!(ledger.block_hash(block.seqno).unwrap(), block.id);
    }
    made.sort_by_key(|block| block.id);
    made.dedup_by_key(|block| block.id);
    assert_eq!(made.len(), 21, "no two blocks share an id");
    assert!(matches!(ledger.block_at(21), Err(ChainError::NotFound(_))));
    assert!(matches!(ledger.block_at(u32::MAX), Err(ChainError::NotFound(_))));
}

#[test]
fn nobody_foretells_an_id() {
    let (mut one, mut other) = (test_ledger(), test_ledger());
    one.block(NOW).unwrap();
    other.block(NOW).unwrap();
    assert_eq!(one.hash(), other.hash(), "the same history");
    assert_ne!(one.head().id, other.head().id);
    assert!(format!("{one:?}").contains("Seed(..)"), "nor reads it in a log");
}

#[test]
fn blocks_of_the_last_hour_are_known_and_old_ones_are_forgotten() {
    let mut ledger = test_ledger();
    for minute in 1..=300 {
        ledger.block(NOW + 60 * minute).unwrap();
    }
    for minutes_ago in [0, 60, 119] {
        assert!(ledger.block_at(300 - minutes_ago).is_ok());
    }
    assert!(matches!(ledger.block_at(170), Err(ChainError::NotFound(_))));
    assert!(ledger.block_hash(170).is_ok());
}

#[test]
fn an_instant_ledger_has_no_old_head_and_others_make_no_blocks_by_themselves() {
    let mut ledger = Ledger::in_memory(INSTANT, NOW).unwrap();
    assert_eq!(ledger.fresh_head(NOW + 59).unwrap().seqno, 0);
    let fresh = ledger.fresh_head(NOW + 60).unwrap();
    assert_eq!((fresh.seqno, fresh.time), (1, NOW + 60));
    assert_eq!(ledger.fresh_head(NOW + 61).unwrap(), fresh);
    let stalled = Faults {
        stall: true,
        ..Faults::default()
    };
    ledger.set_faults(stalled).unwrap();
    assert_eq!(ledger.fresh_head(NOW + 100_000).unwrap(), fresh);

    let mut ledger = test_ledger();
    assert_eq!(ledger.fresh_head(NOW + 100_000).unwrap().seqno, 0);
}

#[test]
fn a_ledger_of_the_first_schema_is_taken_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(dir.path(), INSTANT, NOW).unwrap();
    ledger.block(NOW + 1).unwrap();
    let (hash, head) = (ledger.hash(), ledger.head());
    drop(ledger);
    let db = Connection::open(dir.path().join("ledger.sqlite")).unwrap();
    db.execute_batch("DROP TABLE recent; ALTER TABLE head DROP COLUMN seed; PRAGMA user_version = 1")
        .unwrap();
    drop(db);

    let mut ledger = Ledger::open(dir.path(), INSTANT, NOW).unwrap();
    assert_eq!(ledger.hash(), hash);
    let taken = ledger.head();
    assert_eq!((taken.seqno, taken.time), (head.seqno, head.time));
    assert_ne!(taken.id, head.id, "it has a seed of its own now");
    ledger.block(NOW + 2).unwrap();
    assert_eq!(ledger.block_at(1).unwrap(), taken);
    let newest = ledger.head();
    drop(ledger);
    assert_eq!(Ledger::open(dir.path(), INSTANT, NOW).unwrap().head(), newest);
}
