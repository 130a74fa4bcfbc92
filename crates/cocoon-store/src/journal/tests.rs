use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use cocoon_accounting::{Accounts, ClientState, Policy, Prices, Record, Seen, Terms, Tx};
use cocoon_types::{Address, Multipliers, Nanoton, RequestId};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{Journal, StoreError};
use crate::{JournalKey, OpenError, RestoreError, file};

const CONTRACT: Address = Address::new([1; 32]);
const CLIENT: Address = Address::new([2; 32]);
const WORKER: Address = Address::new([3; 32]);
const SESSION: [u8; 32] = [7; 32];

fn key() -> JournalKey {
    JournalKey::derive(&[9; 32])
}

fn terms() -> Terms {
    Terms {
        contract: CONTRACT,
        params_version: 1,
        prices: Prices::new(Nanoton::new(20), Nanoton::new(19), Multipliers::ONE).unwrap(),
        proxy_delay: 600,
        client_delay: 300,
    }
}

fn applied(accounts: &mut Accounts, record: Record) -> Record {
    accounts.apply(&record).unwrap();
    record
}

/// The records of a proxy that has opened and serves one client.
fn opened(accounts: &mut Accounts) -> Vec<Record> {
    let tx = |lt| Tx { lt, hash: [0; 32] };
    let open = accounts.open(terms(), 1).unwrap();
    let mut records = vec![applied(accounts, open)];
    let session = accounts.start_session(SESSION, 2).unwrap().0;
    records.push(applied(accounts, session));
    let seen = accounts
        .commit_seen(CONTRACT, tx(1), true, (1, SESSION), 3)
        .records;
    records.extend(seen.into_iter().map(|record| applied(accounts, record)));
    let state = ClientState {
        balance: Nanoton::new(1 << 60),
        stake: Nanoton::new(1 << 60),
        ..ClientState::default()
    };
    let seen = Seen {
        contract: CONTRACT,
        tx: tx(2),
        sender: CLIENT,
        owner: CLIENT,
        derived: CLIENT,
        state,
    };
    let seen = accounts.client_seen(seen, 4).records;
    records.extend(seen.into_iter().map(|record| applied(accounts, record)));
    records
}

/// One request, from its reservation to its charge.
fn request(accounts: &mut Accounts, number: u64) -> Vec<Record> {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&number.to_be_bytes());
    let policy = Policy {
        unsecured_limit: Nanoton::new(u64::MAX),
        ..Policy::default()
    };
    let reserve = accounts.reserve(CLIENT, RequestId(id), 100, &policy, 5).unwrap();
    let reserve = applied(accounts, reserve);
    let settled = accounts.settle(CLIENT, RequestId(id), WORKER, 70, 6).unwrap();
    let cocoon_accounting::Outcome::Charge { record, .. } = settled else {
        panic!("it was not settled before");
    };
    vec![reserve, applied(accounts, record)]
}

async fn append(journal: &Journal, accounts: &Accounts, records: &[Record]) -> super::Flush {
    let first = accounts.applied() - records.len() as u64;
    journal.append(first, records).await.unwrap()
}

/// A journal with `requests` requests in it, closed.
async fn filled(directory: &Path, requests: u64) -> Accounts {
    let (journal, mut accounts) = Journal::open(directory, &key()).unwrap();
    let records = opened(&mut accounts);
    append(&journal, &accounts, &records).await.await.unwrap();
    for number in 0..requests {
        let records = request(&mut accounts, number);
        drop(append(&journal, &accounts, &records).await);
    }
    journal.close().await;
    accounts.flushed(accounts.applied());
    accounts
}

fn refusal(directory: &Path) -> OpenError {
    Journal::open(directory, &key()).unwrap_err()
}

fn change(directory: &Path, sql: &str) {
    let connection = Connection::open(directory.join(file::FILE)).unwrap();
    assert!(
        connection.execute(sql, []).unwrap() > 0 || sql.starts_with("CREATE"),
        "{sql}"
    );
}

#[tokio::test]
async fn what_was_written_is_read() {
    let home = TempDir::new().unwrap();
    let before = filled(home.path(), 50).await;
    let (journal, again) = Journal::open(home.path(), &key()).unwrap();
    assert_eq!(again, before);
    assert_eq!(*journal.flushed().borrow(), before.applied());
    assert_eq!(again.client(&CLIENT).unwrap().levels.journal, 50 * 70);
}

#[tokio::test]
async fn a_flush_resolves_when_it_is_on_disk() {
    let home = TempDir::new().unwrap();
    let (journal, mut accounts) = Journal::open(home.path(), &key()).unwrap();
    let records = opened(&mut accounts);
    let flush = append(&journal, &accounts, &records).await;
    flush.await.unwrap();
    assert_eq!(*journal.flushed().borrow(), records.len() as u64);
    // Nobody waits for this one; it is written all the same.
    let records = request(&mut accounts, 0);
    drop(append(&journal, &accounts, &records).await);
    let mut flushed = journal.flushed();
    let all = flushed.wait_for(|flushed| *flushed == accounts.applied());
    tokio::time::timeout(Duration::from_secs(5), all)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn only_the_owner_may_read_it_and_only_one_process() {
    let home = TempDir::new().unwrap();
    let directory = home.path().join("accounts");
    let (journal, _) = Journal::open(&directory, &key()).unwrap();
    assert_eq!(
        fs::metadata(&directory).unwrap().permissions().mode() & 0o777,
        0o700
    );
    for entry in fs::read_dir(&directory).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
    }
    assert!(matches!(refusal(&directory), OpenError::InUse(_)));
    journal.close().await;
    assert!(Journal::open(&directory, &key()).is_ok());
}

#[tokio::test]
async fn altered_rows_are_refused_by_name() {
    let attacks = [
        ("UPDATE records SET body = x'00' WHERE number = 7", "record 7"),
        (
            "UPDATE records SET body = (SELECT body FROM records WHERE number = 6) WHERE number = 8",
            "record 8",
        ),
        (
            "UPDATE records SET tag = (SELECT tag FROM records WHERE number = 6) WHERE number = 8",
            "record 8",
        ),
        (
            "UPDATE records SET body = zeroblob(100000000) WHERE number = 5",
            "record 5",
        ),
        (
            "UPDATE records SET body = 'text', tag = 3.5 WHERE number = 5",
            "record 5",
        ),
        ("UPDATE records SET number = 1000 WHERE number = 9", "record 9"),
        ("DELETE FROM records WHERE number = 4", "record 4"),
        ("DELETE FROM records WHERE number < 4", "record 0"),
        ("DELETE FROM records WHERE number > 8", "ends at record 9"),
        ("DELETE FROM records", "ends at record 0"),
        ("UPDATE head SET records = records - 1", "head"),
        ("DELETE FROM head", "head"),
        (
            "CREATE TRIGGER t AFTER INSERT ON records BEGIN DELETE FROM records; END",
            "not a journal of ours",
        ),
        ("CREATE VIEW v AS SELECT 1", "not a journal of ours"),
        (
            "INSERT INTO snapshots SELECT 3, body, tag, tag FROM records WHERE number = 3",
            "snapshot 3",
        ),
    ];
    for (sql, named) in attacks {
        let home = TempDir::new().unwrap();
        filled(home.path(), 5).await;
        change(home.path(), sql);
        let refusal = refusal(home.path()).to_string();
        assert!(refusal.contains(named), "{sql}: {refusal}");
    }
}

#[tokio::test]
async fn another_key_opens_nothing() {
    let home = TempDir::new().unwrap();
    filled(home.path(), 1).await;
    let other = Journal::open(home.path(), &JournalKey::derive(&[8; 32])).unwrap_err();
    assert!(
        matches!(
            other,
            OpenError::Altered {
                what: "record",
                number: 0
            }
        ),
        "{other}"
    );
}

#[tokio::test]
async fn other_files_are_refused() {
    let home = TempDir::new().unwrap();
    let path = home.path().join(file::FILE);
    fs::write(&path, [b'x'; 10_000]).unwrap();
    assert!(matches!(refusal(home.path()), OpenError::Sqlite(_)));
    fs::remove_file(&path).unwrap();
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE other (a)").unwrap();
    drop(connection);
    assert!(matches!(refusal(home.path()), OpenError::Foreign(_)));
    fs::remove_file(&path).unwrap();
    filled(home.path(), 1).await;
    change_pragma(home.path(), "user_version", 99);
    assert!(matches!(refusal(home.path()), OpenError::Newer { found: 99 }));
}

fn change_pragma(directory: &Path, name: &str, value: u32) {
    let connection = Connection::open(directory.join(file::FILE)).unwrap();
    connection.pragma_update(None, name, value).unwrap();
}

#[tokio::test]
async fn snapshots_replace_what_is_old() {
    let home = TempDir::new().unwrap();
    let (journal, mut accounts) = Journal::open(home.path(), &key()).unwrap();
    let records = opened(&mut accounts);
    append(&journal, &accounts, &records).await.await.unwrap();
    for round in 0..5 {
        for number in 0..10 {
            let records = request(&mut accounts, round * 10 + number);
            drop(append(&journal, &accounts, &records).await);
        }
        journal.snapshot(&accounts).await.unwrap();
    }
    let records = request(&mut accounts, 1000);
    append(&journal, &accounts, &records).await.await.unwrap();
    journal.close().await;
    accounts.flushed(accounts.applied());
    let (journal, again) = Journal::open(home.path(), &key()).unwrap();
    assert_eq!(again, accounts);
    journal.close().await;
    let connection = Connection::open(home.path().join(file::FILE)).unwrap();
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM snapshots"), 2);
    assert_eq!(
        count("SELECT count(*) FROM records"),
        22,
        "since the snapshot before the newest"
    );
    connection
        .execute("UPDATE snapshots SET body = zeroblob(length(body))", [])
        .unwrap();
    drop(connection);
    assert!(matches!(
        refusal(home.path()),
        OpenError::Altered { what: "snapshot", .. }
    ));
}

#[tokio::test]
async fn a_failed_write_poisons_the_journal() {
    let home = TempDir::new().unwrap();
    let (journal, mut accounts) = Journal::open(home.path(), &key()).unwrap();
    let records = opened(&mut accounts);
    append(&journal, &accounts, &records).await.await.unwrap();
    // A record out of its order is a failure that a test can make; a full disk ends the same way.
    let records = request(&mut accounts, 0);
    let late = journal.append(99, &records).await.unwrap();
    assert!(matches!(late.await, Err(StoreError::Poisoned(reason)) if reason.contains("99")));
    let after = journal.append(4, &records).await;
    assert!(
        matches!(after, Err(StoreError::Poisoned(_))),
        "nothing is acknowledged after it"
    );
    drop(journal);
    let (_, again) = reopen(home.path()).await;
    assert_eq!(again.applied(), 4, "what was acknowledged is there");
}

/// The writer lets go of the lock when it has ended, a moment after the last handle is gone.
async fn reopen(directory: &Path) -> (Journal, Accounts) {
    for _ in 0..500 {
        match Journal::open(directory, &key()) {
            Err(OpenError::InUse(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
            opened => return opened.unwrap(),
        }
    }
    panic!("still in use");
}

fn limited(directory: &Path, pages: u32) -> (Journal, Accounts) {
    let lock = file::lock(directory).unwrap();
    let connection = file::connect(&directory.join(file::FILE)).unwrap();
    connection.pragma_update(None, "max_page_count", pages).unwrap();
    Journal::start(lock, connection, &key()).unwrap()
}

#[tokio::test]
async fn a_full_disk_is_told() {
    let home = TempDir::new().unwrap();
    filled(home.path(), 5).await;
    let connection = file::connect(&home.path().join(file::FILE)).unwrap();
    let pages: u32 = connection
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    drop(connection);
    // The limit is not stored in the file, so it is set on the writer's own connection.
    let (journal, mut accounts) = limited(home.path(), pages);
    let mut failed = None;
    for number in 0..10_000 {
        let records = request(&mut accounts, 100 + number);
        let Ok(flush) = journal.append(accounts.applied() - 2, &records).await else {
            break;
        };
        if let Err(error) = flush.await {
            failed = Some(error);
            break;
        }
    }
    assert!(matches!(failed, Some(StoreError::Poisoned(reason)) if reason.contains("full")));
    drop(journal);
    reopen(home.path()).await;
}

#[tokio::test]
async fn a_backup_is_put_back_where_no_journal_is() {
    let home = TempDir::new().unwrap();
    let (directory, backup) = (home.path().join("a"), home.path().join("backup.sqlite"));
    let (journal, mut accounts) = Journal::open(&directory, &key()).unwrap();
    let records = opened(&mut accounts);
    append(&journal, &accounts, &records).await.await.unwrap();
    journal.backup(&backup).await.unwrap();
    assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(
        journal.backup(&backup).await.is_err(),
        "a backup overwrites nothing"
    );
    let saved = accounts.clone();
    let records = request(&mut accounts, 0);
    append(&journal, &accounts, &records).await.await.unwrap();
    journal.close().await;
    let exists = Journal::restore(&backup, &directory, &key());
    assert!(matches!(exists, Err(RestoreError::Exists(_))));
    let elsewhere = home.path().join("b");
    Journal::restore(&backup, &elsewhere, &key()).unwrap();
    let (journal, mut restored) = Journal::open(&elsewhere, &key()).unwrap();
    let mut flushed = saved;
    flushed.flushed(flushed.applied());
    assert_eq!(restored, flushed);
    // Nothing was committed since, so it opens a new session and goes on.
    let (record, _) = restored.start_session([8; 32], 9).unwrap();
    restored.apply(&record).unwrap();
    let tx = Tx { lt: 3, hash: [0; 32] };
    let seen = restored.commit_seen(CONTRACT, tx, true, (2, [8; 32]), 10);
    seen.records
        .iter()
        .for_each(|record| restored.apply(record).unwrap());
    assert!(restored.is_ready());
    drop(journal);
    // Not what it was: refused, and nothing is left behind.
    change_file(&backup);
    let third = home.path().join("c");
    assert!(matches!(
        Journal::restore(&backup, &third, &key()),
        Err(RestoreError::Backup(_))
    ));
    assert!(!third.join(file::FILE).exists());
}

fn change_file(path: &Path) {
    let connection = Connection::open(path).unwrap();
    connection
        .execute("DELETE FROM records WHERE number = 2", [])
        .unwrap();
}

#[tokio::test]
async fn yesterdays_copy_is_refused_by_what_the_chain_shows() {
    let home = TempDir::new().unwrap();
    let backup = home.path().join("backup.sqlite");
    let (journal, mut accounts) = Journal::open(&home.path().join("a"), &key()).unwrap();
    let records = opened(&mut accounts);
    append(&journal, &accounts, &records).await.await.unwrap();
    journal.backup(&backup).await.unwrap();
    // The proxy goes on, commits, and the disk is put back.
    let elsewhere = home.path().join("b");
    Journal::restore(&backup, &elsewhere, &key()).unwrap();
    let (_journal, mut old) = Journal::open(&elsewhere, &key()).unwrap();
    let (record, _) = old.start_session([8; 32], 9).unwrap();
    old.apply(&record).unwrap();
    let tx = Tx { lt: 3, hash: [0; 32] };
    let told = old.commit_seen(CONTRACT, tx, true, (2, SESSION), 10);
    told.records.iter().for_each(|record| old.apply(record).unwrap());
    let halt = old.halted().expect("it refuses").to_string();
    assert!(halt.contains("old copy"), "{halt}");
    assert!(old.start_session([9; 32], 11).is_err() && !old.is_ready());
}

/// Every length at which a crash may cut the log off, as far as SQLite had written it.
#[tokio::test]
async fn a_crash_at_any_byte_leaves_a_prefix_that_holds_what_was_acknowledged() {
    let home = TempDir::new().unwrap();
    let directory = home.path().join("live");
    let (journal, mut accounts) = Journal::open(&directory, &key()).unwrap();
    let log = directory.join("journal.sqlite-wal");
    let mut states = vec![(fs::metadata(&log).unwrap().len(), 0)];
    let records = opened(&mut accounts);
    append(&journal, &accounts, &records).await.await.unwrap();
    for number in 0..40 {
        let records = request(&mut accounts, number);
        append(&journal, &accounts, &records).await.await.unwrap();
        states.push((fs::metadata(&log).unwrap().len(), accounts.applied()));
    }
    let (database, log) = (
        fs::read(directory.join(file::FILE)).unwrap(),
        fs::read(&log).unwrap(),
    );
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..60 {
        let cut = random.usize(usize::try_from(states[0].0).unwrap()..=log.len());
        let copy = home.path().join(format!("crash-{round}"));
        fs::create_dir(&copy).unwrap();
        fs::write(copy.join(file::FILE), &database).unwrap();
        let mut torn = log[..cut].to_vec();
        if round % 3 == 0 {
            // A sector that was not written.
            let from = cut.saturating_sub(512);
            torn[from..].fill(0);
        }
        fs::write(copy.join("journal.sqlite-wal"), &torn).unwrap();
        let (journal, again) = Journal::open(&copy, &key()).unwrap();
        let whole = torn.len() - if round % 3 == 0 { 512 } else { 0 };
        let acknowledged = states
            .iter()
            .filter(|(length, _)| *length <= whole as u64)
            .map(|(_, records)| *records);
        let least = acknowledged.max().unwrap();
        assert!(
            again.applied() >= least,
            "cut at {cut}: {} of {least}",
            again.applied()
        );
        journal.close().await;
    }
}
