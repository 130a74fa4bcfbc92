//! Contracts, sessions, and what people ask for.

use std::collections::BTreeMap;

use cocoon_types::Address;

use super::{Accounts, Effect, MAX_OLD};
use crate::{
    levels::Levels,
    record::{Cause, Halt, Record},
    terms::{Party, Terms},
};

/// Why a command was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandRefused {
    /// The journal does not fit the chain.
    #[error("the proxy has stopped: {0}")]
    Halted(#[source] Halt),
    /// There is no contract yet.
    #[error("there is no contract yet")]
    NoContract,
    /// Requests are open that would lose their account.
    #[error("{0} requests are open")]
    RequestsOpen(usize),
    /// Something is not covered by a commit that was seen on the chain.
    #[error("the last commit has not been seen on the chain yet")]
    NotSecured,
    /// The contract of these terms is in use, or being closed.
    #[error("the contract of these terms is in use already")]
    SameContract,
    /// Several old contracts are still being closed.
    #[error("too many old contracts are still being closed")]
    TooManyOld,
    /// The account is not there.
    #[error("there is no such account")]
    NoAccount,
    /// Two thousand million commits were made.
    #[error("the numbers of commits are used up")]
    NoMoreCommits,
}

/// Why a worker's comparison of balances is not accepted (spec/ton.md 5.4). The link ends; nothing else does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompareRefused {
    /// The journal does not fit the chain.
    #[error("the proxy has stopped: {0}")]
    Halted(#[source] Halt),
    /// The worker is in quarantine.
    #[error("the worker is in quarantine: {0}")]
    Quarantined(#[source] Cause),
    /// It claims more than our books say.
    #[error("{0}")]
    Above(#[source] Cause),
}

impl Accounts {
    /// The first contract, or the one for changed terms; the one before is closed in order from then on.
    /// [`Self::start_session`] must follow.
    ///
    /// # Errors
    /// [`CommandRefused`] while requests are open, or when the contract is not a new one.
    pub fn open(&self, terms: Terms, at: u64) -> Result<Record, CommandRefused> {
        self.not_halted()?;
        let same = |known: &Terms| known.contract == terms.contract;
        if self.terms().is_some_and(same) || self.old.iter().any(|old| same(&old.terms)) {
            return Err(CommandRefused::SameContract);
        }
        self.no_requests()?;
        if self.current.is_some() && self.old.len() >= MAX_OLD {
            return Err(CommandRefused::TooManyOld);
        }
        Ok(Record::Opened { terms, at })
    }

    /// A new session: to be made at every start of the process, with 32 fresh random bytes. Reservations of the last one
    /// are released. Nothing is served until its commit is seen.
    ///
    /// # Errors
    /// [`CommandRefused`] without a contract, or after a halt.
    pub fn start_session(&self, session: [u8; 32], at: u64) -> Result<(Record, Effect), CommandRefused> {
        self.not_halted()?;
        let contract = self.terms().ok_or(CommandRefused::NoContract)?.contract;
        let seqno = self.next_commit().ok_or(CommandRefused::NoMoreCommits)?;
        let record = Record::SessionStarted { session, seqno, at };
        let effect = Effect::Commit {
            contract,
            seqno,
            session,
        };
        Ok((record, effect))
    }

    /// No new requests from now on.
    ///
    /// # Errors
    /// [`CommandRefused::NoContract`].
    pub fn stop(&self, at: u64) -> Result<Record, CommandRefused> {
        self.terms().ok_or(CommandRefused::NoContract)?;
        Ok(Record::Stopped { at })
    }

    /// Begins to close the contract for good: every client gets its rest back and every worker its pay.
    ///
    /// # Errors
    /// [`CommandRefused`] until requests have ended and the last commit was seen.
    pub fn retire(&self, at: u64) -> Result<Record, CommandRefused> {
        self.not_halted()?;
        self.terms().ok_or(CommandRefused::NoContract)?;
        self.no_requests()?;
        if !self.commits.ready || !self.commits.dirty.is_empty() || self.commits.outstanding.is_some() {
            return Err(CommandRefused::NotSecured);
        }
        if self.old.len() >= MAX_OLD {
            return Err(CommandRefused::TooManyOld);
        }
        Ok(Record::Retired { at })
    }

    /// A client asks for its refund: no new requests; it is granted when its open ones have ended and are secured.
    ///
    /// # Errors
    /// [`CommandRefused::NoAccount`].
    pub fn ask_refund(&self, client: Address, at: u64) -> Result<Option<Record>, CommandRefused> {
        self.not_halted()?;
        let account = self.client(&client).ok_or(CommandRefused::NoAccount)?;
        Ok((!account.refund_asked).then_some(Record::RefundAsked { client, at }))
    }

    /// Everything that is owed now shall be settled, whatever the thresholds say.
    ///
    /// # Errors
    /// [`CommandRefused`] without a contract, or after a halt.
    pub fn ask_settle(&self, at: u64) -> Result<Record, CommandRefused> {
        self.not_halted()?;
        self.terms().ok_or(CommandRefused::NoContract)?;
        Ok(Record::SettleAsked { at })
    }

    /// A settlement's target was read and shows it done, or it failed.
    pub fn settlement_ended(&self, contract: Address, party: Party, done: bool, at: u64) -> Option<Record> {
        self.in_flight(contract, party)?;
        Some(Record::SettlementEnded {
            contract,
            party,
            done,
            at,
        })
    }

    /// Ends what the last process had under way, at a start: whether its messages left nobody knows. Sending one again is harmless,
    /// since counts are cumulative and a refund names its generation; a late success is told by the chain.
    pub fn interrupted(&self, at: u64) -> Vec<Record> {
        fn parties<'a, C, W>(
            clients: &'a BTreeMap<Address, C>,
            workers: &'a BTreeMap<Address, W>,
        ) -> impl Iterator<Item = Party> + use<'a, C, W> {
            let clients = clients.keys().map(|owner| Party::client(*owner));
            let workers = workers.keys().map(|owner| Party::worker(*owner));
            clients.chain(workers).chain([Party::Proxy])
        }
        let current = self
            .current
            .iter()
            .flat_map(|it| parties(&it.clients, &it.workers).map(|party| (it.terms.contract, party)));
        let old = self
            .old
            .iter()
            .flat_map(|it| parties(&it.clients, &it.workers).map(|party| (it.terms.contract, party)));
        current
            .chain(old)
            .filter_map(|(contract, party)| self.settlement_ended(contract, party, false, at))
            .collect()
    }

    /// Nothing is served to the peer or settled with it until a person lifts it.
    pub fn quarantine(&self, party: Party, cause: Cause, at: u64) -> Option<Record> {
        let known = match party {
            Party::Client { owner } => self.client(&owner)?.quarantine,
            Party::Worker { owner } => self.worker(&owner)?.quarantine,
            Party::Proxy => return None,
        };
        known
            .is_none()
            .then_some(Record::Quarantined { party, cause, at })
    }

    /// A person lifts a quarantine; the chain's count is taken over where it is ahead of ours.
    pub fn lift_quarantine(&self, party: Party) -> Option<Record> {
        let known = match party {
            Party::Client { owner } => self.client(&owner)?.quarantine,
            Party::Worker { owner } => self.worker(&owner)?.quarantine,
            Party::Proxy => return None,
        };
        known.is_some().then_some(Record::QuarantineLifted { party })
    }

    /// Compares a worker's levels with ours, which are the answer.
    ///
    /// What it heard of our memory alone may be more than we know: a crash takes that.
    ///
    /// # Errors
    /// [`CompareRefused`]: the worker claims what it did not earn here, or nothing is signed for it.
    pub fn compare(&self, worker: &Address, claimed: Levels) -> Result<Levels, CompareRefused> {
        if let Some(halt) = self.halted {
            return Err(CompareRefused::Halted(halt));
        }
        let account = self.worker(worker);
        if let Some(cause) = account.and_then(|account| account.quarantine) {
            return Err(CompareRefused::Quarantined(cause));
        }
        let ours = account.map(|account| account.levels).unwrap_or_default();
        let levels = [(claimed.chain, ours.chain), (claimed.journal, ours.journal)];
        let above = levels.into_iter().find(|(claimed, ours)| claimed > ours);
        above.map_or(Ok(ours), |(claimed, ours)| {
            Err(CompareRefused::Above(Cause::ClaimsTooMuch { claimed, ours }))
        })
    }

    /// The count that may be signed for a client or worker now: what a commit seen on the chain covers.
    ///
    /// `None` when nothing may be signed: not before this start's commit was seen, since a crash may have taken the record
    /// that an earlier one was, and a signed count must never fall.
    pub fn signable(&self, party: Party) -> Option<u64> {
        if !self.is_ready() {
            return None;
        }
        match party {
            Party::Client { owner } => {
                let client = self.client(&owner)?;
                client.quarantine.is_none().then_some(client.levels.chain)
            }
            Party::Worker { owner } => match self.worker(&owner) {
                Some(worker) => worker.quarantine.is_none().then_some(worker.levels.chain),
                // Nothing was earned yet; the original insists on a signature even so (spec/ton.md 5.4).
                None => self.terms().map(|_| 0),
            },
            Party::Proxy => None,
        }
    }

    /// The number of the next commit. The chain carries it as a signed 32-bit number.
    pub(super) fn next_commit(&self) -> Option<u32> {
        let next = self.commits.seqno.checked_add(1)?;
        (next <= i32::MAX.unsigned_abs()).then_some(next)
    }

    fn not_halted(&self) -> Result<(), CommandRefused> {
        self.halted
            .map_or(Ok(()), |halt| Err(CommandRefused::Halted(halt)))
    }

    fn no_requests(&self) -> Result<(), CommandRefused> {
        match self.open.len() {
            0 => Ok(()),
            open => Err(CommandRefused::RequestsOpen(open)),
        }
    }
}
