use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Pieces below this size are copied together when the application is behind. A piece keeps the buffer alive that it was
/// read into (32 KiB, shared with its neighbours), so a waiting queue holds at most about twice what it counts.
const SMALL: usize = 16 * 1024;

/// Bytes that have come and were not taken yet. Small pieces are joined in memory; where boundaries matter, they come out as
/// they went in.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    queue: VecDeque<Bytes>,
    tail: BytesMut,
    /// Lengths of the pieces in queue and tail, where boundaries matter. No piece is cut between two of the queue.
    lengths: Option<VecDeque<u32>>,
}

// === impl Pieces ===

impl Pieces {
    /// None yet, of a stream whose boundaries are to be kept.
    pub(super) fn bounded() -> Self {
        Self {
            lengths: Some(VecDeque::new()),
            ..Self::default()
        }
    }

    pub(super) fn push(&mut self, piece: Bytes) {
        if let Some(lengths) = &mut self.lengths {
            // Far below: MAX_PIECE.
            lengths.push_back(u32::try_from(piece.len()).unwrap_or(u32::MAX));
        }
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
        let Some(lengths) = &mut self.lengths else {
            return self.pop_any();
        };
        let length = lengths.pop_front()? as usize;
        let mut joined = self.pop_any()?;
        let piece = joined.split_to(length.min(joined.len()));
        if !joined.is_empty() {
            self.queue.push_front(joined);
        }
        Some(piece)
    }

    fn pop_any(&mut self) -> Option<Bytes> {
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
        let lengths = self.lengths.as_ref().map_or(0, VecDeque::capacity);
        shared.sum::<usize>() + self.tail.capacity() + 4 * lengths
    }

    pub(super) fn clear(&mut self) {
        let lengths = self.lengths.is_some().then(VecDeque::new);
        *self = Self {
            lengths,
            ..Self::default()
        };
    }
}
