use std::{fmt, sync::Arc};

use cocoon_matching::{Choice, WorkerId};

use super::{Board, Place};

/// A place at a worker, taken for one attempt. Dropping it frees the place.
pub(crate) struct Slot<P: Clone> {
    board: Arc<Board<P>>,
    worker: WorkerId,
    peer: P,
    choice: Choice,
}

// === impl Slot ===

impl<P: Clone> Slot<P> {
    pub(super) fn new(board: Arc<Board<P>>, place: Place<P>) -> Self {
        Self {
            board,
            worker: place.worker,
            peer: place.peer,
            choice: place.choice,
        }
    }

    pub(crate) fn worker(&self) -> WorkerId {
        self.worker
    }

    pub(crate) fn peer(&self) -> &P {
        &self.peer
    }

    /// Price and tier as they were when the place was given.
    pub(crate) fn choice(&self) -> &Choice {
        &self.choice
    }
}

impl<P: Clone> Drop for Slot<P> {
    fn drop(&mut self) {
        self.board.finish(self.worker);
    }
}

impl<P: Clone> fmt::Debug for Slot<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("choice", &self.choice)
            .finish_non_exhaustive()
    }
}
