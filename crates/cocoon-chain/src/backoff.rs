//! Waiting longer after each failure.

use std::time::Duration;

use tokio::time::sleep;

/// Exponential, with jitter, so that nodes that lost a chain together do not come back together.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    next: Duration,
}

/// Longest rest: a chain that is back is noticed within this.
const LONGEST: Duration = Duration::from_secs(10);

impl Backoff {
    pub(crate) fn new(first: Duration) -> Self {
        let first = first.clamp(Duration::from_millis(10), LONGEST);
        Self { first, next: first }
    }

    /// After a success.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }

    pub(crate) async fn wait(&mut self) {
        let rest = self.next;
        self.next = (rest * 2).min(LONGEST);
        sleep(rest.mul_f64(0.5 + 0.5 * fastrand::f64())).await;
    }
}
