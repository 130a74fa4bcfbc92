//! What this worker opens, seals and signs: its sealing keys, the statement that names each, and the key of its receipts.
//!
//! Both kinds of keys are made here and never leave; sealing keys are erased when their life is over (docs/sealing.md, section 2).
//! Each key is named by one statement: when what was stated is no longer so, the keys that it names are erased and another
//! one is made, so that offers, receipts and this worker mean the same statement by the same key.

mod batches;
mod named;
pub(crate) mod reply;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use cocoon_seal::{
    Arrival, Digest, Limits, NoRandomness, OpenedRequest, Reason, SealingKeys, SealingKeysError,
    SealingPublic, SignedRefusal, SigningKey,
};
use cocoon_trust::StatedEvidence;
use cocoon_web::clock::unix_now;
use tokio::time::sleep;
use zeroize::Zeroizing;

pub(crate) use batches::Batches;
pub(crate) use named::Named;

use crate::{shop::Shop, stating};

/// Longest time between two looks at the keys: somebody may have set the clock, or the machine may have slept.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// The keys of one worker, for as long as it runs.
pub(crate) struct Sealing {
    receipt_key: SigningKey,
    inner: Mutex<Inner>,
}

struct Inner {
    keys: SealingKeys,
    /// What was stated with each key that lives.
    named: Vec<Named>,
}

// === impl Sealing ===

impl Sealing {
    /// With a receipt key of its own, and no sealing key yet.
    ///
    /// # Errors
    /// The system gave no random bytes.
    pub(crate) fn new() -> Result<Self, NoRandomness> {
        let mut seed = Zeroizing::new([0; 32]);
        random(&mut *seed)?;
        let receipt_key = SigningKey::from_seed(&seed).ok_or(NoRandomness)?;
        let keys = SealingKeys::new(*receipt_key.public(), Limits::default());
        Ok(Self {
            receipt_key,
            inner: Mutex::new(Inner {
                keys,
                named: Vec::new(),
            }),
        })
    }

    /// Erases what is over and makes what is due: the key that statements are to name from now on, if there is a new one, and
    /// how long until there is something to do again.
    pub(crate) fn advance(&self, now: u64) -> (Option<Bytes>, Duration) {
        let mut inner = self.lock();
        let made = inner.advance(now);
        let next = inner
            .keys
            .next_change()
            .map_or(1, |at| at.saturating_sub(now).max(1));
        (made, Duration::from_secs(next).min(LOOK_EVERY))
    }

    /// The node's identity was renewed: a new key for statements about it. What is sealed to the keys before is still served, under
    /// the statements that named them.
    pub(crate) fn renew(&self, now: u64) -> Option<Bytes> {
        let mut inner = self.lock();
        let made = inner.keys.renew(now, &mut random).map(Some);
        inner.made(made)
    }

    /// A statement was made, of the identity with this certificate: from now on requests to the key that it names are served.
    /// Gives the key that statements are to name instead, if what was stated before is no longer so.
    pub(crate) fn stated(&self, evidence: &StatedEvidence, certificate: &[u8], now: u64) -> Option<Bytes> {
        let named = Named::of(evidence, certificate)?;
        let mut inner = self.lock();
        if !inner.keys.living().any(|key| key.id() == named.key_id) {
            return None;
        }
        if inner.named.iter().any(|before| !before.says_the_same(&named)) {
            // Whoever wraps to an older key counts on what was stated with it.
            tracing::info!("what this worker states has changed; its sealing keys are erased");
            inner.keys = SealingKeys::new(*self.receipt_key.public(), Limits::default());
            return inner.advance(now);
        }
        if !inner.named.iter().any(|before| before.key_id == named.key_id) {
            inner.named.push(named);
        }
        None
    }

    /// Opens the wrap of a request; from then on its request id is used up.
    pub(crate) fn open(
        &self,
        head: &Bytes,
        key_id: Digest,
        wrap: &[u8],
        now: u64,
    ) -> Result<(OpenedRequest, Named), Reason> {
        let mut inner = self.lock();
        let named = inner.named.iter().find(|named| named.key_id == key_id).copied();
        let arrival = Arrival {
            head,
            key_id,
            wrap,
            // Nothing is said beside the head in protocol 3.
            clear: None,
            now,
        };
        let opened = inner.keys.open(&arrival)?;
        inner.forget();
        Ok((opened, named.ok_or(Reason::UnknownKey)?))
    }

    /// This worker's word that it does not serve a request.
    pub(crate) fn refuse(&self, head: &[u8], key_id: Digest, reason: Reason, now: u64) -> Bytes {
        SignedRefusal::sign(head, key_id, reason, now, &self.receipt_key)
            .bytes()
            .clone()
    }

    pub(crate) const fn receipt_key(&self) -> &SigningKey {
        &self.receipt_key
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change leaves it whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Sealing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealing")
    }
}

// === impl Inner ===

impl Inner {
    fn advance(&mut self, now: u64) -> Option<Bytes> {
        let made = self.keys.advance(now, &mut random);
        self.made(made)
    }

    fn made(&mut self, made: Result<Option<SealingPublic>, SealingKeysError>) -> Option<Bytes> {
        self.forget();
        match made {
            Ok(made) => made.map(|public| public.bytes().clone()),
            Err(error) => {
                tracing::error!(%error, "no sealing key could be made; trying again");
                None
            }
        }
    }

    /// Forgets what was stated with keys that are gone.
    fn forget(&mut self) {
        let keys = &self.keys;
        self.named
            .retain(|named| keys.living().any(|key| key.id() == named.key_id));
    }
}

/// Keeps the keys as long as it is polled.
pub(crate) async fn keep(shop: &Shop) {
    let mut statements = shop.stating.subscribe();
    statements.mark_changed();
    let mut identities = shop.trust.identity().subscribe();
    let mut identity = Arc::clone(&identities.borrow_and_update());
    loop {
        let (made, next) = shop.sealing.advance(unix_now());
        if let Some(key) = made {
            shop.stating.set_sealing_key(key.into(), &identity);
        }
        tokio::select! {
            () = sleep(next) => {}
            Ok(()) = identities.changed() => {
                identity = Arc::clone(&identities.borrow_and_update());
                if let Some(key) = shop.sealing.renew(unix_now()) {
                    shop.stating.set_sealing_key(key.into(), &identity);
                }
            }
            Ok(()) = statements.changed() => {
                let statement = statements.borrow_and_update().clone();
                // One about an identity that was replaced meanwhile is followed by another.
                if let Some(statement) = statement.filter(|statement| stating::is_about(statement, &identity))
                    && let Some(key) = shop.sealing.stated(&statement, identity.certificate_der(), unix_now())
                {
                    shop.stating.set_sealing_key(key.into(), &identity);
                }
            }
        }
    }
}

/// For everything that is drawn here.
pub(crate) fn random(out: &mut [u8]) -> Result<(), NoRandomness> {
    aws_lc_rs::rand::fill(out).map_err(|_| NoRandomness)
}

#[cfg(test)]
mod tests;
