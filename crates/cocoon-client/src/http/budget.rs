use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of bodies and answers that the gateway holds at once, for all requests together. Cheap to clone.
///
/// Without it 8192 connections times 16 MiB would be 128 GiB.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<Semaphore>);

/// One holder's part of the budget, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    budget: Budget,
    permit: Option<OwnedSemaphorePermit>,
}

/// What is counted at once, in bytes: a page, the least that a body costs.
const UNIT: usize = 4096;

// === impl Budget ===

impl Budget {
    /// The default, in bytes: 16 of the largest bodies, or thousands of usual ones.
    pub(crate) const DEFAULT: usize = 256 * 1024 * 1024;

    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / UNIT)))
    }

    /// Nothing yet.
    pub(crate) fn hold(&self) -> Hold {
        Hold {
            budget: self.clone(),
            permit: None,
        }
    }
}

// === impl Hold ===

impl Hold {
    /// Grows to cover `bytes`; says whether the budget allowed it.
    #[must_use]
    pub(crate) fn cover(&mut self, bytes: usize) -> bool {
        let held = self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let Some(more) = bytes.div_ceil(UNIT).checked_sub(held).filter(|more| *more > 0) else {
            return true;
        };
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let Ok(permit) = Arc::clone(&self.budget.0).try_acquire_many_owned(more) else {
            return false;
        };
        match &mut self.permit {
            Some(held) => held.merge(permit),
            held => *held = Some(permit),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, UNIT};

    #[test]
    fn what_is_held_is_given_back() {
        let budget = Budget::new(10 * UNIT);
        let mut one = budget.hold();
        assert!(one.cover(1) && one.cover(UNIT) && one.cover(6 * UNIT - 1));
        let mut two = budget.hold();
        assert!(!two.cover(5 * UNIT));
        assert!(two.cover(4 * UNIT));
        drop(one);
        assert!(two.cover(10 * UNIT) && !two.cover(10 * UNIT + 1));
    }
}
