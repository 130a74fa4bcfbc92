//! Reserve, settle, release.

use cocoon_types::{Address, Nanoton, RequestId};

use super::{Accounts, MAX_ACCOUNTS, MAX_OPEN, state::Generation};
use crate::{
    policy::Policy,
    record::{Cause, Halt, Record},
    terms::Status,
};

/// Why nothing is set aside for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReserveRefused {
    /// The journal does not fit the chain.
    #[error("the proxy has stopped: {0}")]
    Halted(#[source] Halt),
    /// The commit of this start has not been seen on the chain yet.
    #[error("the proxy waits for its first commit on the chain")]
    NotReady,
    /// The proxy, or its contract, closes.
    #[error("the proxy is being closed")]
    Closing,
    /// No contract of this owner has told its state.
    #[error("the client has no account at this proxy")]
    UnknownClient,
    /// The client lied, or its contract contradicts our books.
    #[error("the client is in quarantine: {0}")]
    Quarantined(#[source] Cause),
    /// The client's contract is closing or closed, or it asked for its refund.
    #[error("the client's account is being closed")]
    ClientClosing,
    /// The id is in use, or was a short while ago.
    #[error("a request with this id is open or has ended")]
    Duplicate,
    /// Too many requests at once.
    #[error("too many requests are open")]
    TooManyOpen,
    /// The chain does not confirm commits: more would be owed than is secured.
    #[error("the chain has not confirmed enough yet")]
    Unsecured,
    /// The client's balance or stake is too small.
    #[error("the request may cost {needed} tokens, the account covers {available}")]
    Funds {
        /// Adjusted tokens that it may cost.
        needed: u64,
        /// Adjusted tokens that are available.
        available: u64,
    },
}

/// Why a request was not settled. Nothing is charged then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettleRefused {
    /// Nothing is set aside for it: it was released, or never reserved.
    #[error("nothing is set aside for the request")]
    NotReserved,
    /// The worker is new and there are too many.
    #[error("there are too many workers")]
    TooManyWorkers,
    /// A count would not fit 64 bits.
    #[error("a count does not fit 64 bits")]
    Overflow,
}

/// What a settlement comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// To be applied, and durable before the asker hears of it.
    Charge {
        /// The change.
        record: Record,
        /// Adjusted tokens that are charged.
        tokens: u64,
        /// Adjusted tokens above the reservation, which nobody pays: a defect of ours or a lie of the worker.
        cut: u64,
    },
    /// It was settled before, with so many adjusted tokens. Nothing changes.
    Already {
        /// What was charged.
        tokens: u64,
    },
}

impl Accounts {
    /// Sets `tokens` aside for a request. The record need not be durable before the request goes on.
    ///
    /// # Errors
    /// [`ReserveRefused`] names the first thing in the way.
    pub fn reserve(
        &self,
        client: Address,
        request: RequestId,
        tokens: u64,
        policy: &Policy,
        at: u64,
    ) -> Result<Record, ReserveRefused> {
        let current = self.serving()?;
        let account = current
            .clients
            .get(&client)
            .ok_or(ReserveRefused::UnknownClient)?;
        if let Some(cause) = account.quarantine {
            return Err(ReserveRefused::Quarantined(cause));
        }
        if account.state.status != Status::Open || account.refund_asked {
            return Err(ReserveRefused::ClientClosing);
        }
        let key = (client, request);
        if self.open.contains_key(&key) || self.finished.tokens(&key).is_some() {
            return Err(ReserveRefused::Duplicate);
        }
        if self.open.len() >= MAX_OPEN {
            return Err(ReserveRefused::TooManyOpen);
        }
        let unsecured = self.price_of(self.unsecured()).unwrap_or(Nanoton::new(u64::MAX));
        if unsecured > policy.unsecured_limit {
            return Err(ReserveRefused::Unsecured);
        }
        if let Some(available) = account.available(&current.terms.prices)
            && available < tokens
        {
            return Err(ReserveRefused::Funds {
                needed: tokens,
                available,
            });
        }
        if account.reserved.checked_add(tokens).is_none() {
            return Err(ReserveRefused::TooManyOpen);
        }
        Ok(Record::Reserved {
            request,
            client,
            tokens,
            at,
        })
    }

    fn serving(&self) -> Result<&Generation, ReserveRefused> {
        if let Some(halt) = self.halted {
            return Err(ReserveRefused::Halted(halt));
        }
        let current = self.current.as_ref().ok_or(ReserveRefused::NotReady)?;
        if self.is_closing() {
            return Err(ReserveRefused::Closing);
        }
        if !self.commits.ready {
            return Err(ReserveRefused::NotReady);
        }
        Ok(current)
    }

    /// Charges a request that was served, wholly or until its client cancelled it, and frees the rest of what was set
    /// aside. Never more than that: what is above is cut and told. Idempotent.
    ///
    /// # Errors
    /// [`SettleRefused`]: nothing is charged.
    pub fn settle(
        &self,
        client: Address,
        request: RequestId,
        worker: Address,
        tokens: u64,
        at: u64,
    ) -> Result<Outcome, SettleRefused> {
        let key = (client, request);
        let Some(open) = self.open.get(&key) else {
            let before = self.finished.tokens(&key);
            return before
                .map(|tokens| Outcome::Already { tokens })
                .ok_or(SettleRefused::NotReserved);
        };
        let charged = tokens.min(open.tokens);
        let current = self.current.as_ref().ok_or(SettleRefused::NotReserved)?;
        let owed = current
            .clients
            .get(&client)
            .map(|account| account.levels.after(charged));
        if !matches!(owed, Some(Ok(_))) {
            return Err(SettleRefused::Overflow);
        }
        match current.workers.get(&worker) {
            Some(known) if known.levels.after(charged).is_err() => return Err(SettleRefused::Overflow),
            None if current.workers.len() >= MAX_ACCOUNTS => return Err(SettleRefused::TooManyWorkers),
            _ => {}
        }
        Ok(Outcome::Charge {
            record: Record::Settled {
                request,
                client,
                worker,
                tokens: charged,
                at,
            },
            tokens: charged,
            cut: tokens.saturating_sub(charged),
        })
    }

    /// Frees what was set aside, if it still is; nothing is charged.
    pub fn release(&self, client: Address, request: RequestId, at: u64) -> Option<Record> {
        let is_open = self.open.contains_key(&(client, request));
        is_open.then_some(Record::Released { request, client, at })
    }
}
