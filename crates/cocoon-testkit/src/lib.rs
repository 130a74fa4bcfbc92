//! See Cargo.toml.

pub mod canned;
