//! What workers have stated on their links: verified, kept as long as it holds, and what it makes of their tier.
//!
//! A bad statement costs a worker nothing but the statement: the refusal is logged and told, and the tier stays what the link's
//! certificate (or the statement before) earns. Ending the link instead would take a worker away for a fault that may be its
//! chain's or clock's, and would win nothing: what it could do without any statement, it may do.

mod book;
mod judge;
mod pace;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use cocoon_link::EnginePlace;
use cocoon_trust::{StatedEngine, StatedEvidence, VerifiedStatement};
use cocoon_types::Tier;
use tokio::sync::Notify;

pub(crate) use book::Book;
pub(crate) use judge::keep;

/// Statements of one worker that are kept: the newest, and the one before it, whose sealing key clients still use.
const MAX_HELD: usize = 2;

/// A statement that was verified, with everything that others need to verify it themselves.
#[derive(Debug)]
pub(crate) struct Held {
    /// [`StatedEvidence::digest`]
    pub(crate) digest: [u8; 32],
    /// The certificate of the link on which it came, in DER.
    pub(crate) certificate: Arc<[u8]>,
    pub(crate) evidence: StatedEvidence,
    pub(crate) verified: VerifiedStatement,
}

/// One worker's statements.
#[derive(Debug, Default)]
pub(crate) struct Stated {
    inner: Mutex<Inner>,
    /// Something came.
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    /// What is to be verified next: only ever the last that came.
    pending: Option<Result<StatedEvidence, String>>,
    /// Newest first.
    held: VecDeque<Arc<Held>>,
    /// Why the last one was refused, if it was.
    refusal: Option<String>,
}

// === impl Stated ===

impl Stated {
    /// Takes a `cocoon.statement`; one that still waits is forgotten.
    pub(crate) fn push(&self, message: Bytes) {
        let evidence = StatedEvidence::from_boxed(message).map_err(|error| error.to_string());
        self.lock().pending = Some(evidence);
        self.arrived.notify_one();
    }

    /// Those that hold, newest first.
    pub(crate) fn held(&self) -> Vec<Arc<Held>> {
        self.lock().held.iter().cloned().collect()
    }

    /// The newest that holds.
    pub(crate) fn newest(&self) -> Option<Arc<Held>> {
        self.lock().held.front().cloned()
    }

    /// Why the last one was refused, if it was.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.lock().refusal.clone()
    }

    /// What is to be verified; cancel-safe, since it stays where it is until it is [taken](Self::take).
    async fn pending(&self) {
        loop {
            if self.lock().pending.is_some() {
                return;
            }
            self.arrived.notified().await;
        }
    }

    fn take(&self) -> Option<Result<StatedEvidence, String>> {
        self.lock().pending.take()
    }

    /// Puts back what could not be verified yet, unless something newer came.
    fn put_back(&self, evidence: StatedEvidence) {
        self.lock().pending.get_or_insert(Ok(evidence));
    }

    /// Keeps this one as the newest; gives those that are no longer kept.
    fn keep(&self, held: Arc<Held>) -> Vec<Arc<Held>> {
        let mut inner = self.lock();
        inner.refusal = None;
        // The same again, after its link was silent for a while or the rules changed, is no second one.
        let (mut gone, kept): (Vec<_>, _) = inner
            .held
            .drain(..)
            .partition(|before| before.digest == held.digest);
        inner.held = kept.into();
        inner.held.push_front(held);
        while inner.held.len() > MAX_HELD {
            gone.extend(inner.held.pop_back());
        }
        gone
    }

    fn refuse(&self, reason: String) {
        self.lock().refusal = Some(reason);
    }

    /// Drops those that do not hold; gives them.
    fn drop_unless(&self, holds: impl Fn(&Held) -> bool) -> Vec<Arc<Held>> {
        let mut inner = self.lock();
        let (kept, gone) = inner.held.drain(..).partition(|held| holds(held));
        inner.held = kept;
        gone.into()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change leaves it whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a worker whose engine is in this place serves at: by its newest statement, or by its link alone.
pub(crate) fn tier(place: EnginePlace, link: Tier, newest: Option<&VerifiedStatement>) -> Tier {
    match newest {
        // Two words about the engine: the worse one counts.
        Some(stated) if stated.statement().engine != StatedEngine::OfImage => Tier::Open,
        Some(stated) => place.serving_tier(stated.tier()),
        None => place.serving_tier(link),
    }
}

/// As if it had been pushed and verified.
#[cfg(test)]
pub(crate) fn hold(book: &Book, worker: cocoon_matching::WorkerId, stated: &Stated, held: &Arc<Held>) {
    stated.keep(Arc::clone(held));
    book.add(worker, held);
}

#[cfg(test)]
mod tests;
