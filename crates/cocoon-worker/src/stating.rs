//! This worker's statement: what stands behind its links right now, kept fresh, and pushed on every link of protocol 3.
//!
//! A new one is made when what it says changes (engine, sealing key), when the node's identity was renewed, and when half of
//! its life is over. Without a chain or without evidence there is none; then the links' certificates are all that proxies know.

mod content;
mod standing;

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use cocoon_link::Identity;
use cocoon_trust::{StateError, StatedContent, StatedEvidence};
use cocoon_web::clock::unix_now;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use crate::{options::EngineChoice, shop::Shop};

use content::Known;
pub(crate) use standing::{Standing, Verdict};

/// After a statement could not be made: the chain or the quoting enclave may be back soon.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_AT_MOST: Duration = Duration::from_secs(60);

/// Several changes within this time make one statement: a quote takes up to seconds on some machines.
const TOGETHER: Duration = Duration::from_millis(200);

/// Longest time between two looks at whether a fresh one is due.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// The shortest time between two statements, whatever changes.
const BETWEEN: Duration = Duration::from_secs(1);

/// The statement of the moment, and what proxies think of it.
#[derive(Debug)]
pub(crate) struct Stating {
    /// What the legs push.
    current: watch::Sender<Option<Arc<StatedEvidence>>>,
    /// The key that the next statement names.
    sealing_key: watch::Sender<SealingKey>,
    /// Why there is no new statement, for a person.
    note: Mutex<Option<String>>,
    /// Of the links that stand.
    standings: Mutex<Vec<Weak<Standing>>>,
}

/// A sealing key, for statements about one identity: a key is named by one statement, so that everybody means the same by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct SealingKey {
    identity: [u8; 32],
    /// Empty without one.
    bytes: Vec<u8>,
}

// === impl Stating ===

impl Stating {
    pub(crate) fn new() -> Self {
        Self {
            current: watch::Sender::new(None),
            sealing_key: watch::Sender::default(),
            note: Mutex::new(None),
            standings: Mutex::default(),
        }
    }

    /// The statement that holds now, and every later one.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Option<Arc<StatedEvidence>>> {
        self.current.subscribe()
    }

    /// Names this sealing key from the next statement about this identity on, which is made at once. Without it there is none in them.
    pub(crate) fn set_sealing_key(&self, bytes: Vec<u8>, identity: &Identity) {
        let key = SealingKey {
            identity: *identity.public_key(),
            bytes,
        };
        self.sealing_key.send_if_modified(|before| {
            let is_new = *before != key;
            *before = key;
            is_new
        });
    }

    /// A link's standing, counted among those that [`Stating::standings`] lists.
    pub(crate) fn stand(&self) -> Arc<Standing> {
        let standing = Arc::new(Standing::default());
        let mut standings = self.standings.lock().unwrap_or_else(PoisonError::into_inner);
        standings.retain(|known| known.strong_count() > 0);
        standings.push(Arc::downgrade(&standing));
        standing
    }

    /// What the proxies of the links that stand think of the statement.
    pub(crate) fn standings(&self) -> Vec<Arc<Standing>> {
        let standings = self.standings.lock().unwrap_or_else(PoisonError::into_inner);
        standings.iter().filter_map(Weak::upgrade).collect()
    }

    /// Why there is no new statement.
    pub(crate) fn note(&self) -> Option<String> {
        self.note.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says why, once.
    fn missing(&self, error: &StateError) {
        let source = std::error::Error::source(error);
        let text = match source {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        let mut note = self.note.lock().unwrap_or_else(PoisonError::into_inner);
        if note.as_ref() == Some(&text) {
            return;
        }
        match error {
            // As it was configured.
            StateError::NoChain | StateError::NoEvidence => {
                tracing::info!(
                    reason = text,
                    "this worker states nothing; its certificate is all that proxies know"
                );
            }
            _ => tracing::warn!(
                reason = text,
                "this worker's statement cannot be made; trying again"
            ),
        }
        *note = Some(text);
    }

    fn publish(&self, evidence: StatedEvidence) {
        *self.note.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.current.send_replace(Some(Arc::new(evidence)));
    }
}

/// Keeps the statement fresh as long as it is polled.
pub(crate) async fn keep(shop: Arc<Shop>, engine: EngineChoice) {
    let mut known = Known::of(&engine).await;
    let stating = &shop.stating;
    let mut served = shop.engine.clone();
    let mut sealing = stating.sealing_key.subscribe();
    let mut identity = shop.trust.identity().subscribe();
    let mut pause = AGAIN;
    loop {
        known.look_again().await;
        let stated_for = Arc::clone(&identity.borrow_and_update());
        let content = {
            let key = sealing.borrow_and_update().of(&stated_for);
            let view = served.borrow_and_update();
            let place = view.served.as_ref().map(|served| served.place);
            place.map(|place| known.content(place, key))
        };
        let Some(content) = content else {
            // Nothing is served yet. Its sender ends with the worker.
            if served.changed().await.is_err() {
                return;
            }
            continue;
        };
        let next = match shop.trust.state(&content).await {
            // Renewed meanwhile: the key in it is not for this one.
            Ok(evidence) if !is_about(&evidence, &stated_for) => continue,
            Ok(evidence) => {
                pause = AGAIN;
                let next = Next::At(half_life(&evidence, unix_now()));
                tracing::info!(
                    accelerators = content.accelerators,
                    engine = ?content.engine,
                    model = content.model.is_some(),
                    seals = !content.sealing_key.is_empty(),
                    "this worker has a fresh statement"
                );
                stating.publish(evidence);
                Some(next)
            }
            Err(error) => {
                stating.missing(&error);
                // Somebody who states something else now than before must not be taken at the old word.
                stating.current.send_if_modified(|current| {
                    let is_over = current
                        .as_ref()
                        .is_some_and(|evidence| !still_says(evidence, &content));
                    if is_over {
                        *current = None;
                    }
                    is_over
                });
                let is_final = matches!(error, StateError::NoChain | StateError::NoEvidence);
                let next = (!is_final).then_some(Next::In(pause));
                pause = (pause * 2).min(AGAIN_AT_MOST);
                next
            }
        };
        let made = Instant::now();
        let mut due = pin!(due(next));
        loop {
            tokio::select! {
                () = &mut due => break,
                Ok(()) = served.changed() => {
                    let view = served.borrow_and_update();
                    let place = view.served.as_ref().map(|served| served.place);
                    // It says something else only when the engine is elsewhere now.
                    if place.is_some_and(|place| known.place(place) != content.engine) {
                        break;
                    }
                }
                Ok(()) = sealing.changed() => break,
                Ok(()) = identity.changed() => {
                    if !Arc::ptr_eq(&identity.borrow(), &stated_for) {
                        break;
                    }
                }
            }
        }
        sleep(TOGETHER).await;
        sleep_until(made + BETWEEN).await;
    }
}

/// When a statement is made anew though nothing has changed.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// At this Unix second. A machine that slept meanwhile has timers that did not go on, so it is looked at again and again.
    At(u64),
    /// After this time.
    In(Duration),
}

async fn due(next: Option<Next>) {
    match next {
        Some(Next::In(pause)) => sleep(pause).await,
        Some(Next::At(at)) => loop {
            let left = at.saturating_sub(unix_now());
            if left == 0 {
                return;
            }
            sleep(Duration::from_secs(left).min(LOOK_AGAIN)).await;
        },
        None => std::future::pending().await,
    }
}

// === impl SealingKey ===

impl SealingKey {
    fn of(&self, identity: &Identity) -> Vec<u8> {
        if self.identity == *identity.public_key() {
            self.bytes.clone()
        } else {
            Vec::new()
        }
    }
}

/// The Unix second at which half of what is left of the statement's life is over.
fn half_life(evidence: &StatedEvidence, now: u64) -> u64 {
    let ends = evidence.statement().map_or(0, |statement| statement.valid_until);
    now.saturating_add((ends.saturating_sub(now) / 2).max(1))
}

/// Whether it is only older than what would be stated now.
fn still_says(evidence: &StatedEvidence, content: &StatedContent) -> bool {
    evidence.statement().is_ok_and(|statement| {
        statement.accelerators == content.accelerators
            && statement.engine == content.engine
            && statement.model == content.model
            && statement.engine_digest == content.engine_digest
    })
}

/// Whether a statement is about the key of this identity.
pub(crate) fn is_about(evidence: &StatedEvidence, identity: &Identity) -> bool {
    evidence
        .statement()
        .is_ok_and(|statement| statement.key == *identity.public_key())
}

#[cfg(test)]
mod tests;
