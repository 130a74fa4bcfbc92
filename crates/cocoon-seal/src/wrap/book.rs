//! A client's warm sessions.

use std::collections::BTreeMap;

use super::Session;
use crate::Digest;

/// The sessions of one client, by sealing key; bounded, and each gone when its key is.
#[derive(Debug)]
pub struct SessionBook {
    sessions: BTreeMap<Digest, Session>,
    limit: usize,
}

impl SessionBook {
    /// An empty book for at most so many workers; one costs about 200 bytes.
    pub const fn new(limit: usize) -> Self {
        let sessions = BTreeMap::new();
        Self { sessions, limit }
    }

    /// Keeps a session that an answer left. When the book is full, the one that ends first goes.
    pub fn keep(&mut self, session: Session, now: u64) {
        self.sessions.retain(|_, held| held.lives_at(now));
        self.sessions.insert(session.key(), session);
        while self.sessions.len() > self.limit {
            let first = self.sessions.iter().min_by_key(|(_, held)| held.not_after);
            let Some(key) = first.map(|(key, _)| *key) else {
                return;
            };
            self.sessions.remove(&key);
        }
    }

    /// The session for this sealing key, if it still lives.
    pub fn get(&self, key_id: Digest, now: u64) -> Option<&Session> {
        self.sessions.get(&key_id).filter(|held| held.lives_at(now))
    }

    /// Forgets a session, because its worker has ([`crate::Reason::UnknownSession`]).
    pub fn forget(&mut self, key_id: Digest) {
        self.sessions.remove(&key_id);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }
}
