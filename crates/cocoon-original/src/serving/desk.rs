//! Where the answers of one link wait for their readers.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::mpsc;

use crate::words::Said;

/// Bytes of a link's answers that may wait for slow readers: the peer knows no windows, and may send a whole answer in one
/// message of up to 16 MiB.
const MAX_WAITING: usize = 64 * 1024 * 1024;
/// Steps of one answer that wait for a slow reader: more than the parts of any answer that is not made to hurt.
const MAX_STEPS: usize = 65_536;

/// A tray for each open request, by its id.
#[derive(Debug, Default)]
pub(super) struct Desk {
    trays: Mutex<HashMap<[u8; 32], mpsc::Sender<Said>>>,
    /// Bytes on all of them.
    waiting: AtomicUsize,
}

/// Reads one request's tray; dropping it takes the tray away.
pub(super) struct Reading {
    desk: Arc<Desk>,
    id: [u8; 32],
    steps: mpsc::Receiver<Said>,
}

// === impl Desk ===

impl Desk {
    /// A tray for a request that goes out.
    pub(super) fn open(self: &Arc<Self>, id: [u8; 32]) -> Reading {
        let (sender, steps) = mpsc::channel(MAX_STEPS);
        self.trays().insert(id, sender);
        Reading {
            desk: Arc::clone(self),
            id,
            steps,
        }
    }

    /// Puts a step where it belongs. What belongs nowhere (any more) is late or made up, and is ignored.
    pub(super) fn put(&self, id: [u8; 32], said: Said) {
        let mut trays = self.trays();
        let Some(tray) = trays.get(&id) else {
            tracing::debug!("an answer to no open request is ignored");
            return;
        };
        let bytes = said.bytes();
        let waiting = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        // Whoever reads it is too slow for a peer that cannot be slowed. (It cannot be gone: it takes its tray away first.)
        let is_full = waiting.saturating_add(bytes) > MAX_WAITING;
        if is_full || tray.try_send(said).is_err() {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            // The reader finds the end of the tray after what it holds.
            trays.remove(&id);
        }
    }

    /// Nothing more will come: every reader finds the end of its tray.
    pub(super) fn clear(&self) {
        self.trays().clear();
    }

    fn trays(&self) -> MutexGuard<'_, HashMap<[u8; 32], mpsc::Sender<Said>>> {
        self.trays.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Reading ===

impl Reading {
    /// The next step; nothing when there will be none. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Said> {
        let said = self.steps.recv().await?;
        self.desk.waiting.fetch_sub(said.bytes(), Ordering::Relaxed);
        Some(said)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.desk.trays().remove(&self.id);
        while let Ok(unread) = self.steps.try_recv() {
            self.desk.waiting.fetch_sub(unread.bytes(), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
