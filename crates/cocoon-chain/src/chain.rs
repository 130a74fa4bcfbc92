mod account;
mod error;
mod transaction;

use std::fmt;

use cocoon_types::{Address, Nanoton};
use futures_util::future::BoxFuture;
use tycho_types::cell::Cell;

pub use self::error::ChainError;
#[cfg(test)]
pub(crate) use self::transaction::body_cell;
pub(crate) use self::{account::account_from_state, error::Malformed};

/// What a node asks of a chain. All of it; nodes parse account data themselves and call no get methods (spec/ton.md 8.1).
pub trait Chain: fmt::Debug + Send + Sync {
    /// The newest block.
    fn head(&self) -> BoxFuture<'_, Result<Head, ChainError>>;

    /// A block by its number. A chain knows those of the last hour at least; [`ChainError::NotFound`] for one that is not
    /// there yet, or that it no longer knows.
    fn block_at(&self, seqno: u32) -> BoxFuture<'_, Result<Head, ChainError>>;

    /// An account's state. An account that does not exist is [`Status::Missing`], not an error.
    fn account(&self, address: Address, at: At) -> BoxFuture<'_, Result<Account, ChainError>>;

    /// The account's transactions from `newest` backwards: newest first, without gaps, down to the first whose logical
    /// time is above `until_lt`, to `limit` of them, or fewer where the chain gives fewer at once: one at least, and the
    /// last one's `prev` says where to go on.
    ///
    /// The chain of (logical time, hash) is checked, so the list is as genuine as `newest` is.
    fn transactions(
        &self,
        address: Address,
        newest: TxId,
        until_lt: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Transaction>, ChainError>>;

    /// Hands over an external message. `Ok` means accepted for delivery and nothing more: whether it was executed shows
    /// in the account's transactions.
    fn send<'a>(&'a self, external: &'a Cell) -> BoxFuture<'a, Result<(), ChainError>>;
}

/// A block; mostly the newest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The block's number.
    pub seqno: u32,
    /// Its root hash, which nobody knows before it is made.
    pub id: [u8; 32],
    /// The block's time in Unix seconds. The chain's clock, which messages' `valid_until` is measured by.
    pub time: u64,
}

/// Which state of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// After the newest block.
    Latest,
    /// After this block.
    Block(u32),
}

/// The state of an account after a block.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// Coins.
    pub balance: Nanoton,
    /// Whether it can run.
    pub status: Status,
    /// The code of an active account.
    pub code: Option<Cell>,
    /// The data of an active account.
    pub data: Option<Cell>,
    /// Its newest transaction.
    pub last: Option<TxId>,
    /// The block that the state belongs to.
    pub block: u32,
}

/// Whether an account can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// There is no such account.
    Missing,
    /// It holds coins and no code yet.
    Uninit,
    /// It holds code and data.
    Active,
    /// It owed storage fees for too long.
    Frozen,
}

/// Names a transaction of an account.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TxId {
    /// Logical time.
    pub lt: u64,
    /// Hash of the transaction's cell.
    pub hash: [u8; 32],
}

/// One transaction of an account.
#[derive(Clone, Debug, PartialEq)]
pub struct Transaction {
    /// Its name.
    pub id: TxId,
    /// The one before it on the same account.
    pub prev: Option<TxId>,
    /// The block's time in Unix seconds.
    pub time: u64,
    /// How the code ended; `None` where it did not run, as in the log messages of spec/ton.md 1.4 item 10.
    pub exit_code: Option<i32>,
    /// How the actions ended; `None` where there were none.
    pub action_code: Option<i32>,
    /// Whether the transaction was undone apart from its fees.
    pub aborted: bool,
    /// Whether the code ran and its actions were taken.
    pub success: bool,
    /// The message that caused it.
    pub inbound: Option<Message>,
    /// The messages that it sent, in order.
    pub outbound: Vec<Message>,
    /// What the account paid beside the values and forward fees of `outbound`.
    pub fees: Nanoton,
}

/// A message of a transaction.
#[derive(Clone, PartialEq)]
pub struct Message {
    /// Who sent it; `None` for an external one.
    pub source: Option<Address>,
    /// Where it goes; `None` for one that leaves the chain.
    pub destination: Option<Address>,
    /// Coins that travel with it.
    pub value: Nanoton,
    /// What was paid for carrying it, beside `value`.
    pub forward_fee: Nanoton,
    /// Logical time at which it was sent; 0 for an external one. With the sender's address it names the message.
    pub created_lt: u64,
    /// Whether it came back from an account that refused it.
    pub bounced: bool,
    /// Whether it came from outside the chain or leaves it.
    pub external: bool,
    /// Its body; an empty cell where there is none.
    pub body: Cell,
    /// Hash of the body's cell, which wallets are recognised by.
    pub body_hash: [u8; 32],
}

// === impl Head ===

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}@{}", self.seqno, hex::encode(&self.id[..8]), self.time)
    }
}

// === impl TxId ===

impl fmt::Debug for TxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.lt, hex::encode(&self.hash[..8]))
    }
}

// === impl Message ===

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("source", &self.source)
            .field("destination", &self.destination)
            .field("value", &self.value)
            .field("bounced", &self.bounced)
            .field("external", &self.external)
            .field("body_hash", &hex::encode(&self.body_hash[..8]))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
