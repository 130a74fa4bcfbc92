//! When a proxy commits and settles by itself.

use cocoon_types::Nanoton;

/// When and how a proxy commits to the chain, charges and pays out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// A commit is due as soon as so much is not secured by one.
    pub commit_sum: Nanoton,
    /// A commit is due when something has waited for one so long, in seconds.
    pub commit_age: u64,
    /// An outstanding commit that was not seen is sent again after so many seconds.
    pub commit_retry: u64,
    /// New requests wait, and are then refused, while more than this is not secured: what a chain that stalls may cost.
    pub unsecured_limit: Nanoton,
    /// What makes charges and payouts due.
    pub settle: When,
    /// With [`When::Threshold`]: a client owes this much, or half its stake if that is less.
    pub charge_at: Nanoton,
    /// With [`When::Threshold`]: a worker has earned this much.
    pub payout_at: Nanoton,
    /// The owner's share in the contract is withdrawn from this much on.
    pub withdraw_at: Nanoton,
    /// A settlement whose target does not show it after so many seconds has failed and is tried again.
    pub settlement_timeout: u64,
    /// Settlements that are under way at once: four to an external message, a few messages deep.
    pub in_flight: usize,
}

/// What makes charges and payouts due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// A person's word.
    Manual,
    /// Every request: for shows and tests, since each settlement costs gas.
    Each,
    /// The thresholds of the policy.
    Threshold,
    /// So many seconds since the last time.
    Every(u64),
}

const TON: u64 = 1_000_000_000;

impl Default for Policy {
    /// Sized so that gas is about a hundredth of what it secures: a commit costs some 0.004 TON, a settlement 0.01.
    fn default() -> Self {
        Self {
            commit_sum: Nanoton::new(TON / 5),
            commit_age: 300,
            commit_retry: 180,
            unsecured_limit: Nanoton::new(5 * TON),
            settle: When::Threshold,
            charge_at: Nanoton::new(TON),
            payout_at: Nanoton::new(2 * TON),
            withdraw_at: Nanoton::new(10 * TON),
            settlement_timeout: 300,
            in_flight: 16,
        }
    }
}
