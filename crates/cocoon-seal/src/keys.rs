//! A worker's sealing keys.

pub(crate) mod public;
pub(crate) mod ring;
pub(crate) mod seen;
pub(crate) mod sessions;
