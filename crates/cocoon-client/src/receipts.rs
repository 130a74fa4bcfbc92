//! The receipts of answers, kept for a while so that they can be looked at, disputed and exported.
//!
//! In memory only, and gone with the process: a receipt beside its salts can test guesses at what was asked, so that it
//! belongs on no disk that its reader did not choose. No text of a request or an answer is here, only salted hashes.

mod view;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cocoon_seal::{
    Bundle, Charge, Countersign, CountersignCheck, CountersignError, Digest, Ended, Malformed, OfferList,
    Role, Skip,
};
use cocoon_types::RequestId;
use cocoon_web::keys::KeyId;

use crate::sealed::Worker;
pub use view::receipt_json;
pub(crate) use view::skip_words;

/// The receipts of this gateway's sealed requests.
#[derive(Debug)]
pub(crate) struct Receipts {
    keep: Duration,
    most: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    by_id: HashMap<RequestId, Kept>,
    by_leaf: HashMap<Digest, RequestId>,
    /// Oldest first.
    order: VecDeque<RequestId>,
    /// One signature covers a batch; what was checked last of each signer is remembered.
    checks: BTreeMap<[u8; 32], CountersignCheck>,
}

/// One receipt, with all that proves it.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// Whose API key asked; nobody else is shown it.
    pub(crate) holder: Option<KeyId>,
    /// Seconds since 1970.
    pub(crate) kept_at: u64,
    pub(crate) proxy: Arc<str>,
    /// The key that signs the proxy's offers and charges.
    pub(crate) proxy_key: [u8; 32],
    pub(crate) ended: Arc<Ended>,
    pub(crate) worker: Arc<Worker>,
    pub(crate) offers: Arc<OfferList>,
    /// What the proxy said of the candidates before the one that served.
    pub(crate) skipped: Vec<Skip>,
    pub(crate) disagreement: Option<Disagreement>,
    pub(crate) signed: Option<Countersign>,
    pub(crate) charge: Option<(Charge, Countersign)>,
}

/// A receipt says other than what this gateway saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Disagreement {
    pub(crate) field: &'static str,
    pub(crate) expected: String,
}

/// What a proxy said of a receipt is worth nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsettled {
    #[error("a signature does not parse: {0}")]
    Malformed(#[from] Malformed),
    #[error("the worker's signature: {0}")]
    Worker(#[source] CountersignError),
    #[error("the proxy's signature: {0}")]
    Proxy(#[source] CountersignError),
    #[error("the charge is not of this receipt: {0}")]
    Charge(&'static str),
}

/// A bundle cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotExported {
    #[error("the worker's signature has not come yet; workers sign in batches, within seconds")]
    Unsigned,
    #[error("the evidence does not fit in a bundle")]
    Malformed,
}

/// Signers whose last batch is remembered: a worker signs with a new key every few minutes.
const MAX_SIGNERS: usize = 4096;

// === impl Receipts ===

impl Receipts {
    /// Keeps at most so many, each for at most so long.
    pub(crate) fn new(keep: Duration, most: usize) -> Self {
        Self {
            keep,
            most,
            inner: Mutex::default(),
        }
    }

    /// Keeps a receipt that the seal has authenticated.
    pub(crate) fn keep(&self, kept: Kept) {
        let mut inner = self.lock();
        let oldest = kept.kept_at.saturating_sub(self.keep.as_secs());
        inner.forget_before(oldest);
        let (id, leaf) = (kept.id(), kept.leaf());
        if self.most == 0 || inner.by_id.insert(id, kept).is_some() {
            return;
        }
        inner.by_leaf.insert(leaf, id);
        inner.order.push_back(id);
        while inner.order.len() > self.most {
            inner.forget_oldest();
        }
    }

    /// The receipt of a request, for whoever asked it.
    pub(crate) fn find(&self, id: RequestId, holder: Option<&KeyId>, now: u64) -> Option<Kept> {
        let mut inner = self.lock();
        inner.forget_before(now.saturating_sub(self.keep.as_secs()));
        let kept = inner.by_id.get(&id)?;
        (kept.holder.as_ref() == holder).then(|| kept.clone())
    }

    /// The newest receipts of whoever asks, newest first.
    pub(crate) fn newest(&self, count: usize, holder: Option<&KeyId>, now: u64) -> Vec<Kept> {
        let mut inner = self.lock();
        inner.forget_before(now.saturating_sub(self.keep.as_secs()));
        let all = inner.order.iter().rev().filter_map(|id| inner.by_id.get(id));
        let own = all.filter(|kept| kept.holder.as_ref() == holder);
        own.take(count).cloned().collect()
    }

    /// Takes the signatures of worker and proxy over a receipt and its price. What is not known (any more) is left alone.
    ///
    /// # Errors
    /// [`Unsettled`]: somebody signed something else.
    pub(crate) fn settled(
        &self,
        leaf: Digest,
        worker: &[u8],
        charge: &[u8],
        proxy: &[u8],
    ) -> Result<(), Unsettled> {
        let mut inner = self.lock();
        let Inner {
            by_id,
            by_leaf,
            checks,
            ..
        } = &mut *inner;
        let Some(kept) = by_leaf.get(&leaf).and_then(|id| by_id.get_mut(id)) else {
            return Ok(());
        };
        if checks.len() >= MAX_SIGNERS {
            checks.clear();
        }
        let mut check = |role, signer: [u8; 32], leaf, countersign: &Countersign| {
            let check = checks
                .entry(signer)
                .or_insert_with(|| CountersignCheck::new(role, signer));
            check.check(leaf, countersign)
        };
        // Empty when the worker did not sign in time.
        if !worker.is_empty() {
            let signed = Countersign::decode(worker)?;
            let signer = *kept.worker.key.receipt_key();
            check(Role::Worker, signer, leaf, &signed).map_err(Unsettled::Worker)?;
            kept.signed = Some(signed);
        }
        if charge.is_empty() {
            return Ok(());
        }
        let charge = Charge::decode(charge)?;
        let signed = Countersign::decode(proxy)?;
        kept.fits(&charge)?;
        check(Role::Proxy, kept.proxy_key, charge.charge_leaf(), &signed).map_err(Unsettled::Proxy)?;
        kept.charge = Some((charge, signed));
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change leaves the tables of use; a receipt that is in one only is never found.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Inner ===

impl Inner {
    fn forget_before(&mut self, oldest: u64) {
        while let Some(id) = self.order.front() {
            if self.by_id.get(id).is_some_and(|kept| kept.kept_at >= oldest) {
                return;
            }
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some(id) = self.order.pop_front() else { return };
        if let Some(kept) = self.by_id.remove(&id) {
            self.by_leaf.remove(&kept.leaf());
        }
    }
}

// === impl Kept ===

impl Kept {
    /// The request's id: the receipt's name at this gateway.
    pub(crate) fn id(&self) -> RequestId {
        self.ended.receipt.request_id
    }

    /// The receipt's name at worker and proxy.
    pub(crate) fn leaf(&self) -> Digest {
        self.ended.receipt.leaf()
    }

    /// The file with everything that proves this receipt to a stranger.
    ///
    /// # Errors
    /// [`NotExported`].
    pub(crate) fn bundle(&self, with_salts: bool) -> Result<Vec<u8>, NotExported> {
        let signed = self.signed.as_ref().ok_or(NotExported::Unsigned)?;
        let worker = &self.worker;
        let mut bundle = Bundle::new(
            &self.ended,
            signed,
            &worker.key,
            &self.offers,
            worker.statement.clone(),
            with_salts,
        );
        bundle.evidence.clone_from(&worker.evidence);
        if let Some((charge, signed)) = &self.charge {
            bundle = bundle.with_charge(charge, signed);
        }
        bundle.encode().map_err(|_| NotExported::Malformed)
    }

    /// Whether a charge is for this receipt, at its price.
    fn fits(&self, charge: &Charge) -> Result<(), Unsettled> {
        let receipt = &self.ended.receipt;
        if charge.leaf != self.leaf() {
            return Err(Unsettled::Charge("receipt"));
        }
        if charge.offer != receipt.offer {
            return Err(Unsettled::Charge("offer"));
        }
        if charge.coefficient != receipt.coefficient {
            return Err(Unsettled::Charge("price"));
        }
        Ok(())
    }
}
