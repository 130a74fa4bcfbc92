//! The chain as nodes see it: one trait, the embedded ledger behind it, and what nodes build on the trait.
//!
//! * [`Chain`] is all that a node may ask: an account's state, its transactions, sending an external message, the head.
//! * [`Ledger`] is a whole TON chain in one process: a real virtual machine, real contracts, real gas and storage fees,
//!   kept in SQLite. [`LedgerChain`] is the trait on it.
//! * [`serve`] shows a ledger over HTTP in toncenter's form, and [`HttpChain`] is the trait on that, for a test network
//!   of several processes.
//! * [`WalletSender`], [`Follower`] and [`Registry`] are what nodes do with any chain: send, watch an account, know the
//!   network's configuration.
//! * [`ProxyContract`] is what every role derives from the registry before it has to do with a proxy's money.
//! * [`wallet_file`] keeps a wallet's words on disk.
//!
//! Nodes know nothing of which chain it is. What messages mean is
//! `cocoon-contracts`' business.
//! Facts: spec/ton.md sections 1, 7, 8, 11 and 12.
#![forbid(unsafe_code)]

mod backoff;
mod chain;
mod follower;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod http_chain;
mod ledger;
mod proxy_contract;
mod purse;
mod registry;
#[cfg(test)]
mod testing;
pub mod wallet_file;
mod wallet_sender;

pub use chain::{Account, At, Chain, ChainError, Head, Message, Status, Transaction, TxId};
pub use follower::{Followed, Follower};
pub use http::serve;
pub use http_chain::{HttpChain, HttpChainError};
pub use ledger::{
    Block, Faults, GetMethodError, GetMethodOutput, Ledger, LedgerChain, LedgerError, LedgerOptions,
    StackItem, StoreError, SubmitError,
};
pub use proxy_contract::{ProxyContract, TermsError, ToldError};
pub use purse::{Purse, PurseError, PurseKeys, PurseKeysError, PurseOptions};
pub use registry::{Registry, RegistryError, RegistryOptions};
pub use wallet_sender::{SendError, Sent, WalletSender, WalletSenderOptions};
