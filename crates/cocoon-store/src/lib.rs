//! The journal of a proxy's accounts: records on SQLite, durable in groups, authenticated against the disk's owner.
//!
//! [`Journal::open`] locks the directory, verifies every row, replays it and hands out the state with the open journal.
//! [`Journal::append`] puts records into the queue of the one writer thread; callers at once share one transaction
//! (`synchronous = FULL` on a write-ahead log), and the [`Flush`] it returns resolves when that is on disk. A failed write
//! poisons the journal: nothing is acknowledged after it.
//!
//! Every row carries an HMAC over itself and the row before, under a key that only the node has, so a host that alters,
//! drops or reorders rows is refused at the next open by name. What it can do is to put back a whole older copy: that is
//! what commits on the chain are for (spec/ton.md 4.3), and `cocoon_accounting` refuses then.
//!
//! Called by the proxy's bookkeeper. Knows no chain, no network, no clock.
#![forbid(unsafe_code)]

mod backup;
mod chain;
mod file;
mod journal;
mod read;
mod writer;

pub use backup::RestoreError;
pub use chain::JournalKey;
pub use file::{OpenError, SCHEMA_VERSION};
pub use journal::{Flush, Journal, StoreError};
