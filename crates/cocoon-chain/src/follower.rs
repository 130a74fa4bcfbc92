//! Following one account: every transaction, oldest first, once each.

use std::{collections::VecDeque, fmt, sync::Arc, time::Duration};

use cocoon_types::Address;
use tokio::time::{Instant, sleep};

use crate::{
    backoff::Backoff,
    chain::{Account, At, Chain, ChainError, Transaction},
};

/// Follows one account from a logical time on. It polls when it is asked ([`Follower::next`]) and has no task.
///
/// The caller keeps the logical time of the last transaction that it dealt with, and starts there after a restart.
/// Transactions are delivered whether they succeeded or not (spec/ton.md 1.4 item 10).
pub struct Follower {
    chain: Arc<dyn Chain>,
    address: Address,
    poll: Duration,
    /// Logical time of the last transaction that was delivered.
    delivered: u64,
    /// Oldest first; all above `delivered`.
    ready: VecDeque<Transaction>,
    /// The state to be delivered after `ready`.
    state: Option<Account>,
    /// The state that was delivered last.
    shown: Option<Account>,
    backoff: Backoff,
    contact: Instant,
    is_due: bool,
    is_behind: bool,
}

/// What a follower delivers.
#[derive(Clone, Debug, PartialEq)]
pub enum Followed {
    /// The next transaction.
    Transaction(Transaction),
    /// The account's state: all transactions up to it have been delivered. Comes once at the start and after each change.
    State(Account),
}

/// Transactions in memory. A longer gap is walked several times, each time keeping the oldest that are left.
const MAX_READY: usize = 2048;
/// Transactions that are read at once.
const PAGE: usize = 64;

// === impl Follower ===

impl Follower {
    /// Follows `address`, beginning after the transaction with logical time `after`; 0 means from the first.
    pub fn new(chain: Arc<dyn Chain>, address: Address, after: u64, poll: Duration) -> Self {
        Self {
            chain,
            address,
            poll,
            delivered: after,
            ready: VecDeque::new(),
            state: None,
            shown: None,
            backoff: Backoff::new(poll),
            contact: Instant::now(),
            is_due: true,
            is_behind: false,
        }
    }

    /// The next event. Waits as long as there is none, over any number of failures of the chain.
    ///
    /// Cancel-safe: an event that was not returned comes with the next call.
    pub async fn next(&mut self) -> Followed {
        loop {
            if let Some(transaction) = self.ready.pop_front() {
                self.delivered = transaction.id.lt;
                return Followed::Transaction(transaction);
            }
            if let Some(state) = self.state.take() {
                self.shown = Some(state.clone());
                return Followed::State(state);
            }
            if !self.is_due {
                sleep(self.poll).await;
                self.is_due = true;
            }
            match self.look().await {
                Ok(()) => {
                    self.backoff.reset();
                    self.contact = Instant::now();
                    // What was found is delivered first; a gap that was too long is walked again at once.
                    self.is_due = !self.ready.is_empty() && self.state.is_none();
                }
                Err(error) => {
                    tracing::warn!(%error, "an account cannot be followed for the moment");
                    self.backoff.wait().await;
                }
            }
        }
    }

    /// How long ago the chain answered.
    pub fn silence(&self) -> Duration {
        self.contact.elapsed()
    }

    /// Logical time of the last transaction that was delivered.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Fills `ready`, and `state` if `ready` reaches up to it.
    async fn look(&mut self) -> Result<(), ChainError> {
        let account = self.chain.account(self.address, At::Latest).await?;
        let last = account.last.map_or(0, |last| last.lt);
        if last < self.delivered {
            // A server that lags, and another one next time; or another chain, which the caller's own checks tell.
            if !self.is_behind {
                tracing::warn!(
                    last,
                    delivered = self.delivered,
                    "the chain is behind what was delivered before"
                );
            }
            self.is_behind = true;
            return Ok(());
        }
        self.is_behind = false;
        let (mut found, mut is_complete) = (VecDeque::new(), true);
        let mut next = account.last.filter(|last| last.lt > self.delivered);
        while let Some(newest) = next {
            let page = self
                .chain
                .transactions(self.address, newest, self.delivered, PAGE)
                .await?;
            let oldest = page
                .last()
                .ok_or_else(|| ChainError::Invalid("an empty page of transactions".into()))?;
            next = oldest.prev.filter(|prev| prev.lt > self.delivered);
            for transaction in page {
                found.push_front(transaction);
                if found.len() > MAX_READY {
                    found.pop_back();
                    is_complete = false;
                }
            }
        }
        self.ready = found;
        let is_news = self.shown.as_ref().is_none_or(|shown| differ(shown, &account));
        self.state = Some(account).filter(|_| is_complete && is_news);
        Ok(())
    }
}

/// Whether anything but the block has changed. Without a transaction nothing can.
fn differ(shown: &Account, account: &Account) -> bool {
    shown.last != account.last || shown.status != account.status
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower")
            .field("address", &self.address)
            .field("delivered", &self.delivered)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
