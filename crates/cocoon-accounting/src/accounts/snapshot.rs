//! The whole state as bytes: what replay starts from when older records are gone.

use super::{Accounts, MAX_ACCOUNTS, MAX_OLD, MAX_OPEN, state::MAX_SESSIONS};
use crate::codec::{self, Code, DecodeError, Reader};

/// Longer than any snapshot: every bound of the accounts reached, with room.
pub const MAX_SNAPSHOT_BYTES: usize = 256 * 1024 * 1024;

/// First byte of every snapshot.
const VERSION: u8 = 1;

impl Accounts {
    /// The state as bytes. Levels that are not on disk yet count as if they were: a snapshot is written after them.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        self.put(&mut out);
        out
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_SNAPSHOT_BYTES {
            return Err(DecodeError::TooLong);
        }
        match bytes.split_first() {
            Some((&VERSION, body)) => codec::decode(body),
            Some((version, _)) => Err(DecodeError::Version(*version)),
            None => Err(DecodeError::Short),
        }
    }

    fn is_within_bounds(&self) -> bool {
        let accounts = |clients: usize, workers: usize| clients <= MAX_ACCOUNTS && workers <= MAX_ACCOUNTS;
        let current = self.current.as_ref();
        current.is_none_or(|current| accounts(current.clients.len(), current.workers.len()))
            && self
                .old
                .iter()
                .all(|old| accounts(old.clients.len(), old.workers.len()))
            && self.old.len() <= MAX_OLD
            && self.open.len() <= MAX_OPEN
            && self.commits.sessions.len() <= MAX_SESSIONS
    }
}

impl Code for Accounts {
    fn put(&self, out: &mut Vec<u8>) {
        self.applied.put(out);
        self.halted.put(out);
        self.current.put(out);
        self.old.put(out);
        self.commits.put(out);
        self.open.put(out);
        self.finished.put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let accounts = Self {
            applied: Code::take(input)?,
            halted: Code::take(input)?,
            current: Code::take(input)?,
            old: Code::take(input)?,
            commits: Code::take(input)?,
            open: Code::take(input)?,
            finished: Code::take(input)?,
            unflushed: std::collections::VecDeque::new(),
        };
        if accounts.is_within_bounds() {
            Ok(accounts)
        } else {
            Err(DecodeError::Value("a number of accounts"))
        }
    }
}
