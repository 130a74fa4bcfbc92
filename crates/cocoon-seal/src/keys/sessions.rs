//! Session secrets of a sealing key's clients (docs/sealing.md, section 5).

use std::collections::{BTreeMap, VecDeque};

use zeroize::Zeroizing;

/// Names a session on the wire.
pub(crate) type SessionId = [u8; 16];

/// A secret that stays where it is on the heap until it is overwritten there.
pub(crate) type SessionSecret = Box<Zeroizing<[u8; 32]>>;

/// A bounded table that forgets the oldest session.
#[derive(Default)]
pub(crate) struct Sessions {
    secrets: BTreeMap<SessionId, SessionSecret>,
    order: VecDeque<SessionId>,
}

impl Sessions {
    pub(crate) fn get(&self, id: &SessionId) -> Option<&SessionSecret> {
        self.secrets.get(id)
    }

    pub(crate) fn insert(&mut self, id: SessionId, secret: SessionSecret, limit: usize) {
        if self.secrets.insert(id, secret).is_none() {
            self.order.push_back(id);
        }
        while self.order.len() > limit {
            if let Some(oldest) = self.order.pop_front() {
                self.secrets.remove(&oldest);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.secrets.len()
    }
}
