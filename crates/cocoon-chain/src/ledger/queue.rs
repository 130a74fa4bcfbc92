//! Internal messages that wait for execution, oldest first. Money travels in them: none may be lost.

use std::collections::VecDeque;

use tycho_types::{boc::Boc, cell::Cell};

use super::{
    LedgerError,
    store::{Store, StoreError},
};

/// The oldest messages in memory, the rest on disk.
#[derive(Debug)]
pub(crate) struct Queue {
    front: VecDeque<Queued>,
    /// Messages that are on disk only; all of them are younger than those of `front`.
    behind: u64,
    /// The youngest that was ever in `front`.
    newest_in_front: u64,
    /// The youngest that was taken out since the last [`Queue::flush`].
    taken: Option<u64>,
}

#[derive(Debug)]
struct Queued {
    lt: u64,
    message: Cell,
    stored: bool,
}

/// Messages in memory. A message is at most 64 KiB and usually below 1 KiB.
const WINDOW: usize = 2048;

// === impl Queue ===

impl Queue {
    pub(crate) fn load(store: &Store) -> Result<Self, LedgerError> {
        let mut queue = Self {
            front: VecDeque::new(),
            behind: store.waiting(0)?,
            newest_in_front: 0,
            taken: None,
        };
        queue.refill(store)?;
        Ok(queue)
    }

    /// Whether more wait than memory holds; then nobody may add to it from outside.
    pub(crate) fn is_overflowing(&self) -> bool {
        self.behind > 0
    }

    /// Whether a message from outside a block may be added: it stays in memory until the block that takes it.
    pub(crate) fn has_room(&self) -> bool {
        self.behind == 0 && self.front.len() < WINDOW
    }

    /// `lt` is above that of every message before.
    pub(crate) fn push(&mut self, store: &Store, lt: u64, message: Cell) -> Result<(), LedgerError> {
        if self.behind > 0 || self.front.len() >= WINDOW {
            store.push_message(lt, &Boc::encode(&message))?;
            self.behind += 1;
        } else {
            self.newest_in_front = lt;
            self.front.push_back(Queued {
                lt,
                message,
                stored: false,
            });
        }
        Ok(())
    }

    pub(crate) fn pop(&mut self, store: &Store) -> Result<Option<Cell>, LedgerError> {
        if self.front.is_empty() && self.behind > 0 {
            self.refill(store)?;
        }
        let Some(first) = self.front.pop_front() else {
            return Ok(None);
        };
        self.taken = Some(first.lt);
        Ok(Some(first.message))
    }

    /// Makes the disk say what memory says; part of the block's transaction.
    pub(crate) fn flush(&mut self, store: &Store) -> Result<(), LedgerError> {
        if let Some(taken) = self.taken.take() {
            store.drop_messages(taken)?;
        }
        for queued in self.front.iter_mut().filter(|queued| !queued.stored) {
            store.push_message(queued.lt, &Boc::encode(&queued.message))?;
            queued.stored = true;
        }
        Ok(())
    }

    fn refill(&mut self, store: &Store) -> Result<(), LedgerError> {
        for (lt, boc) in store.messages(self.newest_in_front, WINDOW)? {
            let message = Boc::decode(&boc).map_err(|_| StoreError::Damaged("a queued message"))?;
            self.newest_in_front = lt;
            self.behind = self.behind.saturating_sub(1);
            self.front.push_back(Queued {
                lt,
                message,
                stored: true,
            });
        }
        Ok(())
    }
}
