//! What the proxy's contract received, in the order of the chain (spec/ton.md 4.3, 4.6).

use cocoon_types::Address;

use super::{Accounts, MAX_ACCOUNTS, state::Client};
use crate::{
    record::{Cause, Halt, Record},
    terms::{ClientState, ContractState, Party, Status, Tx, WorkerState},
};

/// A message to the proxy's contract that tells the state of a client's or worker's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen<S> {
    /// The transaction of the proxy's contract that took it.
    pub tx: Tx,
    /// Who sent the message.
    pub sender: Address,
    /// Whose contract it says it is.
    pub owner: Address,
    /// The address of that owner's contract, as the caller derives it.
    pub derived: Address,
    /// The state.
    pub state: S,
}

/// What came of an event: the records that it leads to, and why it was not believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// To be applied, in this order. Empty for an event that was dealt with before.
    pub records: Vec<Record>,
    /// The event was authentic for the chain and still not taken over.
    pub refused: Option<EventRefused>,
}

/// Why an event changed no account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventRefused {
    /// Anybody can send such a message; only the derived contract is believed.
    #[error("a message of {sender} claims to come from the contract of {owner}, which is {derived}")]
    FakeSender {
        /// Who sent it.
        sender: Address,
        /// Whose contract it claims to be.
        owner: Address,
        /// That contract's address.
        derived: Address,
    },
    /// The account contradicts our books and is in quarantine now.
    #[error("{cause}")]
    Quarantined {
        /// Why.
        #[source]
        cause: Cause,
    },
    /// Every place is taken by an account with money in it.
    #[error("there is no room for another account")]
    Full,
    /// The journal does not fit the chain.
    #[error("{halt}")]
    Halted {
        /// Why.
        #[source]
        halt: Halt,
    },
}

impl Accounts {
    /// A transaction of the proxy's contract that means nothing to the accounts.
    pub fn passed(&self, tx: Tx) -> Told {
        if self.is_known(&tx) {
            return Told::default();
        }
        Told::just(Record::CursorMoved { tx })
    }

    /// A state commit. Only those from the proxy's own wallet count: anybody may send one.
    pub fn commit_seen(&self, tx: Tx, is_own_wallet: bool, seqno: u32, session: [u8; 32], at: u64) -> Told {
        if self.is_known(&tx) {
            return Told::default();
        }
        if !is_own_wallet {
            return self.passed(tx);
        }
        let planned = self
            .commits
            .sessions
            .iter()
            .rev()
            .find(|known| known.0 == session);
        if planned.is_some_and(|(_, last)| seqno <= *last) {
            return Told::just(Record::CommitSeen {
                tx,
                seqno,
                session,
                at,
            });
        }
        // The cursor stays: the next start meets it again.
        let halt = Halt::UnknownCommit { seqno, session };
        let records = if self.halted.is_none() {
            vec![Record::Halted { halt, at }]
        } else {
            Vec::new()
        };
        Told {
            records,
            refused: Some(EventRefused::Halted { halt }),
        }
    }

    /// A client's contract told its state.
    pub fn client_seen(&self, seen: Seen<ClientState>, at: u64) -> Told {
        let Some(current) = self.current.as_ref().filter(|_| !self.is_known(&seen.tx)) else {
            return Told::default();
        };
        let Seen { tx, owner, state, .. } = seen;
        if let Some(refused) = seen.fake() {
            return Told::passed_over(tx, refused);
        }
        let record = Record::ClientSeen { tx, owner, state, at };
        let known = match current.clients.get(&owner) {
            Some(known) => known,
            None if current.clients.len() < MAX_ACCOUNTS => return Told::just(record),
            None => {
                let empty = current.clients.iter().filter(|(_, client)| client.is_empty());
                let Some((oldest, _)) = empty.min_by_key(|(_, client)| client.last_used) else {
                    return Told::passed_over(tx, EventRefused::Full);
                };
                return Told {
                    records: vec![Record::Forgotten { client: *oldest }, record],
                    refused: None,
                };
            }
        };
        let party = Party::client(owner);
        Self::held_against(
            tx,
            party,
            record,
            state.tokens,
            known.state.tokens,
            known.levels.memory,
            at,
        )
    }

    /// A worker's contract told its state.
    pub fn worker_seen(&self, seen: Seen<WorkerState>, at: u64) -> Told {
        let Some(current) = self.current.as_ref().filter(|_| !self.is_known(&seen.tx)) else {
            return Told::default();
        };
        let Seen { tx, owner, state, .. } = seen;
        if let Some(refused) = seen.fake() {
            return Told::passed_over(tx, refused);
        }
        let record = Record::WorkerSeen { tx, owner, state, at };
        match current.workers.get(&owner) {
            None if current.workers.len() >= MAX_ACCOUNTS => Told::passed_over(tx, EventRefused::Full),
            None => Told::just(record),
            Some(known) => {
                let party = Party::worker(owner);
                Self::held_against(
                    tx,
                    party,
                    record,
                    state.tokens,
                    known.state.tokens,
                    known.levels.memory,
                    at,
                )
            }
        }
    }

    /// The account of the proxy's contract, or of an old one, was read. Nothing where it says nothing new.
    pub fn contract_seen(&self, contract: Address, state: ContractState, at: u64) -> Option<Record> {
        let current = self
            .current
            .iter()
            .map(|current| (&current.terms, &current.state));
        let old = self.old.iter().map(|old| (&old.terms, &old.state));
        let known = current
            .chain(old)
            .find(|(terms, _)| terms.contract == contract)?
            .1;
        (*known != state).then_some(Record::ContractSeen { contract, state, at })
    }

    fn is_known(&self, tx: &Tx) -> bool {
        self.cursor().is_some_and(|cursor| cursor.lt >= tx.lt)
    }

    /// Takes over what the chain says, unless its count fell; quarantines who contradicts our books.
    fn held_against(tx: Tx, party: Party, record: Record, told: u64, seen: u64, ours: u64, at: u64) -> Told {
        let (first, cause) = if told < seen {
            let cause = Cause::CounterFell { from: seen, to: told };
            (Record::CursorMoved { tx }, cause)
        } else if told > ours && told > seen {
            (record, Cause::ChainAhead { chain: told, ours })
        } else {
            return Told::just(record);
        };
        Told {
            records: vec![first, Record::Quarantined { party, cause, at }],
            refused: Some(EventRefused::Quarantined { cause }),
        }
    }
}

impl Told {
    fn just(record: Record) -> Self {
        Self {
            records: vec![record],
            refused: None,
        }
    }

    fn passed_over(tx: Tx, refused: EventRefused) -> Self {
        Self {
            records: vec![Record::CursorMoved { tx }],
            refused: Some(refused),
        }
    }
}

impl<S> Seen<S> {
    fn fake(&self) -> Option<EventRefused> {
        (self.sender != self.derived).then_some(EventRefused::FakeSender {
            sender: self.sender,
            owner: self.owner,
            derived: self.derived,
        })
    }
}

impl Client {
    /// Nothing is owed either way, and nothing goes on: the chain tells all of it again.
    fn is_empty(&self) -> bool {
        self.open == 0
            && self.levels.memory == self.state.tokens
            && self.settling.in_flight.is_none()
            && self.quarantine.is_none()
            && (self.state.status == Status::Closed || self.state.balance.nano() == 0)
    }
}
