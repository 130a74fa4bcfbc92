//! What a worker did that it should not have; it lowers its weight in offers, and fades.

use std::sync::atomic::{AtomicU32, Ordering};

/// Counts of one worker, for as long as its link lives.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// Faded: a quarter goes with every offer list.
    recent: AtomicU32,
    /// Clients that disagreed with its receipts.
    disputes: AtomicU32,
    /// Everything that was counted.
    all: AtomicU32,
}

/// Each fault costs as much as a price twice as high would, until it fades; past this it makes no difference.
const MAX_RECENT: u32 = 64;

// === impl Record ===

impl Record {
    /// It failed a request, or billed what it may not.
    pub(crate) fn fault(&self) {
        self.all.fetch_add(1, Ordering::Relaxed);
        let more = |recent: u32| (recent < MAX_RECENT).then_some(recent + 1);
        // Full is full.
        let _ = self
            .recent
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    /// A client disagrees with its receipt.
    pub(crate) fn dispute(&self) {
        self.disputes.fetch_add(1, Ordering::Relaxed);
        self.fault();
    }

    pub(crate) fn recent(&self) -> u32 {
        self.recent.load(Ordering::Relaxed)
    }

    pub(crate) fn disputes(&self) -> u32 {
        self.disputes.load(Ordering::Relaxed)
    }

    pub(crate) fn faults(&self) -> u32 {
        self.all.load(Ordering::Relaxed)
    }

    /// An epoch has passed.
    pub(super) fn fade(&self) {
        let less = |recent: u32| Some(recent - recent.div_ceil(4));
        let _ = self
            .recent
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_bounded_and_fade() {
        let record = Record::default();
        for _ in 0..1000 {
            record.dispute();
        }
        assert_eq!(
            (record.recent(), record.disputes(), record.faults()),
            (64, 1000, 1000)
        );
        for _ in 0..20 {
            record.fade();
        }
        assert_eq!((record.recent(), record.faults()), (0, 1000));
    }
}
