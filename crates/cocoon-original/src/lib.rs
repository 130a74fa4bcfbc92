//! Peers of the original (protocols 0 to 2), as if they spoke protocol 3.
//!
//! A translator stands between the link to such a peer, past its handshake, and a role. The role gets the other end of
//! an ordinary link of this process (`cocoon_link::Link::pair`), on which it speaks protocol 3 as with any peer, so that
//! admission, relay, flow control, accounts and drain are the same code for both. [`join_asker`] is for peers that ask (a client at
//! a proxy, a proxy at a worker), [`join_server`] for peers that answer (a worker at a proxy, a proxy at a gateway).
//!
//! What it does: requests and answers, usage (the original tells *adjusted* tokens), errors in the form that those peers
//! survive, payments and questions passed through. What it does not: handshakes, and the decision who may speak so old a
//! protocol (docs/adr/0006), which are the roles'. Called by them only. spec/network.md 6.5, 6.13 and 10.
//!
//! Whatever such a peer sends ends at worst its own request or its own link, with a named reason.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod asking;
mod codes;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod join;
mod pass;
mod plain;
mod serving;
mod usage;
mod words;

pub use join::{AskerRules, Bridge, Terms, join_asker, join_server};
pub use words::Leg;

/// The versions of the original.
pub const VERSIONS: std::ops::RangeInclusive<i32> = 0..=2;
/// The oldest version that our own nodes offer to the original's.
pub const OLDEST_OFFERED: i32 = 1;
