use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// A bounded queue from a link's reader to one receiver, in order. Full is a reason to wait, never to drop.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    state: Mutex<State<T>>,
    limits: Limits,
}

/// How much a mailbox holds: it takes the next item while it is below both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) count: usize,
    pub(crate) bytes: usize,
}

/// What became of an item.
#[derive(Debug)]
pub(crate) enum Pushed<T> {
    /// It is in the queue, or was dropped because the mailbox has ended or its receiver is gone.
    Done,
    /// There is no room now.
    Full(T),
    /// The queue was taken over: the item goes elsewhere.
    Forward(T),
}

#[derive(Debug)]
struct State<T> {
    queue: VecDeque<(T, usize)>,
    bytes: usize,
    phase: Phase,
    receiver: Option<Waker>,
    sender: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Nothing more comes; what is here is still handed out.
    Ended,
    /// The receiver is gone.
    Abandoned,
    /// Items go elsewhere.
    Forwarded,
}

// === impl Mailbox ===

impl<T> Mailbox<T> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            state: Mutex::new(State {
                queue: VecDeque::new(),
                bytes: 0,
                phase: Phase::Open,
                receiver: None,
                sender: None,
            }),
            limits,
        }
    }

    /// Puts an item of this many bytes at the end, if there is room.
    pub(crate) fn push(&self, item: T, bytes: usize) -> Pushed<T> {
        let mut state = self.lock();
        match state.phase {
            Phase::Open => {}
            Phase::Ended | Phase::Abandoned => {
                drop(state);
                // Outside the lock: the item's own Drop may end the link, and with it this mailbox.
                drop(item);
                return Pushed::Done;
            }
            Phase::Forwarded => return Pushed::Forward(item),
        }
        if state.queue.len() >= self.limits.count || state.bytes >= self.limits.bytes {
            return Pushed::Full(item);
        }
        state.queue.push_back((item, bytes));
        state.bytes += bytes;
        let waker = state.receiver.take();
        drop(state);
        wake(waker);
        Pushed::Done
    }

    /// Waits until [`Self::push`] is worth another try. One waiter at a time.
    pub(crate) async fn room(&self) {
        poll_fn(|context| {
            let mut state = self.lock();
            if state.phase != Phase::Open
                || (state.queue.len() < self.limits.count && state.bytes < self.limits.bytes)
            {
                return Poll::Ready(());
            }
            state.sender = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// The next item; nothing when the mailbox has ended and is empty. One receiver at a time; cancel-safe.
    pub(crate) async fn recv(&self) -> Option<T> {
        poll_fn(|context| {
            let mut state = self.lock();
            if let Some(item) = state.pop() {
                let waker = state.sender.take();
                drop(state);
                wake(waker);
                return Poll::Ready(Some(item));
            }
            if state.phase != Phase::Open {
                return Poll::Ready(None);
            }
            state.receiver = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Nothing more will come.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Open {
            state.phase = Phase::Ended;
        }
        let wakers = (state.receiver.take(), state.sender.take());
        drop(state);
        wake(wakers.0);
        wake(wakers.1);
    }

    /// The receiver is gone: drops what is here and what comes.
    pub(crate) fn abandon(&self) {
        let mut state = self.lock();
        if state.phase != Phase::Forwarded {
            state.phase = Phase::Abandoned;
        }
        state.bytes = 0;
        let left = std::mem::take(&mut state.queue);
        let waker = state.sender.take();
        drop(state);
        wake(waker);
        // Outside the lock: an item's own Drop may do anything.
        drop(left);
    }

    /// Whether the receiver is gone.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.lock().phase == Phase::Abandoned
    }

    /// The next item, or, in the same moment as the queue is empty, the change after which items go elsewhere.
    pub(crate) fn pop_or_forward(&self) -> Option<T> {
        let mut state = self.lock();
        let item = state.pop();
        if item.is_none() {
            state.phase = Phase::Forwarded;
        }
        let waker = state.sender.take();
        drop(state);
        wake(waker);
        item
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn pop(&mut self) -> Option<T> {
        let (item, bytes) = self.queue.pop_front()?;
        self.bytes -= bytes;
        Some(item)
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests;
