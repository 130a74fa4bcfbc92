//! Whole exchanges without a network, and everything that a proxy, a worker or a client can do to them.
#![expect(clippy::unwrap_used, reason = "a test: what fails here fails it")]

mod exchange;
mod keys;
mod make;
mod offers;
mod receipts;
mod support;
mod vectors;
mod warm;
