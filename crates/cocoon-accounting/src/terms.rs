//! What the accounts know of contracts: terms, states, positions in the chain.

use cocoon_types::{Address, Nanoton};

use crate::{
    codec::{code_enum, code_struct},
    pricing::Prices,
};

/// The terms of one proxy contract. A change of any of them is another contract (spec/ton.md 1.2, 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The proxy's contract.
    pub contract: Address,
    /// The registry's version of these terms.
    pub params_version: u32,
    /// What tokens cost.
    pub prices: Prices,
    /// Seconds from the request to close the proxy's contract until it can be completed.
    pub proxy_delay: u32,
    /// Seconds from a client's request for its refund until it can force it.
    pub client_delay: u32,
}

/// Where a contract is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Normal.
    #[default]
    Open,
    /// It was asked to close, and waits for its delay.
    Closing,
    /// Closed. A client's contract of ours may be opened again.
    Closed,
}

/// A client's contract, as its last message to the proxy's contract states it (spec/ton.md 2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientState {
    /// Where it is in its life.
    pub status: Status,
    /// What is paid in and not yet charged.
    pub balance: Nanoton,
    /// The part that cannot be withdrawn while it is open: the limit of usage that is not charged yet.
    pub stake: Nanoton,
    /// Adjusted tokens charged since its creation. Never falls.
    pub tokens: u64,
    /// SHA-256 of the secret of the short authorisation.
    pub secret_hash: [u8; 32],
}

/// A worker's contract, as its last message to the proxy's contract states it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerState {
    /// Where it is in its life.
    pub status: Status,
    /// Adjusted tokens paid out since its creation. Never falls.
    pub tokens: u64,
}

/// The proxy's own contract, as its account's data states it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContractState {
    /// Where it is in its life.
    pub status: Status,
    /// The proxy owner's share, which can be withdrawn.
    pub balance: Nanoton,
    /// What its owner put behind the debts to clients and workers.
    pub stake: Nanoton,
    /// When a closing contract may be completed, in unix seconds.
    pub unlock_at: u32,
    /// What payouts may still take, at the client's price: settled charges and stake less what was paid (H6, H7).
    /// `None` where the contract sets no such limit (the original's).
    pub payable: Option<Nanoton>,
}

/// A transaction of the proxy's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tx {
    /// Logical time: grows from one transaction of an account to the next.
    pub lt: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

/// Who a counter belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// The client whose contract has this owner.
    Client {
        /// Its owner.
        owner: Address,
    },
    /// The worker whose contract has this owner.
    Worker {
        /// Its owner.
        owner: Address,
    },
    /// The proxy itself.
    Proxy,
}

impl Party {
    /// A client.
    pub const fn client(owner: Address) -> Self {
        Self::Client { owner }
    }

    /// A worker.
    pub const fn worker(owner: Address) -> Self {
        Self::Worker { owner }
    }
}

code_struct!(Terms {
    contract,
    params_version,
    prices,
    proxy_delay,
    client_delay
});
code_enum!(Status, "a contract's state" { 0 => Open, 1 => Closing, 2 => Closed });
code_struct!(ClientState {
    status,
    balance,
    stake,
    tokens,
    secret_hash
});
code_struct!(WorkerState { status, tokens });
code_struct!(ContractState {
    status,
    balance,
    stake,
    unlock_at,
    payable
});
code_struct!(Tx { lt, hash });
code_enum!(Party, "a party" { 0 => Client { owner }, 1 => Worker { owner }, 2 => Proxy });
