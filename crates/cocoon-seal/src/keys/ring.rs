//! The sealing keys that a worker holds: the newest is offered, the one before is still accepted.

use std::collections::VecDeque;

use hpke::kem::XWing;
use hpke::{Deserializable, Kem, Serializable};
use zeroize::Zeroizing;

use super::{public::SealingPublic, seen::Seen, sessions::Sessions};
use crate::codec::Malformed;
use crate::random::{NoRandomness, Random, secret};
use crate::{Digest, SealingKeysError};

/// Bounds of what a worker remembers for each sealing key.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Request ids. More requests within one key's life are refused as busy: 131 072 are over 200 a second, in some 8 MiB.
    pub requests: usize,
    /// Warm sessions; the oldest is forgotten. 4096 clients in some 500 KiB.
    pub sessions: usize,
}

/// Keys that live at a time: two, and a third while a certificate is renewed.
const MAX_LIVING: usize = 3;

/// A worker's sealing keys with their replay windows and sessions; mostly two, each for 600 seconds.
pub struct SealingKeys {
    receipt_key: [u8; 32],
    limits: Limits,
    /// Oldest first.
    keys: VecDeque<Held>,
}

/// A key that lives.
pub(crate) struct Held {
    pub(crate) public: SealingPublic,
    seed: Box<Zeroizing<[u8; 32]>>,
    pub(crate) seen: Seen,
    pub(crate) sessions: Sessions,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests: 128 * 1024,
            sessions: 4096,
        }
    }
}

// === impl SealingKeys ===

impl SealingKeys {
    /// Seconds after which the next key is made: half a life, so that each key overlaps with one other at a time.
    pub const NEXT_AFTER: u64 = SealingPublic::MAX_LIFE / 2;

    /// No key yet. Receipts and refusals of this worker are signed by `receipt_key`.
    pub const fn new(receipt_key: [u8; 32], limits: Limits) -> Self {
        let keys = VecDeque::new();
        Self {
            receipt_key,
            limits,
            keys,
        }
    }

    /// Erases the keys whose life is over, and makes the next one when it is time; gives it, to be put into a statement.
    ///
    /// # Errors
    /// [`SealingKeysError`] when no key could be made; the ones that live still serve.
    pub fn advance(
        &mut self,
        now: u64,
        random: &mut dyn Random,
    ) -> Result<Option<SealingPublic>, SealingKeysError> {
        self.erase(now);
        let newest = self.keys.back().map(|held| held.public.not_before());
        if newest.is_some_and(|made| now < made.saturating_add(Self::NEXT_AFTER)) {
            return Ok(None);
        }
        self.renew(now, random).map(Some)
    }

    /// Makes the next key before it is time, for a statement that cannot name the newest one. Those before it still serve.
    ///
    /// # Errors
    /// [`SealingKeysError`] when no key could be made.
    pub fn renew(&mut self, now: u64, random: &mut dyn Random) -> Result<SealingPublic, SealingKeysError> {
        self.erase(now);
        let held = Held::generate(now, &self.receipt_key, random)?;
        let public = held.public.clone();
        while self.keys.len() >= MAX_LIVING {
            self.keys.pop_front();
        }
        self.keys.push_back(held);
        Ok(public)
    }

    /// Erases the keys whose life is over, also those from after `now`: a clock that was set back revives nothing.
    pub fn erase(&mut self, now: u64) {
        self.keys.retain(|held| held.public.lives_at(now));
    }

    /// When [`Self::advance`] next has something to do; at once, while there is no key.
    pub fn next_change(&self) -> Option<u64> {
        let made = self.keys.back()?.public.not_before();
        let next = made.saturating_add(Self::NEXT_AFTER);
        let ends = self.keys.front()?.public.not_after();
        Some(next.min(ends))
    }

    /// The key that new statements name.
    pub fn newest(&self) -> Option<&SealingPublic> {
        self.keys.back().map(|held| &held.public)
    }

    /// The keys that live, oldest first.
    pub fn living(&self) -> impl Iterator<Item = &SealingPublic> {
        self.keys.iter().map(|held| &held.public)
    }

    /// Warm sessions that are remembered, for a metric.
    pub fn sessions(&self) -> usize {
        self.keys.iter().map(|held| held.sessions.len()).sum()
    }

    pub(crate) const fn limits(&self) -> Limits {
        self.limits
    }

    pub(crate) fn held(&mut self, id: Digest) -> Option<&mut Held> {
        self.keys.iter_mut().find(|held| held.public.id() == id)
    }
}

impl std::fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.living()).finish()
    }
}

// === impl Held ===

impl Held {
    fn generate(now: u64, receipt_key: &[u8; 32], random: &mut dyn Random) -> Result<Self, SealingKeysError> {
        let seed = secret(random)?;
        let life = (now, now.saturating_add(SealingPublic::MAX_LIFE));
        let made = public_half(&seed).and_then(|hpke| SealingPublic::encode(life, receipt_key, &hpke));
        scrub_stack();
        let public = made?;
        let (seen, sessions) = (Seen::default(), Sessions::default());
        Ok(Self {
            public,
            seed,
            seen,
            sessions,
        })
    }

    /// Works with the secret key, of which nothing stays behind on the stack.
    pub(crate) fn with_secret<T>(&self, work: impl FnOnce(&<XWing as Kem>::PrivateKey) -> T) -> Option<T> {
        let done = with_private(&self.seed, work);
        scrub_stack();
        done
    }
}

fn public_half(seed: &[u8; 32]) -> Result<Vec<u8>, Malformed> {
    with_private(seed, |secret| XWing::sk_to_pk(secret).to_bytes().to_vec()).ok_or(Malformed("seed"))
}

#[inline(never)]
fn with_private<T>(seed: &[u8; 32], work: impl FnOnce(&<XWing as Kem>::PrivateKey) -> T) -> Option<T> {
    let secret = <XWing as Kem>::PrivateKey::from_bytes(seed).ok()?;
    Some(work(&secret))
}

/// Overwrites the stack that a call before may have used: moves leave copies there that no destructor knows of.
#[inline(never)]
fn scrub_stack() {
    // The black box may read all of it, so all of it has to be zero; volatile writes, byte by byte, would take as long as
    // the opening itself.
    let mut below = [0_u8; SCRUBBED];
    std::hint::black_box(&mut below);
}

/// More than ML-KEM takes of the stack in a build without optimisation.
const SCRUBBED: usize = 192 * 1024;

impl From<NoRandomness> for SealingKeysError {
    fn from(_: NoRandomness) -> Self {
        Self::NoRandomness
    }
}

impl From<Malformed> for SealingKeysError {
    fn from(_: Malformed) -> Self {
        Self::Generate
    }
}
