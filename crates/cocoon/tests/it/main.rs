//! The `cocoon` program as a person uses it: real processes, real sockets, a real model.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attest;
mod cli;
mod kills;
mod ledger;
mod memory;
mod money;
mod money_page;
mod network;
mod registry;
mod sdk;
mod secrecy;
mod two_machines;
mod up;
mod verify;
mod wallet;
mod workers;
