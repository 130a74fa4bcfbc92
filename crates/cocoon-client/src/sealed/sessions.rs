//! Warm sessions with the workers of one proxy.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cocoon_seal::{Digest, Session};

/// Sessions by sealing key. They are shared out, so that nobody seals while others wait.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<Digest, Arc<Session>>>);

/// One costs some 200 bytes, and each worker has two keys at most.
const MAX_SESSIONS: usize = 4096;

// === impl Sessions ===

impl Sessions {
    /// The session for a sealing key, while it lives.
    pub(super) fn get(&self, key: Digest, now: u64) -> Option<Arc<Session>> {
        self.lock().get(&key).filter(|held| held.lives_at(now)).cloned()
    }

    /// Keeps what an answer left.
    pub(super) fn keep(&self, session: Session, now: u64) {
        let mut sessions = self.lock();
        if sessions.len() >= MAX_SESSIONS {
            sessions.retain(|_, held| held.lives_at(now));
        }
        if sessions.len() >= MAX_SESSIONS {
            sessions.clear();
        }
        sessions.insert(session.key(), Arc::new(session));
    }

    /// Erases those whose sealing key is over.
    pub(super) fn expire(&self, now: u64) {
        self.lock().retain(|_, held| held.lives_at(now));
    }

    /// Forgets a session, because its worker has.
    pub(super) fn forget(&self, key: Digest) {
        self.lock().remove(&key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Arc<Session>>> {
        // Single insertions and removals.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
