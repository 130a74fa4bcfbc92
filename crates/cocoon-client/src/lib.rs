//! The client gateway: the OpenAI API towards apps, attested links towards proxies.
//!
//! It parses a request once (unknown members survive), chooses a proxy whose evidence was appraised, forwards the body
//! and nothing else of the caller, and streams the answer back as it comes. Before the first byte it fails over to
//! another proxy; after it, an answer that breaks off can never look complete. It does not choose workers, does not
//! read what it carries past the members that the network agrees on, and logs none of it.
//!
//! The binary and the test kit start it: [`Options`] -> [`Config`] -> [`App`]. Wire: spec/network.md 6.1, 6.3 and
//! protocol 3 of `cocoon_tl::v3`; API: `docs/ARCHITECTURE.md`. What the original's client gets wrong here
//! (spec/network.md 6.5.1 and 10) is tested against.
#![forbid(unsafe_code)]

mod account;
mod allowance;
mod app;
mod forward;
mod http;
mod idempotency;
mod links;
mod metrics;
mod options;
mod receipts;
mod sealed;

pub use app::{App, RunError, StartError};
pub use options::{Config, ConfigError, Options};
pub use receipts::receipt_json;
