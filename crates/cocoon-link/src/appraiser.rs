//! What peers of links are held to while a node runs: the policy of the moment, the trusted roots, and what is known of
//! certificates that were appraised before.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cocoon_attest::{Accelerators, Evidence, Policy, Refusal, Roots, Side, VerifiedPeer, appraise};
use tokio::sync::{Semaphore, watch};

mod cache;

use cache::{Cache, Digest};

/// Appraisals of links that stand at once, after a change: a verification takes milliseconds of a core, and handshakes must
/// go on beside thousands of them.
const AGAIN_AT_ONCE: usize = 2;

/// Appraises certificates; clones share policy and memory. Policy and roots can be replaced while links stand: each of them
/// is then appraised again.
#[derive(Clone)]
pub struct Appraiser {
    shared: Arc<Shared>,
}

struct Shared {
    rules: watch::Sender<Arc<Rules>>,
    cache: Mutex<Cache>,
    again: Semaphore,
}

/// What counts now.
#[derive(Debug)]
pub(crate) struct Rules {
    /// Grows with each change; what was appraised under another one does not count.
    generation: u64,
    policy: Policy,
    roots: Roots,
}

// === impl Appraiser ===

impl Appraiser {
    /// Starts with this policy and these roots.
    pub fn new(policy: Policy, roots: Roots) -> Self {
        let rules = Rules {
            generation: 0,
            policy,
            roots,
        };
        let shared = Shared {
            rules: watch::Sender::new(Arc::new(rules)),
            cache: Mutex::new(Cache::new()),
            again: Semaphore::new(AGAIN_AT_ONCE),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// What a peer must fulfil now.
    pub fn policy(&self) -> Policy {
        self.rules().policy.clone()
    }

    /// Holds peers to this policy from now on; says whether it is another one. Then nothing that was appraised before
    /// counts any more, and links that stand are appraised again.
    pub fn replace_policy(&self, policy: Policy) -> bool {
        self.change(|rules| {
            let changed = rules.policy != policy;
            changed.then(|| (policy, rules.roots.clone()))
        })
    }

    /// Trusts these roots from now on, as [`Appraiser::replace_policy`].
    pub fn replace_roots(&self, roots: Roots) -> bool {
        self.change(|rules| {
            let changed = rules.roots != roots;
            changed.then(|| (rules.policy.clone(), roots))
        })
    }

    /// Appraises everything again, because what a verification depends on has changed elsewhere (collateral, mostly).
    pub fn forget(&self) {
        self.change(|rules| Some((rules.policy.clone(), rules.roots.clone())));
    }

    /// How often what counts has changed.
    pub fn generation(&self) -> u64 {
        self.rules().generation
    }

    /// Appraises a certificate as [`cocoon_attest::appraise`] does, or remembers that it was. Only successes are remembered,
    /// and no longer than everything in them holds. That the peer holds the certificate's key has to be seen besides.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn appraise(&self, certificate: &[u8], side: Side, now: u64) -> Result<VerifiedPeer, Refusal> {
        self.judge(&self.rules(), certificate, side, now)
    }

    fn judge(
        &self,
        rules: &Rules,
        certificate: &[u8],
        side: Side,
        now: u64,
    ) -> Result<VerifiedPeer, Refusal> {
        let digest = Digest::of(certificate, side);
        if let Some(peer) = self.cache().find(&digest, rules.generation, now) {
            return Ok(peer);
        }
        let evidence = Evidence {
            certificate,
            side,
            // Whatever the peer says; its statement says more, on the link.
            accelerators: Accelerators::NotAttested,
        };
        let peer = appraise(evidence, None, &rules.policy, &rules.roots, now)?;
        self.cache().keep(digest, rules.generation, now, &peer);
        Ok(peer)
    }

    /// As [`Appraiser::appraise`], for a link that stands: off the runtime's threads, and few at once.
    pub(crate) async fn appraise_again(
        &self,
        certificate: Arc<[u8]>,
        side: Side,
        now: u64,
    ) -> Result<VerifiedPeer, Refusal> {
        // Nobody closes it.
        let _turn = self.shared.again.acquire().await;
        let this = self.clone();
        let appraised = tokio::task::spawn_blocking(move || this.appraise(&certificate, side, now)).await;
        match appraised {
            Ok(verdict) => verdict,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is going down.
                Err(_) => std::future::pending().await,
            },
        }
    }

    /// Sees every change from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<Arc<Rules>> {
        self.shared.rules.subscribe()
    }

    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.shared.rules.borrow())
    }

    fn change(&self, change: impl FnOnce(&Rules) -> Option<(Policy, Roots)>) -> bool {
        let changed = self.shared.rules.send_if_modified(|rules| {
            let Some((policy, roots)) = change(rules) else {
                return false;
            };
            *rules = Arc::new(Rules {
                generation: rules.generation + 1,
                policy,
                roots,
            });
            true
        });
        if changed {
            self.cache().clear(self.generation());
        }
        changed
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        // Each change leaves it whole.
        self.shared.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Policy> for Appraiser {
    /// With the makers' roots.
    fn from(policy: Policy) -> Self {
        Self::new(policy, Roots::makers())
    }
}

impl fmt::Debug for Appraiser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Appraiser")
            .field("generation", &self.generation())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
