use std::time::Duration;

use tokio::time::Instant;

/// When to dial again: 0.25 s doubling to 10 s, with full jitter, starting over after a link that lived for 30 s.
#[derive(Debug)]
pub struct Redial {
    limit: Duration,
    up_since: Option<Instant>,
}

impl Redial {
    /// First upper limit of the wait.
    pub const FIRST: Duration = Duration::from_millis(250);
    /// Last upper limit of the wait. The original retries within 0 to 10 s (spec/network.md 1.7).
    pub const LAST: Duration = Duration::from_secs(10);
    /// A link that lived this long was a good one.
    pub const GOOD_LIFE: Duration = Duration::from_secs(30);

    /// A schedule at its start.
    pub const fn new() -> Self {
        Self {
            limit: Self::FIRST,
            up_since: None,
        }
    }

    /// A link has come up.
    pub fn up(&mut self) {
        self.up_since = Some(Instant::now());
    }

    /// Waits before the next attempt; called after a dial that failed or a link that ended.
    pub async fn wait(&mut self) {
        let delay = self.delay(fastrand::f64());
        tokio::time::sleep(delay).await;
    }

    /// The next wait, as the part `jitter` (0 to 1) of the present limit.
    fn delay(&mut self, jitter: f64) -> Duration {
        if self
            .up_since
            .take()
            .is_some_and(|since| since.elapsed() >= Self::GOOD_LIFE)
        {
            self.limit = Self::FIRST;
        }
        let delay = self.limit.mul_f64(jitter);
        self.limit = (self.limit * 2).min(Self::LAST);
        delay
    }
}

impl Default for Redial {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
