//! The proxy: matches requests to workers and relays them, without ever looking into a body.
//!
//! Clients and workers dial it on two attested listeners. For each request it reserves ([`accounting`]), chooses a
//! worker (`cocoon-matching`), relays body and answer with the receiver's pace, and settles what was used. While nothing
//! of the answer has gone out it may try another worker. It parses no content, keeps none past the request, and logs none.
//!
//! The binary and the test kit start it: [`Options`] -> [`Config`] -> [`App`]. Wire: spec/network.md 6.1 to 6.4, and
//! protocol 3 of `cocoon_tl::v3`; peers of protocol 0 to 2 are translated (`cocoon-original`, docs/adr/0006).
#![forbid(unsafe_code)]

pub mod accounting;
mod app;
mod board;
mod clients;
mod handshake;
mod listing;
mod metrics;
mod node;
mod options;
mod original;
mod relay;
mod sealed;
mod stated;
mod statement;
mod status;
mod teller;
mod workers;

pub use app::{App, RunError, StartError};
pub use options::{Config, ConfigError, Options};
