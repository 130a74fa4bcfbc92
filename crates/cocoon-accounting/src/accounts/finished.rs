//! Requests that ended, remembered so that a second settlement of one is answered and not charged.
//!
//! This memory makes duplicates harmless to the asker; it is not what keeps them from being charged: a charge needs an
//! open reservation, which its settlement uses up. So it may be bounded. A duplicate can come from our own relay only,
//! within the life of a request, which is far below [`MAX_AGE`]; a client that sends an id again after that makes a new
//! request, with a reservation of its own.

use std::collections::{BTreeMap, VecDeque};

use cocoon_types::{Address, RequestId};

use crate::codec::{Code, DecodeError, Reader, code_struct};

/// Ended requests remembered: some 200 bytes each, and half a minute at 2000 requests a second.
const MAX_COUNT: usize = 65_536;
/// Seconds: several times the longest time limit of a request.
const MAX_AGE: u64 = 3600;

type Key = (Address, RequestId);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Finished {
    order: VecDeque<Entry>,
    tokens: BTreeMap<Key, u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    key: Key,
    tokens: u64,
    at: u64,
}

code_struct!(Entry { key, tokens, at });

impl Finished {
    /// What the request was charged.
    pub(super) fn tokens(&self, key: &Key) -> Option<u64> {
        self.tokens.get(key).copied()
    }

    pub(super) fn insert(&mut self, key: Key, tokens: u64, at: u64) {
        while let Some(oldest) = self.order.front() {
            if self.order.len() < MAX_COUNT && oldest.at.saturating_add(MAX_AGE) >= at {
                break;
            }
            self.tokens.remove(&oldest.key);
            self.order.pop_front();
        }
        if self.tokens.insert(key, tokens).is_none() {
            self.order.push_back(Entry { key, tokens, at });
        }
    }
}

impl Code for Finished {
    fn put(&self, out: &mut Vec<u8>) {
        self.order.put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let order: VecDeque<Entry> = VecDeque::take(input)?;
        let tokens: BTreeMap<_, _> = order.iter().map(|entry| (entry.key, entry.tokens)).collect();
        if tokens.len() != order.len() || order.len() > MAX_COUNT {
            return Err(DecodeError::Value("the ended requests"));
        }
        Ok(Self { order, tokens })
    }
}
