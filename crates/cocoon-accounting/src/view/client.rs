//! A client's view of its account at one proxy (spec/ton.md 5.2, 5.3, 5.6).

use cocoon_types::Nanoton;

use super::{Lie, Pushed, ToldLevels, answer, greet, push};
use crate::{
    levels::Levels,
    terms::{ClientState, Status, Terms},
};

/// How a client keeps its account at a proxy. The sum there is what a stolen proxy key could take: keep it small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientPolicy {
    /// How much a top-up pays in; the stake where it is `None`.
    pub top_up: Option<Nanoton>,
    /// Top up by itself, when less than half of that is left.
    pub auto_top_up: bool,
}

/// Something for the client to send to its contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAction {
    /// Pay in this much.
    TopUp(Nanoton),
    /// Submit the signed payment itself: what the proxy may take is used up by what it has not charged.
    Charge {
        /// The payment's count.
        tokens: u64,
    },
    /// Raise the stake to this: so much may be owed until the proxy charges, so it bounds how fast one can ask.
    IncreaseStake(Nanoton),
    /// Take out what is above the stake.
    Withdraw,
    /// Ask the contract for the refund: the first time it starts the delay, the second time, after the delay, it forces
    /// the refund out of the proxy's stake.
    RequestRefund,
}

/// What a client knows of its account at one proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientView {
    terms: Terms,
    contract: Option<(ClientState, u32)>,
    /// The most that was told, over all links.
    heard: Levels,
    /// What the requests so far can have cost; `None` before the proxy first told its levels.
    most: Option<u64>,
    outdated_since: Option<u64>,
    wants_close: bool,
    wants_withdraw: bool,
    lie: Option<Lie>,
}

impl Default for ClientPolicy {
    fn default() -> Self {
        Self {
            top_up: None,
            auto_top_up: true,
        }
    }
}

// === impl ClientView ===

impl ClientView {
    /// An account that nothing is known of but its terms.
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            contract: None,
            heard: Levels::default(),
            most: None,
            outdated_since: None,
            wants_close: false,
            wants_withdraw: false,
            lie: None,
        }
    }

    /// With the levels that were on disk: what this proxy has signed and told before.
    #[must_use]
    pub fn remembering(mut self, levels: Levels) -> Self {
        self.heard = levels;
        self.most = Some(levels.memory);
        self
    }

    /// The terms of its contract.
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The levels as the proxy told them; `chain` is the best signed payment at hand.
    pub const fn levels(&self) -> Levels {
        self.heard
    }

    /// The contract's state as last read, and when its refund can be forced (0 while it is open).
    pub const fn contract(&self) -> Option<(ClientState, u32)> {
        self.contract
    }

    /// What the proxy said that cannot be true.
    pub const fn lie(&self) -> Option<Lie> {
        self.lie
    }

    /// The client's contract was read.
    pub fn contract_read(&mut self, state: ClientState, unlock_at: u32) {
        if state.status == Status::Closed {
            self.wants_close = false;
        }
        if state.balance <= state.stake {
            self.wants_withdraw = false;
        }
        self.contract = Some((state, unlock_at));
    }

    /// The proxy told its levels when a link opened; `asked` are those that were known when it was asked. Gives what the pushes of
    /// this link are held against.
    ///
    /// # Errors
    /// [`Lie`], which is remembered.
    pub fn greeted(&mut self, asked: Levels, told: ToldLevels) -> Result<Pushed, Lie> {
        self.told(told, |heard, told| greet(heard, asked, told))
    }

    /// The proxy told its levels on an open link, after `before`.
    ///
    /// # Errors
    /// [`Lie`], which is remembered.
    pub fn pushed(&mut self, before: &mut Pushed, told: ToldLevels) -> Result<(), Lie> {
        self.told(told, |heard, told| push(heard, before, told))
    }

    /// The proxy answered a question for its levels; `asked` are those that were known when it was asked.
    ///
    /// # Errors
    /// [`Lie`], which is remembered.
    pub fn answered(&mut self, asked: Levels, told: ToldLevels) -> Result<(), Lie> {
        self.told(told, |heard, told| answer(heard, asked, told))
    }

    fn told<T>(
        &mut self,
        told: ToldLevels,
        check: impl FnOnce(&mut Levels, ToldLevels) -> Result<T, Lie>,
    ) -> Result<T, Lie> {
        let most = *self.most.get_or_insert(told.memory);
        let checked = if told.memory > most {
            Err(Lie::Overcharged {
                told: told.memory,
                most,
            })
        } else {
            check(&mut self.heard, told)
        };
        self.lie = checked.as_ref().err().copied().or(self.lie);
        checked
    }

    /// A request goes out that may cost so many adjusted tokens.
    pub fn opened(&mut self, worst: u64) {
        self.most = self.most.map(|most| most.saturating_add(worst));
    }

    /// A request ended with a receipt over so many adjusted tokens (none if it was refused before any answer), where
    /// `worst` were feared. One that ends without a word is not told here: it may still be charged.
    pub fn receipted(&mut self, worst: u64, tokens: u64) {
        let saved = worst.saturating_sub(tokens);
        self.most = self.most.map(|most| most.saturating_sub(saved));
    }

    /// Adjusted tokens that may still be used; `None` where they cost nothing (spec/ton.md 5.3).
    pub fn available(&self) -> Option<u64> {
        let price = self.terms.prices.price();
        let (state, _) = self.contract.unwrap_or_default();
        let paid = state.balance.checked_div(price)?;
        let stake = state.stake.checked_div(price)?;
        let limit = state.tokens.saturating_add(paid.min(stake));
        Some(limit.saturating_sub(self.heard.memory))
    }

    /// What is owed and not charged yet, in adjusted tokens.
    pub fn uncharged(&self) -> u64 {
        let charged = self.contract.map_or(0, |(state, _)| state.tokens);
        self.heard.memory.saturating_sub(charged)
    }

    /// The network has other terms since then: the account here is to be closed.
    pub fn outdated(&mut self, since: u64) {
        self.outdated_since.get_or_insert(since);
    }

    /// The person wants everything back.
    pub fn close(&mut self) {
        self.wants_close = true;
    }

    /// The person wants back what is above the stake.
    pub fn withdraw(&mut self) {
        self.wants_withdraw = true;
    }

    /// What to send now, if anything. The caller sends one at a time, and asks again when the contract shows it.
    pub fn due(&self, policy: &ClientPolicy, now: u64) -> Option<ClientAction> {
        let (state, unlock_at) = self.contract?;
        match state.status {
            Status::Closed => return None,
            Status::Closing => {
                return (now > u64::from(unlock_at)).then_some(ClientAction::RequestRefund);
            }
            Status::Open => {}
        }
        if self.wants_close
            || self
                .outdated_since
                .is_some_and(|since| now >= self.patience(since))
        {
            return Some(ClientAction::RequestRefund);
        }
        let price = self.terms.prices.price();
        if price == Nanoton::ZERO || self.outdated_since.is_some() {
            return None;
        }
        if self.wants_withdraw && state.balance > state.stake {
            return Some(ClientAction::Withdraw);
        }
        // A proxy that lied gets no more money.
        let amount = policy.top_up.unwrap_or(state.stake);
        if policy.auto_top_up && self.lie.is_none() && state.balance.nano() < amount.nano() / 2 {
            let whole = amount.nano().checked_rem(price.nano())?;
            let amount = amount.saturating_sub(Nanoton::new(whole));
            return (amount > Nanoton::ZERO).then_some(ClientAction::TopUp(amount));
        }
        // Who pays in much at a time asks much at a time.
        let stake = Nanoton::new(policy.top_up.unwrap_or_default().nano() / 2);
        if self.lie.is_none() && state.stake < stake && stake <= state.balance {
            return Some(ClientAction::IncreaseStake(stake));
        }
        let half = state.stake.checked_div(price)? / 2;
        let is_stuck = self.heard.memory > state.tokens.saturating_add(half);
        (is_stuck && self.heard.chain > state.tokens).then_some(ClientAction::Charge {
            tokens: self.heard.chain,
        })
    }

    /// When an outdated account is closed by the client itself: the proxy has until then to grant the refund, and the
    /// forced one must still come before the proxy's contract is gone.
    fn patience(&self, since: u64) -> u64 {
        let spare = self.terms.proxy_delay.saturating_sub(self.terms.client_delay);
        since.saturating_add(u64::from(spare / 2))
    }
}
