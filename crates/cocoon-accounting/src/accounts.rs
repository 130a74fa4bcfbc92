//! A proxy's accounts: clients and workers of the current contract, old contracts to be closed, commits.
//!
//! [`Accounts::apply`] is the only change of state ([`apply`]), but for [`Accounts::flushed`], which tells how much of
//! the journal is on disk and is true of every replayed state. Commands look and return records: requests ([`requests`]),
//! what the chain tells ([`chain`]), the proxy's life ([`life`]), what is due ([`due`], [`closing`]).

mod apply;
mod chain;
mod closing;
mod due;
mod finished;
mod life;
mod requests;
mod snapshot;
mod state;

use std::collections::{BTreeMap, VecDeque};

use cocoon_types::{Address, Nanoton, RequestId};

use crate::{
    levels::Levels,
    record::{Cause, Halt},
    terms::{ClientState, ContractState, Party, Status, Terms, Tx},
};

pub use apply::ApplyError;
pub use chain::{EventRefused, Seen, Told};
pub use due::{Effect, Step};
pub use life::{CommandRefused, CompareRefused};
pub use requests::{Outcome, ReserveRefused, SettleRefused};
pub use snapshot::MAX_SNAPSHOT_BYTES;

use finished::Finished;
use state::{Commits, Generation, Old, Open};

/// Clients and workers in memory, each: some 300 bytes. A client's place costs it the gas of its contract.
pub const MAX_ACCOUNTS: usize = 100_000;
/// Requests open at once: some 150 bytes each; far above what a proxy relays at once.
pub const MAX_OPEN: usize = 65_536;
/// Old contracts that are not closed yet: parameters change rarely, and closing takes days.
pub const MAX_OLD: usize = 16;

/// A proxy's accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// Records applied so far: the number of the next one.
    applied: u64,
    halted: Option<Halt>,
    current: Option<Generation>,
    old: VecDeque<Old>,
    commits: Commits,
    open: BTreeMap<(Address, RequestId), Open>,
    finished: Finished,
    /// Levels that are not on disk yet, by the number of their record. Bounded by the store's queue.
    unflushed: VecDeque<(u64, Party, u64)>,
}

/// A client's account as it may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAccount {
    /// Its contract's state.
    pub state: ClientState,
    /// What it owes, cumulative.
    pub levels: Levels,
    /// Adjusted tokens set aside for its open requests.
    pub reserved: u64,
    /// Adjusted tokens that it may still reserve; `None` where tokens cost nothing.
    pub available: Option<u64>,
    /// Why it is not served.
    pub quarantine: Option<Cause>,
    /// It asked for its refund.
    pub refund_asked: bool,
    /// Its requests that are open.
    pub open: u32,
    /// How often its account was opened again.
    pub generation: u32,
}

/// A worker's account as it may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerAccount {
    /// What it earned, cumulative.
    pub levels: Levels,
    /// Adjusted tokens paid out on the chain.
    pub paid: u64,
    /// Where its contract is in its life.
    pub status: Status,
    /// Why nothing is paid to it.
    pub quarantine: Option<Cause>,
}

// === impl Accounts ===

impl Accounts {
    /// Accounts before their first record.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many records made this state; the number of the next one.
    pub const fn applied(&self) -> u64 {
        self.applied
    }

    /// Why nothing is served or signed any more.
    pub const fn halted(&self) -> Option<Halt> {
        self.halted
    }

    /// The terms of the current contract.
    pub fn terms(&self) -> Option<&Terms> {
        self.current.as_ref().map(|current| &current.terms)
    }

    /// The current contract's state, as it was last seen.
    pub fn contract(&self) -> Option<&ContractState> {
        self.current.as_ref().map(|current| &current.state)
    }

    /// The last transaction of a contract, the current or an old one, that was dealt with.
    pub fn cursor(&self, contract: &Address) -> Option<Tx> {
        let current = self
            .current
            .iter()
            .map(|current| (current.terms.contract, current.cursor));
        let old = self.old.iter().map(|old| (old.terms.contract, old.cursor));
        current.chain(old).find(|(known, _)| known == contract)?.1
    }

    /// Whether this start's commit was seen on the chain, so that requests may be served.
    pub const fn is_ready(&self) -> bool {
        self.commits.ready && self.halted.is_none()
    }

    /// Whether new requests are refused for good, because the proxy or its contract closes.
    pub fn is_closing(&self) -> bool {
        self.current
            .as_ref()
            .is_none_or(|current| current.stopped || current.state.status != Status::Open)
    }

    /// The session of this start and the number of its last commit.
    pub const fn session(&self) -> (&[u8; 32], u32) {
        (&self.commits.session, self.commits.seqno)
    }

    /// Adjusted tokens that no commit seen on the chain covers yet.
    pub fn unsecured(&self) -> u64 {
        self.commits
            .unsecured
            .saturating_add(self.commits.covering_tokens)
    }

    /// Requests that are open.
    pub fn open_requests(&self) -> usize {
        self.open.len()
    }

    /// A client of the current contract.
    pub fn client(&self, owner: &Address) -> Option<ClientAccount> {
        let current = self.current.as_ref()?;
        let client = current.clients.get(owner)?;
        Some(client.account(&current.terms.prices))
    }

    /// A worker of the current contract; one that has earned nothing is unknown.
    pub fn worker(&self, owner: &Address) -> Option<WorkerAccount> {
        let worker = self.current.as_ref()?.workers.get(owner)?;
        Some(worker.account())
    }

    /// Every client of the current contract, by owner.
    pub fn clients(&self) -> impl Iterator<Item = (Address, ClientAccount)> {
        self.current.iter().flat_map(|current| {
            let prices = &current.terms.prices;
            let account = move |(owner, client): (&Address, &state::Client)| (*owner, client.account(prices));
            current.clients.iter().map(account)
        })
    }

    /// Every worker of the current contract, by owner.
    pub fn workers(&self) -> impl Iterator<Item = (Address, WorkerAccount)> {
        let workers = self.current.iter().flat_map(|current| current.workers.iter());
        workers.map(|(owner, worker)| (*owner, worker.account()))
    }

    /// Old contracts that are not closed yet: their terms, and how many accounts are not settled.
    pub fn old_contracts(&self) -> impl Iterator<Item = (&Terms, usize)> {
        let left = |old: &Old| {
            let accounts = old.clients.values().chain(old.workers.values());
            accounts.filter(|account| account.is_left()).count()
        };
        self.old.iter().map(move |old| (&old.terms, left(old)))
    }

    /// The sum of a count at the price of clients; `None` when it overflows or there is no contract.
    pub fn price_of(&self, tokens: u64) -> Option<Nanoton> {
        self.terms()?.prices.cost(tokens).ok()
    }

    /// Tells that the journal is on disk up to, but without, this record.
    pub fn flushed(&mut self, records: u64) {
        while let Some((number, party, tokens)) = self.unflushed.front().copied() {
            if number >= records {
                return;
            }
            self.unflushed.pop_front();
            if let Some(levels) = self.levels_mut(party) {
                levels.journal = levels.journal.max(tokens);
            }
        }
    }

    fn levels_mut(&mut self, party: Party) -> Option<&mut Levels> {
        let current = self.current.as_mut()?;
        match party {
            Party::Client { owner } => current.clients.get_mut(&owner).map(|client| &mut client.levels),
            Party::Worker { owner } => current.workers.get_mut(&owner).map(|worker| &mut worker.levels),
            Party::Proxy => None,
        }
    }
}

#[cfg(test)]
mod tests;
