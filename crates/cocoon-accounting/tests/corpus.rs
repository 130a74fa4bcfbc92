//! Replays the committed fuzz corpus through the entry functions of the fuzz targets (fuzz/README.md).

// Only `TARGETS` is used here, the fuzz targets use the functions one by one.
#[path = "../../../fuzz/src/accounting.rs"]
#[expect(unreachable_pub, reason = "public in its own crate")]
mod entry;

#[path = "../../../fuzz/replay.rs"]
mod replay;

use std::{fs, path::Path};

use cocoon_accounting::{Accounts, ClientState, Party, Policy, Prices, Record, Seen, Terms, Tx, WorkerState};
use cocoon_types::{Address, Multipliers, Nanoton, RequestId};

#[test]
fn every_target_has_a_program_and_a_corpus() {
    replay::nothing_is_missing("accounting_", entry::TARGETS);
}

#[test]
fn no_input_does_harm() {
    replay::no_input_does_harm(entry::TARGETS, 12);
}

/// A short life of a proxy, record by record.
fn life() -> (Accounts, Vec<Record>) {
    let (contract, client, worker) = (
        Address::new([1; 32]),
        Address::new([2; 32]),
        Address::new([3; 32]),
    );
    let tx = |lt| Tx { lt, hash: [4; 32] };
    let mut accounts = Accounts::new();
    let mut records = Vec::new();
    let mut apply = |accounts: &mut Accounts, record: Record| {
        accounts.apply(&record).expect("it follows");
        records.push(record);
    };
    let terms = Terms {
        contract,
        params_version: 1,
        prices: Prices::new(Nanoton::new(20), Nanoton::new(19), Multipliers::ONE).expect("good prices"),
        proxy_delay: 600,
        client_delay: 300,
    };
    let opened = accounts.open(terms, 1).expect("nothing is open");
    apply(&mut accounts, opened);
    let session = accounts.start_session([5; 32], 2).expect("a contract").0;
    apply(&mut accounts, session);
    let seen = accounts.commit_seen(contract, tx(1), true, (1, [5; 32]), 3);
    seen.records
        .into_iter()
        .for_each(|record| apply(&mut accounts, record));
    let state = ClientState {
        balance: Nanoton::new(1_000_000),
        stake: Nanoton::new(1_000_000),
        ..ClientState::default()
    };
    let seen = Seen {
        contract,
        tx: tx(2),
        sender: client,
        owner: client,
        derived: client,
        state,
    };
    let told = accounts.client_seen(seen, 4);
    told.records
        .into_iter()
        .for_each(|record| apply(&mut accounts, record));
    let policy = Policy::default();
    for number in 0..3 {
        let request = RequestId([number; 32]);
        let reserved = accounts
            .reserve(client, request, 100, &policy, 5)
            .expect("money is there");
        apply(&mut accounts, reserved);
        let record = if number == 1 {
            accounts.release(client, request, 6).expect("it is open")
        } else {
            Record::Settled {
                request,
                client,
                worker,
                tokens: 70,
                at: 6,
            }
        };
        apply(&mut accounts, record);
    }
    let asked = accounts.ask_settle(7).expect("a contract");
    apply(&mut accounts, asked);
    for step in accounts.due(&policy, 8) {
        apply(&mut accounts, step.record);
    }
    let seen = accounts.commit_seen(contract, tx(3), true, (2, [5; 32]), 9);
    seen.records
        .into_iter()
        .for_each(|record| apply(&mut accounts, record));
    for step in accounts.due(&policy, 10) {
        apply(&mut accounts, step.record);
    }
    let ended = accounts.settlement_ended(contract, Party::client(client), false, 11);
    ended.into_iter().for_each(|record| apply(&mut accounts, record));
    let state = WorkerState {
        tokens: 140,
        ..WorkerState::default()
    };
    let seen = Seen {
        contract,
        tx: tx(4),
        sender: worker,
        owner: worker,
        derived: worker,
        state,
    };
    let told = accounts.worker_seen(seen, 12);
    told.records
        .into_iter()
        .for_each(|record| apply(&mut accounts, record));
    let lie = accounts.commit_seen(contract, tx(5), true, (9, [6; 32]), 13);
    lie.records
        .into_iter()
        .for_each(|record| apply(&mut accounts, record));
    (accounts, records)
}

fn corpus(target: &str) -> std::path::PathBuf {
    let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus")).join(target);
    fs::create_dir_all(&directory).expect("writable");
    directory
}

/// Writes the seeds: `cargo test -p cocoon-accounting --test corpus -- --ignored`.
#[test]
#[ignore = "writes into the source tree"]
fn write_the_seeds() {
    let (accounts, records) = life();
    let mut script = Vec::new();
    for (number, record) in records.iter().enumerate() {
        let bytes = record.encode();
        script.push(u8::try_from(bytes.len()).expect("records are short"));
        script.extend(&bytes);
        fs::write(
            corpus("accounting_record").join(format!("life-{number:02}")),
            &bytes,
        )
        .expect("writable");
    }
    for (name, share) in [("life", 1), ("half", 2), ("third", 3)] {
        let path = corpus("accounting_replay").join(name);
        fs::write(path, &script[..script.len() / share]).expect("writable");
    }
    fs::write(corpus("accounting_snapshot").join("life"), accounts.encode()).expect("writable");
    let mut early = Accounts::new();
    fs::write(corpus("accounting_snapshot").join("empty"), early.encode()).expect("writable");
    for record in records.iter().take(5) {
        early.apply(record).expect("it follows");
    }
    fs::write(corpus("accounting_snapshot").join("early"), early.encode()).expect("writable");
}
