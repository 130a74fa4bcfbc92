//! A worker's view of its account at one proxy (spec/ton.md 5.4, 5.5).

use cocoon_types::Nanoton;

use super::{Lie, Pushed, ToldLevels, answer, greet, push};
use crate::{
    levels::Levels,
    terms::{Status, Terms, WorkerState},
};

/// When a worker takes its pay by itself, beside what the proxy sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerPolicy {
    /// So much is due.
    pub payout_at: Nanoton,
    /// So much is due, and the worker has nothing to do.
    pub idle_at: Nanoton,
    /// So much is due under terms that are out of date; less is not worth its gas and is left.
    pub outdated_at: Nanoton,
}

/// What a worker knows of its account at one proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerView {
    terms: Terms,
    /// The most that was told, over all links.
    heard: Levels,
    contract: WorkerState,
    /// The proxy's count before this link, and what was served to the end on it.
    before: Option<u64>,
    earned: u64,
    outdated_since: Option<u64>,
    lie: Option<Lie>,
}

const TON: u64 = 1_000_000_000;

impl Default for WorkerPolicy {
    /// The original's thresholds (spec/ton.md 5.5), in money, where the original compares tokens.
    fn default() -> Self {
        Self {
            payout_at: Nanoton::new(10 * TON),
            idle_at: Nanoton::new(TON / 5),
            outdated_at: Nanoton::new(TON / 100),
        }
    }
}

// === impl WorkerView ===

impl WorkerView {
    /// An account that nothing is known of but its terms.
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            heard: Levels::default(),
            contract: WorkerState::default(),
            before: None,
            earned: 0,
            outdated_since: None,
            lie: None,
        }
    }

    /// With the levels that were on disk: what this proxy has signed and told before.
    #[must_use]
    pub fn remembering(mut self, levels: Levels) -> Self {
        self.heard = levels;
        self
    }

    /// The terms of its contract.
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The levels as the proxy told them, which are what it is compared with; `chain` is the best payment at hand.
    pub const fn levels(&self) -> Levels {
        self.heard
    }

    /// The contract's state as last read.
    pub const fn contract(&self) -> WorkerState {
        self.contract
    }

    /// What the proxy said that cannot be true.
    pub const fn lie(&self) -> Option<Lie> {
        self.lie
    }

    /// The worker's contract was read.
    pub fn contract_read(&mut self, state: WorkerState) {
        self.contract = state;
    }

    /// The proxy answered the comparison of balances when a link opened; `asked` are the levels that were known when it was asked.
    /// It must have signed, be it for nothing. Gives what the pushes of this link are held against.
    ///
    /// # Errors
    /// [`Lie`], which is remembered.
    pub fn greeted(&mut self, asked: Levels, told: ToldLevels) -> Result<Pushed, Lie> {
        let checked = match told.signed {
            None => Err(Lie::Unsigned),
            Some(_) => greet(&mut self.heard, asked, told),
        };
        if checked.is_ok() {
            self.before = Some(told.memory);
            self.earned = 0;
        }
        self.remember(checked)
    }

    /// The proxy told its levels on an open link, after `before`.
    ///
    /// # Errors
    /// [`Lie`], which is remembered.
    pub fn pushed(&mut self, before: &mut Pushed, told: ToldLevels) -> Result<(), Lie> {
        let checked = push(&mut self.heard, before, told);
        self.remember(checked)
    }

    /// The proxy answered a question for its levels; `asked` are those that were known when it was asked.
    ///
    /// # Errors
    /// [`Lie`], which is remembered.
    pub fn answered(&mut self, asked: Levels, told: ToldLevels) -> Result<(), Lie> {
        let checked = answer(&mut self.heard, asked, told);
        self.remember(checked)
    }

    fn remember<T>(&mut self, checked: Result<T, Lie>) -> Result<T, Lie> {
        self.lie = checked.as_ref().err().copied().or(self.lie);
        checked
    }

    /// A request was served to the end, for so many adjusted tokens.
    pub fn served(&mut self, tokens: u64) {
        self.earned = self.earned.saturating_add(tokens);
    }

    /// Whether the proxy's count holds everything that was served. Only of use when no request is open and the pushes
    /// have come: a few seconds after the last one.
    ///
    /// # Errors
    /// [`Lie::Underpaid`], which is remembered.
    pub fn balanced(&mut self) -> Result<(), Lie> {
        let Some(before) = self.before else {
            return Ok(());
        };
        let (told, least) = (self.heard.memory, before.saturating_add(self.earned));
        if told >= least {
            return Ok(());
        }
        let lie = Lie::Underpaid { told, least };
        self.lie = Some(lie);
        Err(lie)
    }

    /// What is earned in all, what of it is signed, and what of that is paid, in nanoTON; `None` when it overflows.
    pub fn earnings(&self) -> Option<[Nanoton; 3]> {
        let sum = |tokens| self.terms.prices.earnings(tokens).ok();
        Some([
            sum(self.heard.memory)?,
            sum(self.heard.chain)?,
            sum(self.contract.tokens)?,
        ])
    }

    /// The network has other terms since then.
    pub fn outdated(&mut self, since: u64) {
        self.outdated_since.get_or_insert(since);
    }

    /// The count of the payment to submit now, if any. The caller sends one at a time, and asks again when the contract
    /// shows it.
    pub fn due(&self, policy: &WorkerPolicy, is_idle: bool, now: u64) -> Option<u64> {
        if self.contract.status == Status::Closed {
            return None;
        }
        let tokens = self.heard.chain.checked_sub(self.contract.tokens)?;
        let sum = self
            .terms
            .prices
            .earnings(tokens)
            .unwrap_or(Nanoton::new(u64::MAX));
        let patience = u64::from(self.terms.client_delay / 2);
        let is_over = |since: u64| now >= since.saturating_add(patience);
        let is_due = sum >= policy.payout_at
            || (is_idle && sum >= policy.idle_at)
            || (self.outdated_since.is_some_and(is_over) && sum >= policy.outdated_at);
        (tokens > 0 && is_due).then_some(self.heard.chain)
    }
}
