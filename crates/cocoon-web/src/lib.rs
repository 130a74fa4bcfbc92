//! What every HTTP surface of a node shares: the guard at the door, API keys, metrics, `/health` and the accept loop.
//!
//! It does not know any role's API: a role brings an `axum::Router` and this crate serves it. The gateway
//! (`cocoon-client`) and the admin listeners of proxy and worker call it, and so does the binary (`cocoon key`).
//! The rules of the door stand in `DESIGN.md` section 8: listeners are on loopback unless configured, any other
//! address needs an API key, Host and Origin are checked.
#![forbid(unsafe_code)]

pub mod admin;
pub mod clock;
pub mod guard;
pub mod keys;
pub mod metrics;
mod serve;
mod stall;

pub use serve::{ServeOptions, serve};
