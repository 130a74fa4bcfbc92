//! Requests: sealed by the client, opened by a worker (docs/sealing.md, section 3).

pub(crate) mod body;
pub(crate) mod open;
pub(crate) mod seal;
