//! Cells against the vectors of spec/ton.md 13, against themselves, and against mischief.
#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

mod bags;
mod codes;
mod lists;
mod malformed;
mod recordings;
mod round_trips;
mod seeds;
mod setup;
mod vectors;
mod wallets;
