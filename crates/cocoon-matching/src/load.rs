use std::{cmp::Ordering, fmt, num::NonZeroU32};

/// How busy a worker is, relative to what it can do: running requests over capacity.
///
/// Compared as a fraction, without floating point: 1/2 equals 2/4.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    running: u32,
    capacity: NonZeroU32,
}

// === impl Load ===

impl Load {
    /// This many requests running where this many may.
    pub const fn new(running: u32, capacity: NonZeroU32) -> Self {
        Self { running, capacity }
    }

    /// Requests that run.
    pub const fn running(self) -> u32 {
        self.running
    }

    /// Requests that may run at once.
    pub const fn capacity(self) -> u32 {
        self.capacity.get()
    }

    /// Whether no further request fits.
    pub const fn is_full(self) -> bool {
        self.running >= self.capacity.get()
    }
}

impl Ord for Load {
    fn cmp(&self, other: &Self) -> Ordering {
        let ours = u64::from(self.running) * u64::from(other.capacity.get());
        let theirs = u64::from(other.running) * u64::from(self.capacity.get());
        ours.cmp(&theirs)
    }
}

impl PartialOrd for Load {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Load {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Load {}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.running, self.capacity)
    }
}
