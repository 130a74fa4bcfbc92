//! The three levels of a cumulative count (spec/ton.md 4.2).

use crate::{
    codec::{Code, DecodeError, Reader},
    pricing::Overflow,
};

/// How many adjusted tokens a client owes or a worker has earned since its contract was created, by how sure it is.
///
/// `chain <= journal <= memory`, and none ever falls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    /// All that happened (the original's `max`).
    pub memory: u64,
    /// What is in the proxy's journal (the original's `db`).
    pub journal: u64,
    /// What a commit seen on the chain covers: a proxy that forgets it is found out. Signed payments state it.
    pub chain: u64,
}

impl Levels {
    /// The same count on all levels.
    pub const fn at(tokens: u64) -> Self {
        Self {
            memory: tokens,
            journal: tokens,
            chain: tokens,
        }
    }

    pub(crate) fn after(self, tokens: u64) -> Result<u64, Overflow> {
        self.memory.checked_add(tokens).ok_or(Overflow)
    }
}

/// The journal's level is not written: what is read from a journal is in the journal.
impl Code for Levels {
    fn put(&self, out: &mut Vec<u8>) {
        self.memory.put(out);
        self.chain.put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (memory, chain) = (u64::take(input)?, u64::take(input)?);
        if chain > memory {
            return Err(DecodeError::Value("the chain's level"));
        }
        Ok(Self {
            memory,
            journal: memory,
            chain,
        })
    }
}
