//! Request ids that a sealing key has served.

use std::collections::BTreeSet;

/// The replay window of one sealing key: it forgets nothing while the key lives, and is bounded.
#[derive(Default)]
pub(crate) struct Seen {
    ids: BTreeSet<[u8; 32]>,
}

/// The id may be new, but the window cannot remember it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Seen {
    pub(crate) fn contains(&self, id: &[u8; 32]) -> bool {
        self.ids.contains(id)
    }

    pub(crate) fn has_room(&self, limit: usize) -> Result<(), Full> {
        if self.ids.len() < limit { Ok(()) } else { Err(Full) }
    }

    pub(crate) fn insert(&mut self, id: [u8; 32]) {
        self.ids.insert(id);
    }
}
