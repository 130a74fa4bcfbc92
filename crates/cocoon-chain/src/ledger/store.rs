//! The ledger on disk: SQLite, one transaction a block, flushed before the block counts.
//!
//! Old transactions and old states live here only; memory holds the newest states of recently used accounts. A ledger
//! without a directory keeps the same tables in memory and therefore grows with every transaction: it is for tests.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::sha256;
use crate::chain::Head;

/// Version of the tables. WHEN CHANGING: migrate in [`Store::open`], never reinterpret.
const SCHEMA: i64 = 2;
/// Statements that stay compiled; there are about a dozen.
const STATEMENTS: usize = 32;
/// Bytes of the log that one look at it returns, and one row more: a stranger's message makes a transaction large.
const MAX_LOG_BYTES: usize = 4 * 1024 * 1024;
/// Seconds for which each block's time is kept: a statement may name a block of the last hour.
const RECENT: u32 = 7200;
/// Blocks whose time is kept at most: an instant ledger makes many in a second.
const MAX_RECENT: u32 = 65_536;
/// Domain of a block's root hash.
const BLOCK_DOMAIN: &[u8] = b"cocoon ledger block v2";

#[derive(Debug)]
pub(crate) struct Store {
    db: Connection,
}

/// Why the ledger's disk does not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process has it open.
    #[error("another process has this ledger open")]
    Locked,
    /// Written by a later version.
    #[error("the ledger has schema {found}, this program knows {SCHEMA}")]
    Schema {
        /// What is there.
        found: i64,
    },
    /// The secure source failed.
    #[error("there are no random bytes to be had")]
    Randomness,
    /// The database failed.
    #[error("the ledger's database failed")]
    Database(#[source] rusqlite::Error),
    /// What was read is not what was written.
    #[error("the ledger's database is damaged: {0}")]
    Damaged(&'static str),
}

/// A row of the log.
#[derive(Debug)]
pub(crate) struct LogRow {
    pub(crate) lt: u64,
    pub(crate) account: [u8; 33],
    pub(crate) boc: Vec<u8>,
}

/// What is known of a block apart from its transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeadRow {
    pub(crate) seqno: u32,
    pub(crate) time: u32,
    /// Below which every used logical time lies.
    pub(crate) lt: u64,
    /// Running hash over all blocks that held transactions.
    pub(crate) hash: [u8; 32],
    /// Seconds by which the chain's clock was warped.
    pub(crate) warped: u64,
    /// NanoTON that the faucet has given.
    pub(crate) minted: u64,
    pub(crate) is_test: bool,
    pub(crate) seed: Seed,
}

/// Random bytes of this ledger, which make a block's root hash unknown to everybody else before there is the block. Not
/// part of [`HeadRow::hash`]: the same calls give the same history.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed([u8; 32]);

// === impl Seed ===

impl Seed {
    pub(crate) fn random() -> Result<Self, StoreError> {
        let mut seed = [0; 32];
        aws_lc_rs::rand::fill(&mut seed).map_err(|_| StoreError::Randomness)?;
        Ok(Self(seed))
    }
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(..)")
    }
}

// === impl HeadRow ===

impl HeadRow {
    /// The root hash of a block of this ledger, by its number and the running hash at it.
    pub(crate) fn block_id(&self, seqno: u32, running: &[u8; 32]) -> [u8; 32] {
        sha256(&[BLOCK_DOMAIN, &self.seed.0, running, &seqno.to_be_bytes()])
    }

    pub(crate) fn block(&self, seqno: u32, time: u32, running: &[u8; 32]) -> Head {
        Head {
            seqno,
            id: self.block_id(seqno, running),
            time: u64::from(time),
        }
    }
}

// === impl Store ===

impl Store {
    pub(crate) fn open(dir: Option<&Path>) -> Result<Self, StoreError> {
        let db = match dir {
            None => Connection::open_in_memory()?,
            Some(dir) => Connection::open(dir.join("ledger.sqlite"))?,
        };
        db.busy_timeout(std::time::Duration::ZERO)?;
        db.set_prepared_statement_cache_capacity(STATEMENTS);
        // One writer for the life of the process; the flush is the block's.
        db.execute_batch(
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             PRAGMA temp_store = MEMORY;",
        )?;
        let found: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        match found {
            SCHEMA => {}
            0 => create(&db)?,
            1 => migrate(&db)?,
            _ => return Err(StoreError::Schema { found }),
        }
        // Takes the lock now, also where nothing had to be created.
        db.execute_batch("BEGIN IMMEDIATE; COMMIT;")?;
        Ok(Self { db })
    }

    pub(crate) fn begin(&self) -> Result<(), StoreError> {
        Ok(self.db.execute_batch("BEGIN IMMEDIATE")?)
    }

    pub(crate) fn commit(&self) -> Result<(), StoreError> {
        Ok(self.db.execute_batch("COMMIT")?)
    }

    pub(crate) fn rollback(&self) {
        // Fails only where no transaction is open, and then there is nothing to undo.
        let _ = self.db.execute_batch("ROLLBACK");
    }

    pub(crate) fn head(&self) -> Result<Option<HeadRow>, StoreError> {
        let row = self
            .db
            .prepare_cached("SELECT seqno, time, lt, hash, warped, minted, is_test, seed FROM head")?
            .query_row([], |row| {
                Ok(HeadRow {
                    seqno: row.get(0)?,
                    time: row.get(1)?,
                    lt: row.get(2)?,
                    hash: row.get(3)?,
                    warped: row.get(4)?,
                    minted: row.get(5)?,
                    is_test: row.get(6)?,
                    seed: Seed(row.get(7)?),
                })
            })
            .optional()?;
        Ok(row)
    }

    pub(crate) fn put_head(&self, head: &HeadRow) -> Result<(), StoreError> {
        self.db
            .prepare_cached("INSERT OR REPLACE INTO head VALUES (0, ?, ?, ?, ?, ?, ?, ?, ?)")?
            .execute(params![
                head.seqno,
                head.time,
                head.lt,
                head.hash,
                head.warped,
                head.minted,
                head.is_test,
                head.seed.0
            ])?;
        Ok(())
    }

    /// Remembers a block that held transactions: their logical times are from `first_lt` to below the head's.
    pub(crate) fn put_block(&self, head: &HeadRow, first_lt: u64) -> Result<(), StoreError> {
        self.db
            .prepare_cached("INSERT INTO blocks VALUES (?, ?, ?, ?, ?)")?
            .execute(params![head.seqno, head.time, first_lt, head.lt, head.hash])?;
        Ok(())
    }

    /// Remembers a block's time, and forgets those of old blocks.
    pub(crate) fn put_recent(&self, seqno: u32, time: u32) -> Result<(), StoreError> {
        self.db
            .prepare_cached("INSERT OR REPLACE INTO recent VALUES (?, ?)")?
            .execute(params![seqno, time])?;
        // More than one at a time, so that few are left soon after the clock was warped.
        self.db
            .prepare_cached(
                "DELETE FROM recent WHERE seqno IN (SELECT seqno FROM recent ORDER BY seqno LIMIT 16)
                     AND (time < ? OR seqno < ?)",
            )?
            .execute(params![
                time.saturating_sub(RECENT),
                seqno.saturating_sub(MAX_RECENT)
            ])?;
        Ok(())
    }

    /// The time of a block, if it is not old.
    pub(crate) fn recent(&self, seqno: u32) -> Result<Option<u32>, StoreError> {
        Ok(self
            .db
            .prepare_cached("SELECT time FROM recent WHERE seqno = ?")?
            .query_row([seqno], |row| row.get(0))
            .optional()?)
    }

    /// The running hash after a block.
    pub(crate) fn hash_at(&self, seqno: u32) -> Result<Option<[u8; 32]>, StoreError> {
        Ok(self
            .db
            .prepare_cached("SELECT hash FROM blocks WHERE seqno <= ? ORDER BY seqno DESC LIMIT 1")?
            .query_row([seqno], |row| row.get(0))
            .optional()?)
    }

    pub(crate) fn put_transaction(
        &self,
        lt: u64,
        account: &[u8; 33],
        block: u32,
        boc: &[u8],
    ) -> Result<(), StoreError> {
        self.db
            .prepare_cached("INSERT INTO transactions VALUES (?, ?, ?, ?)")?
            .execute(params![lt, account, block, boc])?;
        Ok(())
    }

    /// Newest first, logical times from `newest` down to above `until`.
    pub(crate) fn transactions(
        &self,
        account: &[u8; 33],
        newest: u64,
        until: u64,
        limit: usize,
    ) -> Result<Vec<LogRow>, StoreError> {
        self.rows(
            "SELECT lt, account, boc FROM transactions WHERE account = ? AND lt <= ? AND lt > ?
             ORDER BY lt DESC LIMIT ?",
            params![account, newest, until, limit],
        )
    }

    /// Oldest first, logical times above `lt`.
    pub(crate) fn transactions_after(
        &self,
        account: &[u8; 33],
        lt: u64,
        limit: usize,
    ) -> Result<Vec<LogRow>, StoreError> {
        self.rows(
            "SELECT lt, account, boc FROM transactions WHERE account = ? AND lt > ? ORDER BY lt LIMIT ?",
            params![account, lt, limit],
        )
    }

    /// The transactions of one block, in order.
    pub(crate) fn block_transactions(&self, seqno: u32, limit: usize) -> Result<Vec<LogRow>, StoreError> {
        self.rows(
            "SELECT t.lt, t.account, t.boc FROM transactions t JOIN blocks b ON t.lt >= b.first_lt AND t.lt < b.end_lt
             WHERE b.seqno = ? ORDER BY t.lt LIMIT ?",
            params![seqno, limit],
        )
    }

    fn rows(&self, sql: &str, params: impl rusqlite::Params) -> Result<Vec<LogRow>, StoreError> {
        let mut statement = self.db.prepare_cached(sql)?;
        let found = statement.query_map(params, |row| {
            Ok(LogRow {
                lt: row.get(0)?,
                account: row.get(1)?,
                boc: row.get(2)?,
            })
        })?;
        let (mut rows, mut bytes) = (Vec::new(), 0);
        for row in found {
            let row = row?;
            bytes += row.boc.len();
            rows.push(row);
            if bytes >= MAX_LOG_BYTES {
                break;
            }
        }
        Ok(rows)
    }

    pub(crate) fn put_state(&self, account: &[u8; 33], block: u32, boc: &[u8]) -> Result<(), StoreError> {
        self.db
            .prepare_cached("INSERT OR REPLACE INTO states VALUES (?, ?, ?)")?
            .execute(params![account, block, boc])?;
        Ok(())
    }

    /// The account's state after a block.
    pub(crate) fn state(&self, account: &[u8; 33], block: u32) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self
            .db
            .prepare_cached(
                "SELECT boc FROM states WHERE account = ? AND block <= ? ORDER BY block DESC LIMIT 1",
            )?
            .query_row(params![account, block], |row| row.get(0))
            .optional()?)
    }

    pub(crate) fn push_message(&self, lt: u64, boc: &[u8]) -> Result<(), StoreError> {
        self.db
            .prepare_cached("INSERT INTO queue VALUES (?, ?)")?
            .execute(params![lt, boc])?;
        Ok(())
    }

    pub(crate) fn drop_messages(&self, up_to: u64) -> Result<(), StoreError> {
        self.db
            .prepare_cached("DELETE FROM queue WHERE lt <= ?")?
            .execute([up_to])?;
        Ok(())
    }

    /// Messages that wait for execution, oldest first.
    pub(crate) fn messages(&self, after: u64, limit: usize) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        let mut statement = self
            .db
            .prepare_cached("SELECT lt, boc FROM queue WHERE lt > ? ORDER BY lt LIMIT ?")?;
        let rows = statement.query_map(params![after, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(crate) fn waiting(&self, after: u64) -> Result<u64, StoreError> {
        Ok(self
            .db
            .prepare_cached("SELECT COUNT(*) FROM queue WHERE lt > ?")?
            .query_row([after], |row| row.get(0))?)
    }
}

/// `lt` is unique in the whole ledger, so it names a transaction and orders the log.
fn create(db: &Connection) -> Result<(), StoreError> {
    db.execute_batch(&format!(
        "BEGIN IMMEDIATE;
         CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 0), seqno INTEGER NOT NULL, time INTEGER NOT NULL,
             lt INTEGER NOT NULL, hash BLOB NOT NULL, warped INTEGER NOT NULL, minted INTEGER NOT NULL,
             is_test INTEGER NOT NULL, seed BLOB NOT NULL) STRICT;
         CREATE TABLE blocks (seqno INTEGER PRIMARY KEY, time INTEGER NOT NULL, first_lt INTEGER NOT NULL,
             end_lt INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
         CREATE TABLE transactions (lt INTEGER PRIMARY KEY, account BLOB NOT NULL, block INTEGER NOT NULL,
             boc BLOB NOT NULL) STRICT;
         CREATE INDEX transactions_of ON transactions (account, lt);
         CREATE TABLE states (account BLOB NOT NULL, block INTEGER NOT NULL, boc BLOB NOT NULL,
             PRIMARY KEY (account, block)) STRICT, WITHOUT ROWID;
         CREATE TABLE recent (seqno INTEGER PRIMARY KEY, time INTEGER NOT NULL) STRICT;
         CREATE TABLE queue (lt INTEGER PRIMARY KEY, boc BLOB NOT NULL) STRICT;
         PRAGMA user_version = {SCHEMA};
         COMMIT;"
    ))?;
    Ok(())
}

/// From schema 1, which knew no times of blocks without transactions, and whose root hashes could be foretold.
fn migrate(db: &Connection) -> Result<(), StoreError> {
    let Seed(seed) = Seed::random()?;
    db.execute_batch(&format!(
        "BEGIN IMMEDIATE;
         ALTER TABLE head ADD COLUMN seed BLOB NOT NULL DEFAULT x'{}';
         CREATE TABLE recent (seqno INTEGER PRIMARY KEY, time INTEGER NOT NULL) STRICT;
         INSERT INTO recent SELECT seqno, time FROM head;
         PRAGMA user_version = {SCHEMA};
         COMMIT;",
        hex::encode(seed)
    ))?;
    Ok(())
}

// === impl StoreError ===

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => Self::Locked,
            _ => Self::Database(error),
        }
    }
}
