//! The node's clock against the chain's: the host controls the first one, and dates decide what evidence holds.
//!
//! A block's time is never ahead of the real time, so a clock that is behind the newest block is wrong, whenever that block was
//! made. That a clock is ahead shows only in a block that was made while we looked: a chain that makes blocks on demand, or
//! stands still, has an old head and says nothing about anybody's clock. Between two blocks the monotonic clock, which nobody
//! sets, carries on what the last one said.

use std::fmt;
use std::time::Duration;

use cocoon_chain::Head;
use tokio::time::Instant;

/// How far a clock may be from the chain's.
pub const TOLERANCE: Duration = Duration::from_secs(30);

/// After this time without a block nothing new is said about a clock that was right: a machine that slept meanwhile has a
/// monotonic clock that did not go on.
const FRESH: Duration = Duration::from_secs(120);

/// Compares a clock with the chain's head.
#[derive(Debug, Default)]
pub struct ClockWatch {
    anchor: Option<Anchor>,
    looked: Option<Instant>,
    fault: Option<ClockFault>,
}

/// Why a node must not serve: its clock, by the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockFault {
    /// Whether it is ahead of the chain's clock; behind it otherwise.
    pub is_ahead: bool,
    /// By so many seconds at least.
    pub seconds: u64,
}

/// What the newest block says.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    seqno: u32,
    /// Its time, in Unix seconds.
    time: u64,
    /// When it was seen first.
    seen: Instant,
    /// At most so long before it was seen it was made; nothing, if nobody looked before.
    within: Option<Duration>,
}

// === impl ClockWatch ===

impl ClockWatch {
    /// Takes the chain's head as it is at this moment, and judges the clock that shows `clock`.
    pub fn look(&mut self, head: Head, clock: u64, now: Instant) -> Option<ClockFault> {
        let is_new = self.anchor.is_none_or(|anchor| head.seqno > anchor.seqno);
        // A block's time never falls; a server that shows an older one is behind.
        if is_new && self.anchor.is_none_or(|anchor| head.time >= anchor.time) {
            self.anchor = Some(Anchor {
                seqno: head.seqno,
                time: head.time,
                seen: now,
                within: self.looked.map(|looked| now.duration_since(looked)),
            });
        }
        self.looked = Some(now);
        self.judge(clock, now)
    }

    /// Judges the clock by what is known, when the chain does not answer.
    pub fn judge(&mut self, clock: u64, now: Instant) -> Option<ClockFault> {
        let anchor = self.anchor?;
        let passed = now.duration_since(anchor.seen);
        let least = anchor.time.saturating_add(passed.as_secs());
        let tolerance = TOLERANCE.as_secs();
        self.fault = if clock.saturating_add(tolerance) < least {
            Some(ClockFault {
                is_ahead: false,
                seconds: least.saturating_sub(clock),
            })
        } else {
            // Who was found ahead stays so until the clock agrees with the same block, or with a new one.
            let counts = passed <= FRESH || self.fault.is_some();
            let most = anchor.within.filter(|_| counts).map(|within| {
                // A second for each of the three that is rounded down.
                least.saturating_add(within.as_secs()).saturating_add(3)
            });
            most.filter(|most| clock > most.saturating_add(tolerance))
                .map(|most| ClockFault {
                    is_ahead: true,
                    seconds: clock.saturating_sub(most),
                })
        };
        self.fault
    }
}

impl fmt::Display for ClockFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let where_ = if self.is_ahead { "ahead of" } else { "behind" };
        write!(
            f,
            "this node's clock is {} s {where_} the chain's (at most {} s are allowed)",
            self.seconds,
            TOLERANCE.as_secs()
        )
    }
}

#[cfg(test)]
mod tests;
