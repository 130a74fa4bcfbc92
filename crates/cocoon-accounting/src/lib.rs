//! Accounts as a pure state machine: no clock, no randomness, no I/O, no cells.
//!
//! * [`Prices`], [`adjusted`], [`worst_case`]: what a request costs, exactly (spec/ton.md 6).
//! * [`Accounts`]: a proxy's accounts. A command looks at the state and returns a [`Record`]; [`Accounts::apply`] of that
//!   record is the only thing that changes it. Records are the journal (`cocoon-store`): replaying them gives the same
//!   state. What must happen outside comes back as an [`Effect`], to be done once its record is durable.
//! * [`ClientView`] and [`WorkerView`]: what a peer believes of its account at a proxy, and when it acts by itself
//!   (spec/ton.md 5).
//!
//! The caller derives addresses, signs, sends and follows the chain; here are numbers and [`Address`]es only.
//! Every sum is checked. Whatever a peer, the chain or a file says ends in an error with a name, never in a panic.
//!
//! [`Address`]: cocoon_types::Address
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![deny(clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod accounts;
mod codec;
mod levels;
mod policy;
mod pricing;
mod record;
mod terms;
mod view;

pub use accounts::{
    Accounts, ApplyError, ClientAccount, CommandRefused, CompareRefused, Effect, EventRefused, MAX_ACCOUNTS,
    MAX_OLD, MAX_OPEN, MAX_SNAPSHOT_BYTES, Outcome, ReserveRefused, Seen, SettleRefused, Step, Told,
    WorkerAccount,
};
pub use codec::DecodeError;
pub use levels::Levels;
pub use policy::{Policy, When};
pub use pricing::{
    ClassCost, ClassTokens, Overflow, Prices, PricesError, TEMPLATE_ALLOWANCE, adjusted, worst_case,
};
pub use record::{Cause, Halt, Kind, MAX_RECORD_BYTES, Record, Settlement};
pub use terms::{ClientState, ContractState, Party, Status, Terms, Tx, WorkerState};
pub use view::{ClientAction, ClientPolicy, ClientView, Lie, Pushed, ToldLevels, WorkerPolicy, WorkerView};
