//! The parts of the state.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cocoon_types::Address;

use super::{ClientAccount, WorkerAccount};
use crate::{
    codec::code_struct,
    levels::Levels,
    pricing::Prices,
    record::{Cause, Kind},
    terms::{ClientState, ContractState, Party, Status, Terms, Tx, WorkerState},
};

/// The accounts under one contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Generation {
    pub(super) terms: Terms,
    pub(super) state: ContractState,
    pub(super) cursor: Option<Tx>,
    pub(super) clients: BTreeMap<Address, Client>,
    pub(super) workers: BTreeMap<Address, Worker>,
    /// Settlements of the proxy itself.
    pub(super) proxy: Settling,
    pub(super) stopped: bool,
    /// When everything was last asked to be settled.
    pub(super) settled_at: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) state: ClientState,
    /// How often it was seen to open again after it was closing or closed.
    pub(super) generation: u32,
    pub(super) levels: Levels,
    pub(super) reserved: u64,
    pub(super) open: u32,
    pub(super) refund_asked: bool,
    pub(super) quarantine: Option<Cause>,
    pub(super) settling: Settling,
    pub(super) last_used: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Worker {
    pub(super) state: WorkerState,
    pub(super) levels: Levels,
    pub(super) quarantine: Option<Cause>,
    pub(super) settling: Settling,
}

/// What goes on between an account and the chain: at most one message at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Settling {
    pub(super) in_flight: Option<InFlight>,
    /// Failures since the last success.
    pub(super) tries: u32,
    /// Not tried again before, in unix seconds.
    pub(super) not_before: u64,
    /// To be settled up to here whatever the thresholds say.
    pub(super) asked: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InFlight {
    pub(super) kind: Kind,
    pub(super) tokens: u64,
    pub(super) since: u64,
}

/// A contract that is being closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Old {
    pub(super) terms: Terms,
    pub(super) state: ContractState,
    /// It is followed still: clients that topped up at the last moment are found by it.
    pub(super) cursor: Option<Tx>,
    pub(super) clients: BTreeMap<Address, OldAccount>,
    pub(super) workers: BTreeMap<Address, OldAccount>,
    pub(super) proxy: Settling,
    /// Its final counts are secured once a commit with a greater number was seen.
    pub(super) after_commit: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OldAccount {
    pub(super) status: Status,
    pub(super) generation: u32,
    pub(super) tokens: u64,
    pub(super) settling: Settling,
}

/// Money set aside for an open request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) tokens: u64,
    pub(super) at: u64,
}

/// State commits (spec/ton.md 4.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Commits {
    /// The last number that was planned.
    pub(super) seqno: u32,
    /// The highest that was seen.
    pub(super) confirmed: u32,
    pub(super) session: [u8; 32],
    /// Sessions of the past and present with the last number that each planned: what the chain may show.
    pub(super) sessions: VecDeque<([u8; 32], u32)>,
    /// This session's first commit was seen.
    pub(super) ready: bool,
    pub(super) outstanding: Option<Outstanding>,
    /// What the outstanding commit secures.
    pub(super) covering: BTreeMap<Party, u64>,
    /// The clients' part of it, in adjusted tokens.
    pub(super) covering_tokens: u64,
    /// Accounts that changed since.
    pub(super) dirty: BTreeSet<Party>,
    /// What clients came to owe since.
    pub(super) unsecured: u64,
    pub(super) unsecured_since: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outstanding {
    pub(super) seqno: u32,
    pub(super) sent_at: u64,
}

/// Sessions remembered. A commit of a session that is forgotten would halt the proxy; it would have to be delayed over
/// as many starts, while every start waits for a commit of its own, which the wallet sends after it.
pub(super) const MAX_SESSIONS: usize = 1024;

// === impl Generation ===

impl Generation {
    pub(super) fn new(terms: Terms) -> Self {
        Self {
            terms,
            state: ContractState::default(),
            cursor: None,
            clients: BTreeMap::new(),
            workers: BTreeMap::new(),
            proxy: Settling::default(),
            stopped: false,
            settled_at: 0,
        }
    }
}

// === impl OldAccount ===

impl OldAccount {
    pub(super) fn is_left(&self) -> bool {
        self.status != Status::Closed
    }

    /// Its contract's state was told; closed is all that was wanted of it.
    pub(super) fn told(&mut self, status: Status) {
        self.status = status;
        if status == Status::Closed {
            self.settling = Settling::default();
        }
    }
}

// === impl Client ===

impl Client {
    /// A closing or closed account that opens again is another generation.
    pub(super) fn take_over(&mut self, state: ClientState) {
        if self.state.status != Status::Open && state.status == Status::Open {
            self.generation = self.generation.saturating_add(1);
        }
        self.state = state;
    }

    /// Adjusted tokens that may still be reserved (spec/ton.md 4.5): limited by what is paid in, and usage that is not
    /// charged yet by the stake. `None` where tokens cost nothing. Nothing where the limits were passed already, as
    /// after a withdrawal.
    pub(super) fn available(&self, prices: &Prices) -> Option<u64> {
        let paid = self.state.balance.checked_div(prices.price())?;
        let stake = self.state.stake.checked_div(prices.price())?;
        let limit = self.state.tokens.saturating_add(paid.min(stake));
        let used = self.levels.memory.saturating_add(self.reserved);
        Some(limit.saturating_sub(used))
    }

    /// What it is charged up to at the end: ours, or the chain's where that is ahead and it is in quarantine for it.
    pub(super) fn last_count(&self) -> u64 {
        self.levels.memory.max(self.state.tokens)
    }

    pub(super) fn account(&self, prices: &Prices) -> ClientAccount {
        ClientAccount {
            state: self.state,
            levels: self.levels,
            reserved: self.reserved,
            available: self.available(prices),
            quarantine: self.quarantine,
            refund_asked: self.refund_asked,
            open: self.open,
            generation: self.generation,
        }
    }
}

// === impl Worker ===

impl Worker {
    pub(super) fn account(&self) -> WorkerAccount {
        WorkerAccount {
            levels: self.levels,
            paid: self.state.tokens,
            status: self.state.status,
            quarantine: self.quarantine,
        }
    }
}

// === impl Settling ===

/// Pause after a settlement that failed: doubles from half a minute to an hour.
const FIRST_PAUSE: u64 = 30;
const LONGEST_PAUSE: u64 = 3600;

impl Settling {
    pub(super) fn end(&mut self, done: bool, at: u64) {
        self.in_flight = None;
        if done {
            self.tries = 0;
            self.not_before = 0;
        } else {
            let pause = FIRST_PAUSE
                .saturating_mul(1 << self.tries.min(7))
                .min(LONGEST_PAUSE);
            self.not_before = at.saturating_add(pause);
            self.tries = self.tries.saturating_add(1);
        }
    }

    /// A state of the target was seen: `reached` tells whether it is what the message in flight was for.
    pub(super) fn seen(&mut self, at: u64, reached: impl FnOnce(InFlight) -> bool) {
        if self.in_flight.is_some_and(reached) {
            self.end(true, at);
        }
    }

    pub(super) fn ask(&mut self, tokens: u64) {
        self.asked = Some(tokens);
        self.not_before = 0;
    }

    /// The count on the chain has grown to this.
    pub(super) fn settled(&mut self, tokens: u64) {
        if self.asked.is_some_and(|asked| tokens >= asked) {
            self.asked = None;
        }
    }

    pub(super) fn is_free(&self, now: u64) -> bool {
        self.in_flight.is_none() && now >= self.not_before
    }
}

code_struct!(Generation {
    terms,
    state,
    cursor,
    clients,
    workers,
    proxy,
    stopped,
    settled_at
});
code_struct!(Client {
    state,
    generation,
    levels,
    reserved,
    open,
    refund_asked,
    quarantine,
    settling,
    last_used
});
code_struct!(Worker {
    state,
    levels,
    quarantine,
    settling
});
code_struct!(Settling {
    in_flight,
    tries,
    not_before,
    asked
});
code_struct!(InFlight { kind, tokens, since });
code_struct!(Old {
    terms,
    state,
    cursor,
    clients,
    workers,
    proxy,
    after_commit
});
code_struct!(OldAccount {
    status,
    generation,
    tokens,
    settling
});
code_struct!(Open { tokens, at });
code_struct!(Commits {
    seqno,
    confirmed,
    session,
    sessions,
    ready,
    outstanding,
    covering,
    covering_tokens,
    dirty,
    unsecured,
    unsecured_since
});
code_struct!(Outstanding { seqno, sent_at });
