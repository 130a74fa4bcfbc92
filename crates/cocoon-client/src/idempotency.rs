//! `Idempotency-Key`: a POST that is sent again gets the answer that it had, and is not served twice.
//!
//! Memory only: a gateway that was restarted has forgotten. Kept are complete answers, and errors of the engine about the
//! request (4xx); what failed may be tried again. An answer whose caller went away is not kept: its work was stopped.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use cocoon_types::{Fault, Private, Refusal, RequestId, Tier};
use moka::policy::EvictionPolicy;

/// How long an answer can be had again: past the retries of any SDK (minutes at most), short of keeping content around.
pub(crate) const TIME_TO_LIVE: Duration = Duration::from_secs(10 * 60);
/// Most bytes of all kept answers; the oldest go first.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Largest answer that is kept: above it (bulk embeddings) a retry is served anew.
pub(crate) const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// What an entry weighs beside its body; bounds their number at 131,072.
const ENTRY_BYTES: usize = 512;
/// Longest key, in bytes; the usual ones are UUIDs.
const MAX_KEY_BYTES: usize = 255;

/// An answer as it was given.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) tier: Tier,
    /// Of a sealed answer: its receipt's id.
    pub(crate) receipt: Option<RequestId>,
    pub(crate) body: Private<Bytes>,
}

/// Answers by key, and keys whose request runs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Answers {
    done: moka::future::Cache<Digest, Arc<Done>>,
    running: Arc<Mutex<HashMap<Digest, Digest>>>,
}

/// What a key leads to.
pub(crate) enum Begin {
    /// The request was answered before.
    Replay(Arc<Done>),
    /// It is new: serve it, and keep the answer if it is complete.
    Serve(Running),
}

/// A kept answer and what it answers.
pub(crate) struct Done {
    request: Digest,
    pub(crate) answer: Stored,
}

/// A key whose request runs; given free when this is dropped.
pub(crate) struct Running {
    answers: Answers,
    key: Digest,
    request: Digest,
}

type Digest = [u8; 32];

// === impl Answers ===

impl Answers {
    pub(crate) fn new(time_to_live: Duration) -> Self {
        let done = moka::future::Cache::builder()
            .weigher(|_, done: &Arc<Done>| {
                let bytes = done.answer.body.expose().len() + done.answer.content_type.len() + ENTRY_BYTES;
                u32::try_from(bytes).unwrap_or(u32::MAX)
            })
            .max_capacity(MAX_BYTES)
            // The default policy may turn a new entry away in favour of a popular one; here the newest counts.
            .eviction_policy(EvictionPolicy::lru())
            .time_to_live(time_to_live)
            .build();
        Self {
            done,
            running: Arc::default(),
        }
    }

    /// Looks a request up by its key. `scope` keeps callers apart; `request` are the parts of the request that must be
    /// the same ones.
    ///
    /// # Errors
    /// [`Fault::InvalidRequest`] for a key that is none, [`Fault::IdempotencyConflict`] when the key belongs to another
    /// request or its request still runs.
    pub(crate) async fn begin(&self, scope: &[u8], key: &[u8], request: &[&[u8]]) -> Result<Begin, Refusal> {
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
            return Err(Refusal::new(
                Fault::InvalidRequest,
                "an Idempotency-Key has 1 to 255 bytes",
            ));
        }
        let key = digest(b"cocoon idempotency key v1", &[scope, key]);
        let request = digest(b"cocoon idempotent request v1", request);
        let running = self.claim(key, request)?;
        match self.done.get(&key).await {
            None => Ok(Begin::Serve(running)),
            Some(done) if done.request == request => Ok(Begin::Replay(done)),
            Some(_) => Err(another_body()),
        }
    }

    fn claim(&self, key: Digest, request: Digest) -> Result<Running, Refusal> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        match running.get(&key) {
            Some(other) if *other != request => Err(another_body()),
            Some(_) => Err(Refusal::new(
                Fault::IdempotencyConflict,
                "the request with this Idempotency-Key still runs",
            )),
            None => {
                running.insert(key, request);
                Ok(Running {
                    answers: self.clone(),
                    key,
                    request,
                })
            }
        }
    }
}

// === impl Running ===

impl Running {
    /// Keeps the complete answer.
    pub(crate) async fn keep(self, answer: Stored) {
        if answer.body.expose().len() > MAX_ANSWER_BYTES {
            return;
        }
        let done = Done {
            request: self.request,
            answer,
        };
        self.answers.done.insert(self.key, Arc::new(done)).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut running = self
            .answers
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        running.remove(&self.key);
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Running")
    }
}

/// SHA-256 over a domain and parts, each with its length, so that no two lists of parts look the same.
fn digest(domain: &[u8], parts: &[&[u8]]) -> Digest {
    let mut context = Context::new(&SHA256);
    context.update(domain);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

fn another_body() -> Refusal {
    Refusal::new(
        Fault::IdempotencyConflict,
        "this Idempotency-Key was used for another request",
    )
}

#[cfg(test)]
mod tests;
