//! What each fuzz target does with its input, one module per crate under test.
//!
//! The modules need nothing of libFuzzer, so that the crate under test can include its own by `#[path]` and replay
//! the committed corpus in its unit tests. An entry function panics iff the crate under test is wrong.

pub mod accounting;
pub mod attest;
pub mod chain;
pub mod contracts;
pub mod engine;
pub mod link;
pub mod models;
pub mod openai;
pub mod original;
pub mod seal;
pub mod session;
pub mod tee;
pub mod tl;
