//! Every statement that holds at this proxy, by its name.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cocoon_matching::WorkerId;

use super::Held;

/// Bounded by the links: each worker has two of them at most.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// With the worker that said it last: one that comes again says the same on another link.
    held: Mutex<Entries>,
}

type Entries = HashMap<[u8; 32], (WorkerId, Arc<Held>)>;

// === impl Book ===

impl Book {
    /// The statement of this name, and the worker that said it last.
    pub(crate) fn owner(&self, digest: &[u8; 32]) -> Option<(WorkerId, Arc<Held>)> {
        let held = self.lock();
        held.get(digest).map(|(worker, held)| (*worker, Arc::clone(held)))
    }

    pub(super) fn add(&self, worker: WorkerId, held: &Arc<Held>) {
        self.lock().insert(held.digest, (worker, Arc::clone(held)));
    }

    /// Forgets it, unless another link of the worker has it too.
    pub(super) fn remove(&self, worker: WorkerId, digest: &[u8; 32]) {
        let mut held = self.lock();
        if held.get(digest).is_some_and(|(owner, _)| *owner == worker) {
            held.remove(digest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        // Each change is one call.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
