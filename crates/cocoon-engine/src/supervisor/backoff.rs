use std::time::Duration;

/// Growing pauses between starts: 0.25 s doubling to 10 s, each drawn from the upper half of its step, so that
/// several engines on one machine do not load their models at the same moment.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(10);

/// An engine that served this long has not failed to start.
pub(super) const GOOD_LIFE: Duration = Duration::from_secs(30);

impl Backoff {
    /// Notes a life of this length and gives the pause before the next.
    pub(super) fn after(&mut self, life: Duration) -> Duration {
        if life >= GOOD_LIFE {
            self.failures = 0;
        }
        let step = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        step.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Backoff, GOOD_LIFE};

    #[test]
    fn pauses_grow_to_a_limit_and_a_good_life_forgives() {
        let mut backoff = Backoff::default();
        let pauses: Vec<Duration> = (0..40).map(|_| backoff.after(Duration::ZERO)).collect();
        assert!(pauses[0] <= Duration::from_millis(250) && pauses[0] >= Duration::from_millis(125));
        assert!(
            pauses[30..]
                .iter()
                .all(|pause| (5..=10).contains(&pause.as_secs()))
        );
        assert_eq!(backoff.failures(), 40);
        assert!(backoff.after(GOOD_LIFE) <= Duration::from_millis(250));
        assert_eq!(backoff.failures(), 1);
    }
}
