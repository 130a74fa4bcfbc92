//! Ids, addresses, money, usage, tiers, faults and log-safe types: the words that every other crate shares.
//!
//! Holds no I/O, no clock and no randomness. Anybody may call it. The words are those of `docs/GLOSSARY.md`.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod address;
mod endpoint;
mod error_line;
mod fault;
mod id;
mod model;
mod nanoton;
mod price;
mod private;
mod tier;
mod usage;

pub use address::{Address, AddressError};
pub use endpoint::Endpoint;
pub use error_line::error_line;
pub use fault::{Fault, Refusal};
pub use id::RequestId;
pub use model::{ModelName, ModelNameError};
pub use nanoton::{Nanoton, NanotonError};
pub use price::{Coefficient, Multipliers};
pub use private::Private;
pub use tier::{Tier, TierError, TierPolicy};
pub use usage::{Usage, UsageError};

/// Largest request body that a gateway takes and a proxy or worker carries, in bytes.
///
/// Inline images make bodies large; 16 MiB is what the original's frame could hold at most (spec/network.md 1.3).
pub const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// Output tokens that a request may produce when the caller names no limit.
pub const DEFAULT_MAX_TOKENS: u32 = 1024;
