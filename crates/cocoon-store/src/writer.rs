//! The one thread that writes: many callers, one transaction.

use std::{
    fs::File,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, params};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    backup,
    chain::{JournalKey, Tag},
    journal::Poison,
    read::{Replayed, signed},
};

/// Most records of one transaction: enough to share a flush among many, few enough not to keep the first one waiting.
const MAX_GROUP: usize = 256;
/// How long records that nobody waits for are held back for company.
const PATIENCE: Duration = Duration::from_millis(2);
/// How often the queue is looked at meanwhile.
const GLANCE: Duration = Duration::from_micros(200);

/// What the writer is asked to do.
#[derive(Debug)]
pub(crate) enum Job {
    Append {
        first: u64,
        bodies: Vec<Vec<u8>>,
        done: oneshot::Sender<()>,
    },
    Snapshot {
        records: u64,
        body: Vec<u8>,
    },
    Backup {
        path: PathBuf,
        done: oneshot::Sender<Result<(), String>>,
    },
    Close {
        done: oneshot::Sender<()>,
    },
}

#[derive(Debug)]
pub(crate) struct Writer {
    connection: Connection,
    key: JournalKey,
    /// Dropped after the connection: another process may open the journal then.
    _lock: File,
    records: u64,
    chain: Tag,
    /// The snapshot before the newest; records before it are gone.
    snapshot: u64,
    told: watch::Sender<u64>,
    poison: Arc<Poison>,
}

/// Why a group was not written.
#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("record {found} came where {expected} was next")]
    Order { expected: u64, found: u64 },
}

/// Records that go to the disk together.
#[derive(Debug, Default)]
struct Group {
    bodies: Vec<Vec<u8>>,
    done: Vec<oneshot::Sender<()>>,
}

// === impl Writer ===

impl Writer {
    pub(crate) fn new(
        connection: Connection,
        key: JournalKey,
        lock: File,
        replayed: &Replayed,
        told: watch::Sender<u64>,
        poison: Arc<Poison>,
    ) -> Self {
        Self {
            connection,
            key,
            _lock: lock,
            records: replayed.accounts.applied(),
            chain: replayed.chain,
            snapshot: replayed.snapshot,
            told,
            poison,
        }
    }

    /// Writes what comes until nobody can send any more, or a write fails: then everybody who waits is let down.
    pub(crate) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut next = None;
        while let Some(job) = next.take().or_else(|| jobs.blocking_recv()) {
            // Those who wait for the group learn of a failure only after its reason is there.
            let mut group = Group::default();
            let written = match job {
                Job::Append { first, bodies, done } => self
                    .take(&mut group, first, bodies, done)
                    .and_then(|()| self.gather(&mut group, &mut jobs))
                    .and_then(|other| {
                        next = other;
                        self.write(&group.bodies)
                    }),
                Job::Snapshot { records, body } => self.write_snapshot(records, &body),
                Job::Backup { path, done } => {
                    let copied = backup::copy(&self.connection, &path).map_err(|error| error.to_string());
                    // Whoever asked may be gone; the copy is there all the same.
                    let _ = done.send(copied);
                    Ok(())
                }
                Job::Close { done } => {
                    drop(self);
                    drop(done);
                    return;
                }
            };
            match written {
                Ok(()) => group.acknowledge(),
                Err(error) => {
                    tracing::error!(%error, "the journal cannot be written any more");
                    self.poison.set(error.to_string());
                    return;
                }
            }
        }
    }

    /// Takes what is queued. Somebody waits for almost every group; one that nobody waits for may wait itself.
    fn gather(&self, group: &mut Group, jobs: &mut mpsc::Receiver<Job>) -> Result<Option<Job>, WriteError> {
        let started = Instant::now();
        while group.bodies.len() < MAX_GROUP {
            match jobs.try_recv() {
                Ok(Job::Append { first, bodies, done }) => self.take(group, first, bodies, done)?,
                Ok(other) => return Ok(Some(other)),
                Err(mpsc::error::TryRecvError::Disconnected) => break,
                Err(mpsc::error::TryRecvError::Empty) => {
                    if group.is_awaited() || started.elapsed() >= PATIENCE {
                        break;
                    }
                    thread::park_timeout(GLANCE);
                }
            }
        }
        Ok(None)
    }

    fn take(
        &self,
        group: &mut Group,
        first: u64,
        bodies: Vec<Vec<u8>>,
        done: oneshot::Sender<()>,
    ) -> Result<(), WriteError> {
        let expected = self.records.saturating_add(group.bodies.len() as u64);
        group.done.push(done);
        if first != expected {
            return Err(WriteError::Order {
                expected,
                found: first,
            });
        }
        group.bodies.extend(bodies);
        Ok(())
    }

    fn write(&mut self, bodies: &[Vec<u8>]) -> Result<(), WriteError> {
        let (mut chain, mut records) = (self.chain, self.records);
        let transaction = self.connection.transaction()?;
        {
            let insert = "INSERT INTO records (number, body, tag) VALUES (?, ?, ?)";
            let mut insert = transaction.prepare_cached(insert)?;
            for body in bodies {
                chain = self.key.record(&chain, records, body);
                insert.execute(params![signed(records), body, chain])?;
                records += 1;
            }
            let head = "INSERT OR REPLACE INTO head (only, records, tag) VALUES (0, ?, ?)";
            let tag = self.key.head(&chain, records);
            transaction
                .prepare_cached(head)?
                .execute(params![signed(records), tag])?;
        }
        transaction.commit()?;
        (self.chain, self.records) = (chain, records);
        self.told.send_replace(records);
        Ok(())
    }

    /// Keeps the newest snapshot and the one before it, with the records since that one.
    fn write_snapshot(&mut self, records: u64, body: &[u8]) -> Result<(), WriteError> {
        if records != self.records {
            return Err(WriteError::Order {
                expected: self.records,
                found: records,
            });
        }
        let tag = self.key.snapshot(&self.chain, records, body);
        let transaction = self.connection.transaction()?;
        transaction.execute(
            "INSERT OR REPLACE INTO snapshots (records, body, chain, tag) VALUES (?, ?, ?, ?)",
            params![signed(records), body, self.chain, tag],
        )?;
        let before = signed(self.snapshot);
        transaction.execute("DELETE FROM snapshots WHERE records < ?", [before])?;
        transaction.execute("DELETE FROM records WHERE number < ?", [before])?;
        transaction.commit()?;
        self.snapshot = records;
        Ok(())
    }
}

// === impl Group ===

impl Group {
    fn acknowledge(self) {
        for done in self.done {
            // Not everybody waits.
            let _ = done.send(());
        }
    }

    fn is_awaited(&self) -> bool {
        self.done.iter().any(|done| !done.is_closed())
    }
}
