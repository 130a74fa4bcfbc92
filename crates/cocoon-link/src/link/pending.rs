use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::QueryError;

/// Questions that may wait for an answer on one link. Roles ask a handful at a time; this stops a runaway.
const MAX_PENDING: usize = 1024;

/// The questions of this side that wait for an answer, by their id. Answers count on the same link only.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    state: Mutex<State>,
}

/// A question that waits; dropping it forgets the id.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(crate) id: i64,
    pub(crate) answer: oneshot::Receiver<Answer>,
    pending: &'a Pending,
}

/// An answer, or the peer's code and text.
pub(crate) type Answer = Result<Bytes, (i32, String)>;

#[derive(Debug, Default)]
struct State {
    waiting: HashMap<i64, oneshot::Sender<Answer>>,
    ended: bool,
}

// === impl Pending ===

impl Pending {
    /// Registers a question under a fresh random id. An ended link drops the sender at once, so the receiver fails.
    pub(crate) fn ask(&self) -> Result<Question<'_>, QueryError> {
        let (sender, answer) = oneshot::channel();
        let mut state = self.lock();
        if state.waiting.len() >= MAX_PENDING {
            return Err(QueryError::TooMany);
        }
        let ended = state.ended;
        let id = loop {
            let id = random_id();
            if let Entry::Vacant(entry) = state.waiting.entry(id) {
                if !ended {
                    entry.insert(sender);
                }
                break id;
            }
        };
        Ok(Question {
            id,
            answer,
            pending: self,
        })
    }

    /// Hands an answer to whoever asked; an unknown or late id is ignored (spec/network.md 1.5).
    pub(crate) fn answered(&self, id: i64, answer: Answer) {
        let sender = self.lock().waiting.remove(&id);
        if let Some(sender) = sender {
            // The asker may have given up in this moment; then the answer is late.
            drop(sender.send(answer));
        }
    }

    /// Fails every question, now and later.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        drop(waiting);
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().waiting.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Question ===

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.pending.lock().waiting.remove(&self.id);
    }
}

/// A random 64-bit number, so that nobody can guess which questions are open.
pub(crate) fn random_id() -> i64 {
    let mut bytes = [0; 8];
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        // The generator fails only when the system has no entropy at all; ids need to be distinct, not secret.
        fastrand::fill(&mut bytes);
    }
    i64::from_le_bytes(bytes)
}
