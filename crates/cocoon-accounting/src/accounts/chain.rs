//! What the proxy's contract received, in the order of the chain (spec/ton.md 4.3, 4.6).

use cocoon_types::{Address, Nanoton};

use super::{
    Accounts, MAX_ACCOUNTS,
    state::{Client, Old},
};
use crate::{
    record::{Cause, Halt, Record},
    terms::{ClientState, ContractState, Party, Status, Tx, WorkerState},
};

/// A message to the proxy's contract that tells the state of a client's or worker's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen<S> {
    /// The proxy's contract that took it: the current one, or an old one.
    pub contract: Address,
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
    pub fn passed(&self, contract: Address, tx: Tx) -> Told {
        if self.is_known(contract, &tx) {
            return Told::default();
        }
        Told::just(Record::CursorMoved { contract, tx })
    }

    /// A state commit. Only those from the proxy's own wallet count: anybody may send one.
    pub fn commit_seen(
        &self,
        contract: Address,
        tx: Tx,
        is_own_wallet: bool,
        (seqno, session): (u32, [u8; 32]),
        at: u64,
    ) -> Told {
        if self.is_known(contract, &tx) {
            return Told::default();
        }
        if !is_own_wallet {
            return self.passed(contract, tx);
        }
        let planned = self
            .commits
            .sessions
            .iter()
            .rev()
            .find(|known| known.0 == session);
        if planned.is_some_and(|(_, last)| seqno <= *last) {
            return Told::just(Record::CommitSeen {
                contract,
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

    /// A client's contract told its state. Where the message carries money, only if the transaction succeeded.
    pub fn client_seen(&self, seen: Seen<ClientState>, at: u64) -> Told {
        if let Some(told) = self.is_not_believed(&seen) {
            return told;
        }
        let Seen {
            contract,
            tx,
            owner,
            state,
            ..
        } = seen;
        let record = Record::ClientSeen {
            contract,
            tx,
            owner,
            state,
            at,
        };
        let Some(current) = self
            .current
            .as_ref()
            .filter(|current| current.terms.contract == contract)
        else {
            let old = self.old.iter().find(|old| old.terms.contract == contract);
            let has_room = |old: &Old| old.clients.contains_key(&owner) || old.clients.len() < MAX_ACCOUNTS;
            return if old.is_some_and(has_room) {
                Told::just(record)
            } else {
                Told::passed_over(contract, tx, EventRefused::Full)
            };
        };
        let known = match current.clients.get(&owner) {
            Some(known) => known,
            None if current.clients.len() < MAX_ACCOUNTS => return Told::just(record),
            None => {
                let empty = current.clients.iter().filter(|(_, client)| client.is_empty());
                let Some((oldest, _)) = empty.min_by_key(|(_, client)| client.last_used) else {
                    return Told::passed_over(contract, tx, EventRefused::Full);
                };
                return Told {
                    records: vec![Record::Forgotten { client: *oldest }, record],
                    refused: None,
                };
            }
        };
        let counts = [state.tokens, known.state.tokens, known.levels.memory];
        Self::held_against(
            record,
            Party::client(owner),
            counts,
            Record::CursorMoved { contract, tx },
            at,
        )
    }

    /// A worker's contract told its state. Where the message carries money, only if the transaction succeeded.
    pub fn worker_seen(&self, seen: Seen<WorkerState>, at: u64) -> Told {
        if let Some(told) = self.is_not_believed(&seen) {
            return told;
        }
        let Seen {
            contract,
            tx,
            owner,
            state,
            ..
        } = seen;
        let record = Record::WorkerSeen {
            contract,
            tx,
            owner,
            state,
            at,
        };
        let Some(current) = self
            .current
            .as_ref()
            .filter(|current| current.terms.contract == contract)
        else {
            return Told::just(record);
        };
        match current.workers.get(&owner) {
            None if current.workers.len() >= MAX_ACCOUNTS => {
                Told::passed_over(contract, tx, EventRefused::Full)
            }
            None => Told::just(record),
            Some(known) => {
                let counts = [state.tokens, known.state.tokens, known.levels.memory];
                let moved = Record::CursorMoved { contract, tx };
                Self::held_against(record, Party::worker(owner), counts, moved, at)
            }
        }
    }

    /// Dealt with before, for a contract that is none of ours, or from a sender that is not who it says.
    fn is_not_believed<S>(&self, seen: &Seen<S>) -> Option<Told> {
        let ours = self.current.iter().map(|current| current.terms.contract);
        let mut ours = ours.chain(self.old.iter().map(|old| old.terms.contract));
        if !ours.any(|contract| contract == seen.contract) || self.is_known(seen.contract, &seen.tx) {
            return Some(Told::default());
        }
        (seen.sender != seen.derived).then(|| {
            let refused = EventRefused::FakeSender {
                sender: seen.sender,
                owner: seen.owner,
                derived: seen.derived,
            };
            Told::passed_over(seen.contract, seen.tx, refused)
        })
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

    fn is_known(&self, contract: Address, tx: &Tx) -> bool {
        self.cursor(&contract).is_some_and(|cursor| cursor.lt >= tx.lt)
    }

    /// Takes over what the chain says, unless its count fell; quarantines who contradicts our books. The counts are what
    /// is told, what was told before, and ours.
    fn held_against(
        record: Record,
        party: Party,
        [told, seen, ours]: [u64; 3],
        moved: Record,
        at: u64,
    ) -> Told {
        let (first, cause) = if told < seen {
            (moved, Cause::CounterFell { from: seen, to: told })
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

    fn passed_over(contract: Address, tx: Tx, refused: EventRefused) -> Self {
        Self {
            records: vec![Record::CursorMoved { contract, tx }],
            refused: Some(refused),
        }
    }
}

impl Client {
    /// Nothing is owed either way, and nothing goes on: the chain tells all of it again.
    fn is_empty(&self) -> bool {
        self.open == 0
            // The chain's messages do not tell it.
            && self.generation == 0
            && self.levels.memory == self.state.tokens
            && self.settling.in_flight.is_none()
            && self.quarantine.is_none()
            && (self.state.status == Status::Closed || self.state.balance == Nanoton::ZERO)
    }
}
