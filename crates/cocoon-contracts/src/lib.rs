//! The contracts, the wallet and signed payments as cells: storage, messages and addresses, in both directions.
//!
//! It encodes and decodes what spec/ton.md 1, 2, 4.1 and 9.4 describe, through the cells of `tycho-types`. It sends
//! nothing, knows no chain, no clock and no randomness (those are arguments), and decides nothing about money: that is
//! `cocoon-accounting`. Anybody may call it.
//!
//! Whatever is read may come from a peer or from a stranger's contract: every parser ends, keeps to a limit and names
//! what is wrong ([`CellError`], [`BocError`]).
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![deny(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

pub mod boc;
pub mod client;
pub mod code;
mod deployment;
mod error;
mod key;
pub mod message;
pub mod op;
mod params;
pub mod proxy;
mod reader;
pub mod root;
pub mod signed;
mod state_init;
pub mod wallet;
pub mod worker;
mod writer;

pub use boc::BocError;
pub use deployment::{Deployment, MissingCode};
pub use error::{CellError, Flaw};
pub use key::{KeyError, SigningKey};
pub use params::{Codes, Params};
pub use root::{RegisteredProxy, RootConfig};
pub use signed::Signed;
pub use state_init::StateInit;
pub use tycho_types::cell::Cell;

/// The representation hash of a cell: its identity.
pub fn hash(cell: &Cell) -> [u8; 32] {
    cell.repr_hash().0
}
