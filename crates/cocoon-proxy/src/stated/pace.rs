//! How often one worker may have something verified.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// At most so many in [`WITHIN`]. A worker states something new when half of an hour is over, and with each sealing key (every
/// five minutes); a flood costs a verification of some milliseconds every 15 s, and no memory: only the last one waits.
const AT_MOST: usize = 4;
const WITHIN: Duration = Duration::from_secs(60);

/// The last verifications.
#[derive(Debug, Default)]
pub(super) struct Pace(VecDeque<Instant>);

// === impl Pace ===

impl Pace {
    /// When the next one may begin.
    pub(super) fn next(&self) -> Option<Instant> {
        let oldest = self.0.front().filter(|_| self.0.len() >= AT_MOST);
        oldest.map(|oldest| *oldest + WITHIN)
    }

    /// One begins.
    pub(super) fn began(&mut self, now: Instant) {
        self.0.push_back(now);
        if self.0.len() > AT_MOST {
            self.0.pop_front();
        }
    }
}
