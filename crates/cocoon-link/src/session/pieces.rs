use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Pieces below this size are copied together when the application is behind. A piece keeps the buffer alive that it was
/// read into (32 KiB, shared with its neighbours), so a waiting queue holds at most about twice what it counts.
const SMALL: usize = 16 * 1024;

/// Bytes that have come and were not taken yet. Piece boundaries do not matter, so small ones are joined.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    queue: VecDeque<Bytes>,
    tail: BytesMut,
}

// === impl Pieces ===

impl Pieces {
    pub(super) fn push(&mut self, piece: Bytes) {
        let is_idle = self.queue.is_empty() && self.tail.is_empty();
        if piece.len() < SMALL && !is_idle {
            self.tail.extend_from_slice(&piece);
            return;
        }
        if !self.tail.is_empty() {
            self.queue.push_back(self.tail.split().freeze());
        }
        self.queue.push_back(piece);
    }

    pub(super) fn pop(&mut self) -> Option<Bytes> {
        if let Some(piece) = self.queue.pop_front() {
            return Some(piece);
        }
        // Takes the buffer along, so that nothing is copied and an idle stream holds no memory.
        let tail = std::mem::take(&mut self.tail);
        (!tail.is_empty()).then(|| tail.freeze())
    }

    /// Bytes of memory, the buffers that pieces share counted for each of them.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn held_bytes(&self) -> usize {
        let shared = self.queue.iter().map(|piece| piece.len().max(32 * 1024));
        shared.sum::<usize>() + self.tail.capacity()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
