use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, Semaphore};

/// Bytes that may wait for the writer: two batches, so that the next one is complete when one has been written, and
/// little enough that a stream's turn comes soon.
pub(crate) const MAX_QUEUED: usize = 512 * 1024;
/// What every entry counts beyond its bytes; bounds the number of entries.
const ENTRY_COST: usize = 64;
/// Entries that did not wait for room. A link with all its 4096 streams open can owe a credit and an ending for each
/// at once; a peer that makes us owe more does not read.
const MAX_URGENT: usize = 16 * 1024;

/// What waits for a link's writer, in the order in which it leaves.
#[derive(Debug)]
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    room: Semaphore,
    ready: Notify,
}

/// One frame to be written.
pub(crate) enum Outgoing {
    /// `tcp.packet` around a boxed message.
    Packet(Bytes),
    Query {
        id: i64,
        data: Bytes,
    },
    Answer {
        id: i64,
        data: Bytes,
    },
    Error {
        id: i64,
        code: i32,
        message: String,
    },
    Ping(i64),
    Pong(i64),
    /// `cocoon.body`
    Body {
        stream: i64,
        last: bool,
        data: Bytes,
    },
    /// `cocoon.part`
    Part {
        stream: i64,
        data: Bytes,
    },
    /// `cocoon.credit`
    Credit {
        stream: i64,
        bytes: i32,
    },
    /// `cocoon.cancel`
    Cancel {
        stream: i64,
    },
}

/// An outgoing frame and how much room it holds; 0 for an urgent one.
pub(crate) type Entry = (Outgoing, u32);

/// Room for one frame; returned when dropped unused.
#[derive(Debug)]
pub(crate) struct Room<'a> {
    permit: tokio::sync::SemaphorePermit<'a>,
    outbox: &'a Outbox,
}

/// Why an urgent frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    Ended,
    TooManyUrgent,
}

#[derive(Debug, Default)]
struct Queue {
    entries: Vec<Entry>,
    /// Urgent entries here and in the writer's hands.
    urgent: usize,
    ended: bool,
}

// === impl Outbox ===

impl Outbox {
    pub(crate) fn new() -> Self {
        Self {
            queue: Mutex::default(),
            room: Semaphore::new(MAX_QUEUED),
            ready: Notify::new(),
        }
    }

    /// Waits for room for a frame with this many bytes of data; nothing when the link has ended. Cancel-safe; waiters
    /// are served in order.
    pub(crate) async fn room(&self, bytes: usize) -> Option<Room<'_>> {
        // A frame larger than the whole queue may go when the queue is empty.
        let cost = u32::try_from((bytes + ENTRY_COST).min(MAX_QUEUED)).unwrap_or(u32::MAX);
        let permit = match self.room.try_acquire_many(cost) {
            Ok(permit) => permit,
            Err(_) => self.room.acquire_many(cost).await.ok()?,
        };
        Some(Room { permit, outbox: self })
    }

    /// Queues without waiting: for the reader, which must not wait, and for `Drop`, which cannot.
    pub(crate) fn push_urgent(&self, frame: Outgoing) -> Result<(), NotTaken> {
        let mut queue = self.lock();
        if queue.ended {
            return Err(NotTaken::Ended);
        }
        if queue.urgent >= MAX_URGENT {
            return Err(NotTaken::TooManyUrgent);
        }
        queue.urgent += 1;
        self.push(queue, (frame, 0));
        Ok(())
    }

    /// No more frames are taken; those that are queued still go out.
    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.room.close();
        self.ready.notify_one();
    }

    /// Everything that is queued, into an empty vector. False: nothing, and nothing will come.
    pub(crate) fn take(&self, entries: &mut Vec<Entry>) -> bool {
        let mut queue = self.lock();
        std::mem::swap(&mut queue.entries, entries);
        !entries.is_empty() || !queue.ended
    }

    /// Waits until [`Self::take`] has something to say.
    pub(crate) async fn ready(&self) {
        self.ready.notified().await;
    }

    /// Gives back the room of entries that have been written.
    pub(crate) fn written(&self, room: usize, urgent: usize) {
        self.room.add_permits(room);
        if urgent > 0 {
            let mut queue = self.lock();
            queue.urgent = queue.urgent.saturating_sub(urgent);
        }
    }

    fn push(&self, mut queue: MutexGuard<'_, Queue>, entry: Entry) {
        // The writer takes all there is before it waits, so only the first entry has to wake it.
        let wake = queue.entries.is_empty();
        queue.entries.push(entry);
        drop(queue);
        if wake {
            self.ready.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Room ===

impl Room<'_> {
    /// Queues the frame. False: the link has ended.
    pub(crate) fn push(self, frame: Outgoing) -> bool {
        let queue = self.outbox.lock();
        if queue.ended {
            return false;
        }
        let cost = u32::try_from(self.permit.num_permits()).unwrap_or(u32::MAX);
        self.permit.forget();
        self.outbox.push(queue, (frame, cost));
        true
    }
}

// === impl Outgoing ===

impl Outgoing {
    /// Bytes of data, for its room in the queue.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Packet(data)
            | Self::Query { data, .. }
            | Self::Answer { data, .. }
            | Self::Body { data, .. }
            | Self::Part { data, .. } => data.len(),
            Self::Error { message, .. } => message.len(),
            Self::Ping(_) | Self::Pong(_) | Self::Credit { .. } | Self::Cancel { .. } => 0,
        }
    }
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Packet(_) => "Packet",
            Self::Query { .. } => "Query",
            Self::Answer { .. } => "Answer",
            Self::Error { .. } => "Error",
            Self::Ping(_) => "Ping",
            Self::Pong(_) => "Pong",
            Self::Body { .. } => "Body",
            Self::Part { .. } => "Part",
            Self::Credit { .. } => "Credit",
            Self::Cancel { .. } => "Cancel",
        })
    }
}
