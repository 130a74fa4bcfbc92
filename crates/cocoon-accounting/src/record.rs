//! What the journal holds: one record per change of the accounts.

use cocoon_types::{Address, RequestId};

use crate::{
    codec::{self, Code as _, DecodeError, code_enum},
    terms::{ClientState, ContractState, Party, Terms, Tx, WorkerState},
};

/// Longer than any record: the longest, [`Record::Opened`], has 79 bytes, [`Record::Settled`] 113.
pub const MAX_RECORD_BYTES: usize = 512;

/// First byte of every record. A new variant needs no new version, a change of meaning does.
const VERSION: u8 = 1;

/// One change of a proxy's accounts. Times (`at`) are unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// The first contract, or one for new terms: the one before becomes an old one, to be closed.
    Opened {
        /// Its terms.
        terms: Terms,
        /// When.
        at: u64,
    },
    /// The process started: reservations of the one before are released, and a commit that covers all is planned.
    SessionStarted {
        /// 32 random bytes, new for every start.
        session: [u8; 32],
        /// The number of the commit.
        seqno: u32,
        /// When.
        at: u64,
    },
    /// The most that a request may cost is set aside.
    Reserved {
        /// The request.
        request: RequestId,
        /// Who pays.
        client: Address,
        /// Adjusted tokens.
        tokens: u64,
        /// When.
        at: u64,
    },
    /// A request was served, wholly or in part: the client owes its tokens and the worker has earned them.
    Settled {
        /// The request.
        request: RequestId,
        /// Who pays.
        client: Address,
        /// Who earns.
        worker: Address,
        /// Adjusted tokens; never more than were reserved.
        tokens: u64,
        /// When.
        at: u64,
    },
    /// A request ended without a charge.
    Released {
        /// The request.
        request: RequestId,
        /// Who would have paid.
        client: Address,
        /// When.
        at: u64,
    },
    /// A commit is to be sent to the chain; it covers every record before it.
    CommitPlanned {
        /// Its number.
        seqno: u32,
        /// When.
        at: u64,
    },
    /// The outstanding commit was not seen and is sent again.
    CommitResent {
        /// When.
        at: u64,
    },
    /// A commit of ours was seen on the chain.
    CommitSeen {
        /// The contract that took it.
        contract: Address,
        /// The transaction.
        tx: Tx,
        /// Its number.
        seqno: u32,
        /// Its session.
        session: [u8; 32],
        /// When.
        at: u64,
    },
    /// A client's contract told its state.
    ClientSeen {
        /// The proxy's contract that took it.
        contract: Address,
        /// The transaction.
        tx: Tx,
        /// The contract's owner.
        owner: Address,
        /// Its state.
        state: ClientState,
        /// When.
        at: u64,
    },
    /// A worker's contract told its state.
    WorkerSeen {
        /// The proxy's contract that took it.
        contract: Address,
        /// The transaction.
        tx: Tx,
        /// The contract's owner.
        owner: Address,
        /// Its state.
        state: WorkerState,
        /// When.
        at: u64,
    },
    /// The proxy's contract, or an old one, was read.
    ContractSeen {
        /// Which.
        contract: Address,
        /// Its state.
        state: ContractState,
        /// When.
        at: u64,
    },
    /// Transactions up to this one are dealt with.
    CursorMoved {
        /// The contract that took them.
        contract: Address,
        /// The last of them.
        tx: Tx,
    },
    /// A message that settles something is to be sent.
    SettlementStarted {
        /// What.
        settlement: Settlement,
        /// When.
        at: u64,
    },
    /// The target's state shows it done, or it failed and may be tried again.
    SettlementEnded {
        /// The proxy's contract that it belongs to.
        contract: Address,
        /// Whose it was.
        party: Party,
        /// Whether the target reached the state.
        done: bool,
        /// When.
        at: u64,
    },
    /// A client asked the proxy for its refund.
    RefundAsked {
        /// Who.
        client: Address,
        /// When.
        at: u64,
    },
    /// Everything that is owed now is to be settled, whatever the thresholds say.
    SettleAsked {
        /// When.
        at: u64,
    },
    /// A peer lied, or its contract contradicts us: nothing is served to it or settled with it.
    Quarantined {
        /// Who.
        party: Party,
        /// Why.
        cause: Cause,
        /// When.
        at: u64,
    },
    /// A person lifted a quarantine.
    QuarantineLifted {
        /// Whose.
        party: Party,
    },
    /// The chain shows commits that this journal does not know: it serves and signs nothing any more.
    Halted {
        /// Why.
        halt: Halt,
        /// When.
        at: u64,
    },
    /// No new requests: the proxy is to be closed.
    Stopped {
        /// When.
        at: u64,
    },
    /// The contract becomes an old one without a successor.
    Retired {
        /// When.
        at: u64,
    },
    /// An account with nothing in it is dropped to make room; the chain tells it again when it comes back.
    Forgotten {
        /// Whose.
        client: Address,
    },
}

/// One message that settles something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The proxy's contract that it belongs to.
    pub contract: Address,
    /// Whose contract it goes to.
    pub party: Party,
    /// Which message.
    pub kind: Kind,
    /// The cumulative count that is signed; 0 where none is.
    pub tokens: u64,
    /// For [`Kind::GrantRefund`]: how often the client's account was opened again. A refund that was granted before must
    /// not close the account that is used after, so it is signed for this generation alone.
    pub generation: u32,
}

/// The messages that a proxy sends by itself (spec/ton.md 4.5, 5.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To a client's contract: what it owes becomes the pool's.
    Charge,
    /// To a client's contract: the last charge; the rest goes back to its owner, and it closes.
    GrantRefund,
    /// To a worker's contract: its owner is paid.
    Payout,
    /// To a worker's contract: the same, and it closes.
    LastPayout,
    /// To the proxy's contract: the owner's share is paid.
    Withdraw,
    /// To the proxy's contract: it begins to close.
    CloseRequest,
    /// To the proxy's contract: it is closed, the rest goes to its owner.
    CloseComplete,
}

/// Why a peer is in quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// Only we sign charges: either our books went back, or somebody else has our key.
    #[error("its contract was charged {chain} tokens, our books say {ours}")]
    ChainAhead {
        /// On the chain.
        chain: u64,
        /// In our books.
        ours: u64,
    },
    /// No genuine contract does this.
    #[error("its contract's count fell from {from} to {to}")]
    CounterFell {
        /// The count that was seen before.
        from: u64,
        /// The count that was told.
        to: u64,
    },
    /// A worker claims more than it ever earned here.
    #[error("it claims {claimed} tokens, our books say {ours}")]
    ClaimsTooMuch {
        /// What it claims.
        claimed: u64,
        /// In our books.
        ours: u64,
    },
    /// A person said so.
    #[error("a person put it in quarantine")]
    ByHand,
}

/// Why a proxy serves and signs nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// A commit from our own wallet that our journal does not know: it was put back to an older state, or a second
    /// proxy runs with our key (spec/ton.md 4.3).
    #[error(
        "the chain holds commit {seqno}, which this journal does not know: the journal is an old copy, or another \
         process runs with the same key"
    )]
    UnknownCommit {
        /// Its number.
        seqno: u32,
        /// Its session.
        session: [u8; 32],
    },
}

// === impl Record ===

impl Record {
    /// The binary form; at most [`MAX_RECORD_BYTES`].
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        out.push(VERSION);
        self.put(&mut out);
        out
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_RECORD_BYTES {
            return Err(DecodeError::TooLong);
        }
        match bytes.split_first() {
            Some((&VERSION, body)) => codec::decode(body),
            Some((version, _)) => Err(DecodeError::Version(*version)),
            None => Err(DecodeError::Short),
        }
    }
}

code_enum!(Record, "the kind of a record" {
    1 => Opened { terms, at },
    2 => SessionStarted { session, seqno, at },
    3 => Reserved { request, client, tokens, at },
    4 => Settled { request, client, worker, tokens, at },
    5 => Released { request, client, at },
    6 => CommitPlanned { seqno, at },
    7 => CommitResent { at },
    8 => CommitSeen { contract, tx, seqno, session, at },
    9 => ClientSeen { contract, tx, owner, state, at },
    10 => WorkerSeen { contract, tx, owner, state, at },
    11 => ContractSeen { contract, state, at },
    12 => CursorMoved { contract, tx },
    13 => SettlementStarted { settlement, at },
    14 => SettlementEnded { contract, party, done, at },
    15 => RefundAsked { client, at },
    16 => SettleAsked { at },
    17 => Quarantined { party, cause, at },
    18 => QuarantineLifted { party },
    19 => Halted { halt, at },
    20 => Stopped { at },
    21 => Retired { at },
    22 => Forgotten { client },
});
code_enum!(Kind, "the kind of a settlement" {
    0 => Charge,
    1 => GrantRefund,
    2 => Payout,
    3 => LastPayout,
    4 => Withdraw,
    5 => CloseRequest,
    6 => CloseComplete,
});
code_enum!(Cause, "the cause of a quarantine" {
    0 => ChainAhead { chain, ours },
    1 => CounterFell { from, to },
    2 => ClaimsTooMuch { claimed, ours },
    3 => ByHand,
});
code_enum!(Halt, "the cause of a halt" { 0 => UnknownCommit { seqno, session } });
crate::codec::code_struct!(Settlement {
    contract,
    party,
    kind,
    tokens,
    generation
});
