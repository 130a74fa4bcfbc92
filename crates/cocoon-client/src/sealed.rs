//! Requests that only workers which this gateway verified itself can read (docs/sealing.md).
//!
//! Each proxy has a [`Board`]: its offer lists, the workers that were appraised, the warm sessions with them. A request draws
//! its candidates from it ([`Drawn`]), is sealed for them, and its answer is opened by an [`Unsealer`].

mod board;
mod draw;
mod evidence;
mod random;
mod sessions;
mod unseal;
mod worker;

pub(crate) use board::{Board, OffersError};
pub(crate) use draw::{Drawn, Wanted};
pub(crate) use random::SystemRandom;
pub(crate) use unseal::{Concluded, Step, Unsealer};
pub(crate) use worker::Worker;

#[cfg(test)]
mod tests;

/// How requests are sealed when they do not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SealOptions {
    /// Workers that each request is sealed for.
    pub(crate) candidates: u8,
    /// Later requests to a worker are cheap, and can be told by it to be of one client, for ten minutes at most.
    pub(crate) remember: bool,
    /// The parts of answers are padded.
    pub(crate) padded: bool,
}
