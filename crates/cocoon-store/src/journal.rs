//! The handle that others hold.

use std::{
    fs::File,
    path::Path,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    thread,
};

use cocoon_accounting::{Accounts, Record};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    chain::JournalKey,
    file::{self, OpenError},
    read,
    writer::{Job, Writer},
};

/// Groups of records that wait for the writer: a second's work of a busy proxy, some hundred bytes each.
const QUEUE: usize = 4096;

/// An open journal. Clones share it; it closes when the last one is gone and its queue is written.
#[derive(Clone, Debug)]
pub struct Journal {
    queue: mpsc::Sender<Job>,
    flushed: watch::Receiver<u64>,
    poison: Arc<Poison>,
}

/// Resolves when the records are on disk. Nobody needs to wait for it: the records are written all the same.
#[derive(Debug)]
#[must_use = "what is to be durable is awaited; drop it to say that it is not"]
pub struct Flush {
    done: oneshot::Receiver<()>,
    poison: Arc<Poison>,
}

/// Why records are not, or may not be, on disk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A write failed. What was acknowledged before is safe; the proxy must end and start again.
    #[error("the journal cannot be written any more: {0}")]
    Poisoned(String),
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
}

/// The first failure, for all who ask after it.
#[derive(Debug, Default)]
pub(crate) struct Poison(OnceLock<String>);

// === impl Journal ===

impl Journal {
    /// Opens the journal in a directory, or starts one; returns it with the state that its records make.
    ///
    /// Reads every row, so it takes about a second for a million records; not to be called on a runtime's thread.
    ///
    /// # Errors
    /// [`OpenError`] says what is wrong with it and what to do.
    pub fn open(directory: &Path, key: &JournalKey) -> Result<(Self, Accounts), OpenError> {
        let lock = file::lock(directory)?;
        let connection = file::connect(&directory.join(file::FILE))?;
        Self::start(lock, connection, key)
    }

    fn start(lock: File, connection: Connection, key: &JournalKey) -> Result<(Self, Accounts), OpenError> {
        let replayed = read::replay(&connection, key)?;
        let accounts = replayed.accounts.clone();
        let (queue, jobs) = mpsc::channel(QUEUE);
        let (told, flushed) = watch::channel(accounts.applied());
        let poison = Arc::new(Poison::default());
        let writer = Writer::new(
            connection,
            key.clone(),
            lock,
            &replayed,
            told,
            Arc::clone(&poison),
        );
        thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run(jobs))
            .map_err(OpenError::Thread)?;
        let journal = Self {
            queue,
            flushed,
            poison,
        };
        Ok((journal, accounts))
    }

    /// Queues records, in the order in which they were applied. `first` is the number of the first of them.
    ///
    /// Waits only for a place in the queue. Await the [`Flush`] for what must be durable; drop it for the rest.
    ///
    /// # Errors
    /// [`StoreError`] when nothing can be written any more.
    pub async fn append(&self, first: u64, records: &[Record]) -> Result<Flush, StoreError> {
        self.poison.check()?;
        let (told, done) = oneshot::channel();
        let job = Job::Append {
            first,
            bodies: records.iter().map(Record::encode).collect(),
            done: told,
        };
        self.queue.send(job).await.map_err(|_| self.poison.closed())?;
        Ok(Flush {
            done,
            poison: Arc::clone(&self.poison),
        })
    }

    /// Queues a snapshot of the state after all records that were queued so far. Older records are dropped with it.
    ///
    /// # Errors
    /// [`StoreError`] when nothing can be written any more.
    pub async fn snapshot(&self, accounts: &Accounts) -> Result<(), StoreError> {
        self.poison.check()?;
        let job = Job::Snapshot {
            records: accounts.applied(),
            body: accounts.encode(),
        };
        self.queue.send(job).await.map_err(|_| self.poison.closed())
    }

    /// How many records are on disk.
    pub fn flushed(&self) -> watch::Receiver<u64> {
        self.flushed.clone()
    }

    /// Writes a copy of the journal to a new file, while it is in use.
    ///
    /// # Errors
    /// [`StoreError::Poisoned`] holds what went wrong; the journal itself goes on after a copy that failed.
    pub async fn backup(&self, path: &Path) -> Result<(), StoreError> {
        self.poison.check()?;
        let (told, done) = oneshot::channel();
        let job = Job::Backup {
            path: path.to_owned(),
            done: told,
        };
        self.queue.send(job).await.map_err(|_| self.poison.closed())?;
        let copied = done.await.map_err(|_| self.poison.closed())?;
        copied.map_err(StoreError::Poisoned)
    }

    /// Waits until everything queued is on disk and the directory is free again. Others' clones end with it.
    pub async fn close(self) {
        let (told, done) = oneshot::channel();
        if self.queue.send(Job::Close { done: told }).await.is_ok() {
            // The writer drops its end when it is through.
            let _ = done.await;
        }
    }
}

// === impl Flush ===

impl Future for Flush {
    type Output = Result<(), StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let done = Pin::new(&mut self.done).poll(context);
        done.map(|done| done.map_err(|_| self.poison.closed()))
    }
}

// === impl Poison ===

impl Poison {
    pub(crate) fn set(&self, reason: String) {
        // Only the first failure tells what went wrong; those after it follow from it.
        let _ = self.0.set(reason);
    }

    fn check(&self) -> Result<(), StoreError> {
        self.0
            .get()
            .map_or(Ok(()), |reason| Err(StoreError::Poisoned(reason.clone())))
    }

    fn closed(&self) -> StoreError {
        self.check().err().unwrap_or(StoreError::Closed)
    }
}

#[cfg(test)]
mod tests;
