//! The TL wire format: codec, every message of the original, and protocol 3.
//!
//! Pure: bytes in, values out. It opens no socket, knows no state and judges no meaning (whether a coefficient is
//! sane, whether a message is due); that is done by `cocoon-link` and the roles. Anybody may call it.
//! Spec: spec/network.md 1.3-1.5 (frames, packets) and 5 (encoding, table of constructors); protocol 3 is [`v3`].
//!
//! How to read it: each namespace of the scheme is a module; each constructor or function is a struct whose first
//! doc line is its declaration; each type with several constructors is an enum. A struct standing in a field is
//! *bare*, an enum standing in a field is *boxed*, as in the original. Where a constructor and its type have the
//! same name, the type keeps it and the constructor's struct ends in `Data` ([`tcp::Packet`], [`tcp::PacketData`]).
//!
//! `Debug` of every message shows numbers and lengths only: strings and bytes of a peer may hold content, and
//! content must not reach a log. [`TlString::lossy`] is the way to show a string on purpose.
//!
//! ```
//! use cocoon_tl::{TlObject, client, peek_id};
//! let question = client::GetWorkerTypesV2 {}.to_boxed();
//! assert_eq!(peek_id(&question), Some(client::GetWorkerTypesV2::ID));
//! assert!(client::GetWorkerTypesV2::from_boxed(question).is_ok());
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

mod catalogue;
mod codec;
mod error;
mod scheme;
mod text;

pub mod client;
pub mod frame;
pub mod http;
pub mod key_manager;
pub mod key_manager_db;
pub mod proxy;
pub mod proxy_db;
pub mod root_config;
pub mod runner_config;
pub mod shared;
pub mod tcp;
pub mod test;
pub mod ton;
pub mod v3;
pub mod worker;

pub use catalogue::{Constructor, by_id, catalogue};
pub use codec::{
    MAX_ELEMENTS, Reader, TlConstructor, TlField, TlFunction, TlObject, Writer, bytes_size, peek_id,
};
pub use error::TlError;
pub use text::TlString;
