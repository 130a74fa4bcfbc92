//! `cocoon-accounting`: records and snapshots as a journal holds them.

use cocoon_accounting::{Accounts, MAX_RECORD_BYTES, Record};

/// The name of a target and of its corpus directory, and its entry function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of this module.
pub const TARGETS: &[Target] = &[
    ("accounting_record", record),
    ("accounting_replay", replay),
    ("accounting_snapshot", snapshot),
];

/// What is read is written back byte for byte, within the limit.
pub fn record(data: &[u8]) {
    if let Ok(record) = Record::decode(data) {
        assert_eq!(record.encode(), data);
        assert!(data.len() <= MAX_RECORD_BYTES);
    }
}

/// Records one after the other, each after its length: a refused one changes nothing, and no level rises above another.
pub fn replay(mut data: &[u8]) {
    let mut accounts = Accounts::new();
    while let Some((length, rest)) = data.split_first() {
        let (body, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        data = rest;
        let Ok(record) = Record::decode(body) else {
            continue;
        };
        let before = accounts.clone();
        if accounts.apply(&record).is_err() {
            assert_eq!(accounts, before, "a refused record changed something");
        }
    }
    for (_, client) in accounts.clients() {
        assert!(client.levels.chain <= client.levels.memory && client.levels.journal <= client.levels.memory);
    }
    accounts.flushed(accounts.applied());
    assert_eq!(Accounts::decode(&accounts.encode()), Ok(accounts));
}

/// A snapshot that is accepted is written back byte for byte.
pub fn snapshot(data: &[u8]) {
    if let Ok(accounts) = Accounts::decode(data) {
        assert_eq!(accounts.encode(), data);
    }
}
