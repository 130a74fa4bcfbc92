use cocoon_types::{Address, Nanoton};

use super::kit::{NOW, Relay, TON, internal};
use crate::{
    chain::At,
    ledger::{Ledger, LedgerError, LedgerOptions, StoreError},
};

const OPTIONS: LedgerOptions = LedgerOptions {
    is_test: true,
    instant: false,
};
const TO: Address = Address::new([9; 32]);

#[test]
fn a_ledger_stands_where_its_last_block_left_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(dir.path(), OPTIONS, NOW).unwrap();
    let relay = Relay::new(&mut ledger, 1, 10 * TON);
    ledger.warp(500).unwrap();
    relay.send(&mut ledger, internal(TO, TON, false, None, None));
    ledger.block(NOW).unwrap();
    let (head, hash) = (ledger.head(), ledger.hash());
    let account = ledger.account(TO, At::Latest).unwrap();
    // Things that no block holds yet.
    ledger.faucet(TO, Nanoton::new(77)).unwrap();
    ledger.warp(500).unwrap();
    relay.send(&mut ledger, internal(TO, TON, false, None, None));
    drop(ledger);

    let mut ledger = Ledger::open(dir.path(), OPTIONS, NOW + 1_000_000).unwrap();
    assert_eq!((ledger.head(), ledger.hash()), (head, hash));
    assert_eq!(ledger.account(TO, At::Latest).unwrap(), account);
    assert_eq!(ledger.minted(), Nanoton::new(10 * TON));
    assert_eq!(ledger.block(NOW).unwrap().transactions, 0);
    assert_eq!(ledger.head().time, head.time, "the warp of the last block holds");
    relay.send(&mut ledger, internal(TO, TON, false, None, None));
    assert_eq!(ledger.block(NOW).unwrap().transactions, 2);
    let newest = ledger.account(TO, At::Latest).unwrap().last.unwrap();
    assert_eq!(ledger.transactions(TO, newest, 0, 9).unwrap().len(), 2);
}

#[test]
fn a_block_that_cannot_be_stored_never_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(dir.path(), OPTIONS, NOW).unwrap();
    let relay = Relay::new(&mut ledger, 1, 10 * TON);
    let (head, hash) = (ledger.head(), ledger.hash());
    let before = ledger.account(relay.address(), At::Latest).unwrap();
    // The next block finds its own number taken.
    let mut taken = ledger.head;
    taken.seqno += 1;
    ledger.store.put_block(&taken, 1).unwrap();
    relay.send(&mut ledger, internal(TO, TON, false, None, None));
    assert!(matches!(ledger.block(NOW), Err(LedgerError::Store(_))));
    assert_eq!((ledger.head(), ledger.hash()), (head, hash));
    assert_eq!(ledger.account(relay.address(), At::Latest).unwrap(), before);
    assert_eq!(ledger.account(TO, At::Latest).unwrap().last, None);
    // An empty block writes no row, so the number is passed; then all goes on.
    ledger.block(NOW).unwrap();
    relay.send(&mut ledger, internal(TO, TON, false, None, None));
    assert_eq!(ledger.block(NOW).unwrap().transactions, 2);
}

#[test]
fn one_process_at_a_time_and_one_kind_of_network() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), OPTIONS, NOW).unwrap();
    let second = Ledger::open(dir.path(), OPTIONS, NOW);
    assert!(
        matches!(second, Err(LedgerError::Store(StoreError::Locked))),
        "{second:?}"
    );
    drop(ledger);
    let other = LedgerOptions {
        is_test: false,
        ..OPTIONS
    };
    let other = Ledger::open(dir.path(), other, NOW);
    assert!(matches!(other, Err(LedgerError::OtherNetwork { is_test: true })));
}

#[test]
fn a_later_schema_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(Ledger::open(dir.path(), OPTIONS, NOW).unwrap());
    let db = rusqlite::Connection::open(dir.path().join("ledger.sqlite")).unwrap();
    db.execute_batch("PRAGMA user_version = 99").unwrap();
    drop(db);
    let later = Ledger::open(dir.path(), OPTIONS, NOW);
    assert!(matches!(
        later,
        Err(LedgerError::Store(StoreError::Schema { found: 99 }))
    ));
}

#[test]
fn the_same_calls_give_the_same_ledger() {
    let history = |restart: bool| {
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(dir.path(), OPTIONS, NOW).unwrap();
        let relay = Relay::new(&mut ledger, 1, 10 * TON);
        let refuser = Relay::with_code(&mut ledger, "F22A");
        for round in 0..10 {
            let to = if round % 2 == 0 { refuser.address() } else { TO };
            relay.send(&mut ledger, internal(to, TON / 10, true, None, None));
            ledger.block(NOW + round).unwrap();
            if restart {
                drop(ledger);
                ledger = Ledger::open(dir.path(), OPTIONS, NOW).unwrap();
            }
        }
        let head = ledger.head();
        (ledger.hash(), head.seqno, head.time)
    };
    assert_eq!(history(false), history(false));
    assert_eq!(
        history(false),
        history(true),
        "a restart between blocks changes nothing"
    );
}
