//! What tests share: a whole network in one process, a canned engine with faults, peers that break the rules.
//!
//! Only dev-dependencies and the `cocoon` binary may name it. Nothing here is a mock of a protocol: every part is a
//! server or a client that speaks the real one.

pub mod canned;
pub mod hostile;
pub mod money;
pub mod network;
pub mod original;
pub mod relay;
