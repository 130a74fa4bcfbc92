use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

/// What a canned engine received, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Counts up from 1.
    pub number: u64,
    /// The path that was asked.
    pub path: String,
    /// The body, byte for byte.
    pub body: Bytes,
    /// The `authorization` header.
    pub authorization: Option<String>,
    /// Parts of the answer that have left.
    pub parts: u32,
    /// How far it went.
    pub outcome: Outcome,
}

/// How far an answer went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is being made or sent.
    Open,
    /// It was sent to its end, be that a fault.
    Complete,
    /// Whoever asked went away before.
    Dropped,
}

pub(super) struct Records {
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<State>,
    changes: watch::Sender<()>,
    remember: usize,
}

#[derive(Default)]
struct State {
    count: u64,
    records: VecDeque<Record>,
}

/// Notes what becomes of one request; dropped early, that it was dropped.
pub(super) struct Note {
    inner: Arc<Inner>,
    number: u64,
}

// === impl Record ===

impl Record {
    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the request's body is JSON")
    }
}

// === impl Records ===

impl Records {
    pub(super) fn new(remember: usize) -> Self {
        Self {
            inner: Arc::new(Inner {
                state: Mutex::default(),
                changes: watch::channel(()).0,
                remember,
            }),
        }
    }

    pub(super) fn open(&self, path: &str, body: Bytes, authorization: Option<String>) -> Note {
        let mut state = self.inner.lock();
        state.count += 1;
        let number = state.count;
        state.records.push_back(Record {
            number,
            path: path.to_owned(),
            body,
            authorization,
            parts: 0,
            outcome: Outcome::Open,
        });
        if state.records.len() > self.inner.remember {
            state.records.pop_front();
        }
        drop(state);
        self.inner.changes.send_replace(());
        Note {
            inner: Arc::clone(&self.inner),
            number,
        }
    }

    pub(super) fn all(&self) -> Vec<Record> {
        self.inner.lock().records.iter().cloned().collect()
    }

    pub(super) fn count(&self) -> u64 {
        self.inner.lock().count
    }

    pub(super) async fn wait_until(&self, holds: impl Fn(&[Record]) -> bool) -> anyhow::Result<Vec<Record>> {
        let mut changes = self.inner.changes.subscribe();
        let waiting = async {
            loop {
                let records = self.all();
                if holds(&records) {
                    return records;
                }
                if changes.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(10), waiting).await;
        waited.map_err(|_| anyhow::anyhow!("what was waited for did not come to hold"))
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("invariant: no holder panics")
    }
}

// === impl Note ===

impl Note {
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn part(&self) {
        self.change(|record| record.parts += 1);
    }

    pub(super) fn complete(self) {
        self.change(|record| record.outcome = Outcome::Complete);
    }

    fn change(&self, change: impl Fn(&mut Record)) {
        let mut state = self.inner.lock();
        if let Some(record) = state
            .records
            .iter_mut()
            .rev()
            .find(|record| record.number == self.number)
        {
            change(record);
        }
        drop(state);
        self.inner.changes.send_replace(());
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        self.change(|record| {
            if record.outcome == Outcome::Open {
                record.outcome = Outcome::Dropped;
            }
        });
    }
}
