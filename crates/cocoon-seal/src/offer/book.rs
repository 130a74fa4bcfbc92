//! What a client remembers of a proxy's offers, so that the proxy cannot change them behind its back.

use std::collections::BTreeMap;

use cocoon_types::ModelName;

use super::OfferList;
use crate::Digest;

/// The offer lists of one proxy, judged in the order in which they come.
#[derive(Debug)]
pub struct OfferBook {
    proxy: [u8; 32],
    epoch_seconds: Option<u16>,
    models: BTreeMap<ModelName, Seen>,
    conflict: Option<(OfferList, OfferList)>,
}

#[derive(Debug)]
struct Seen {
    /// The newest list.
    current: OfferList,
    /// The one before, to be shown if another of its epoch comes.
    before: Option<OfferList>,
    /// Digests of earlier epochs, to compare with others.
    earlier: Vec<(u64, Digest)>,
}

/// A list is refused; whoever asked is told, and both lists are kept where there are two.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferRefusal {
    /// Of another proxy.
    #[error("the offer list is of another proxy")]
    OtherProxy,
    /// Not signed by it.
    #[error("the offer list is not signed by the proxy")]
    Signature,
    /// For another model.
    #[error("the offer list is for another model")]
    OtherModel,
    /// Nobody is offered.
    #[error("the offer list is empty")]
    Empty,
    /// Its epoch has not begun.
    #[error("the offer list is from the future")]
    Future,
    /// Its epoch ended more than one epoch ago.
    #[error("the offer list is stale")]
    Stale,
    /// The proxy changed the length of its epochs, by which it could show two lists for one time.
    #[error("the proxy changed the length of its epochs")]
    EpochLength,
    /// An older list after a newer one.
    #[error("the proxy went back to an older offer list")]
    Older,
    /// Two lists for one epoch: the proof that the proxy does not show everyone the same.
    #[error("the proxy showed two offer lists for one epoch: {first} and {second}")]
    Changed {
        /// Digest of the one that came first.
        first: Digest,
        /// Digest of the other.
        second: Digest,
    },
    /// More models than a client asks one proxy for.
    #[error("offer lists of too many models")]
    TooManyModels,
}

/// Seconds by which a proxy's clock may be ahead: as far as a node's may be off the chain's (DESIGN section 2).
const LEEWAY: u64 = 30;

/// Models of one proxy that a client remembers.
const MAX_MODELS: usize = 256;

/// Epochs whose digests are remembered for each model: an hour of 30-second epochs.
const MAX_EARLIER: usize = 120;

impl OfferBook {
    /// Nothing seen yet of the proxy with this key.
    pub const fn new(proxy: [u8; 32]) -> Self {
        Self {
            proxy,
            epoch_seconds: None,
            models: BTreeMap::new(),
            conflict: None,
        }
    }

    /// Judges a list that came for `model`, and keeps it.
    ///
    /// # Errors
    /// [`OfferRefusal`]; the list before stays.
    pub fn take(&mut self, model: &ModelName, list: OfferList, now: u64) -> Result<&OfferList, OfferRefusal> {
        if let Err(refusal) = self.judge(model, &list, now) {
            if let OfferRefusal::Changed { first, .. } = refusal {
                self.keep_conflict(model, first, list);
            }
            return Err(refusal);
        }
        self.epoch_seconds = Some(list.epoch_seconds);
        if !self.models.contains_key(model) && self.models.len() >= MAX_MODELS {
            return Err(OfferRefusal::TooManyModels);
        }
        let seen = self.models.entry(model.clone()).or_insert_with(|| Seen {
            current: list.clone(),
            before: None,
            earlier: Vec::new(),
        });
        if seen.current.epoch < list.epoch {
            if seen.earlier.len() >= MAX_EARLIER {
                seen.earlier.remove(0);
            }
            seen.earlier.push((seen.current.epoch, seen.current.digest()));
            seen.before = Some(std::mem::replace(&mut seen.current, list));
        }
        Ok(&seen.current)
    }

    fn judge(&self, model: &ModelName, list: &OfferList, now: u64) -> Result<(), OfferRefusal> {
        if list.proxy != self.proxy {
            return Err(OfferRefusal::OtherProxy);
        }
        if !list.is_signed() {
            return Err(OfferRefusal::Signature);
        }
        if list.model != *model {
            return Err(OfferRefusal::OtherModel);
        }
        if self
            .epoch_seconds
            .is_some_and(|seconds| seconds != list.epoch_seconds)
        {
            return Err(OfferRefusal::EpochLength);
        }
        if let Some(seen) = self.models.get(model) {
            self.against(seen, list)?;
        }
        if list.offers.is_empty() {
            return Err(OfferRefusal::Empty);
        }
        if list.life().0 > now.saturating_add(LEEWAY) {
            return Err(OfferRefusal::Future);
        }
        if !is_fresh(list, now) {
            return Err(OfferRefusal::Stale);
        }
        Ok(())
    }

    fn against(&self, seen: &Seen, list: &OfferList) -> Result<(), OfferRefusal> {
        let known = seen
            .earlier
            .iter()
            .copied()
            .chain([(seen.current.epoch, seen.current.digest())]);
        let same_epoch = known
            .into_iter()
            .find(|(epoch, _)| *epoch == list.epoch)
            .map(|(_, digest)| digest);
        match same_epoch {
            Some(first) if first != list.digest() => Err(OfferRefusal::Changed {
                first,
                second: list.digest(),
            }),
            _ if list.epoch < seen.current.epoch => Err(OfferRefusal::Older),
            _ => Ok(()),
        }
    }

    fn keep_conflict(&mut self, model: &ModelName, first: Digest, second: OfferList) {
        let Some(seen) = self.models.get(model) else {
            return;
        };
        let mut held = seen.before.iter().chain([&seen.current]);
        if let Some(first) = held.find(|list| list.digest() == first) {
            self.conflict = Some((first.clone(), second));
        }
    }

    /// The last two lists of one epoch, both signed by the proxy: the proof against it, as far as both are at hand.
    pub const fn conflict(&self) -> Option<&(OfferList, OfferList)> {
        self.conflict.as_ref()
    }

    /// The list for a model, while it may still be drawn from.
    pub fn current(&self, model: &ModelName, now: u64) -> Option<&OfferList> {
        let list = &self.models.get(model)?.current;
        is_fresh(list, now).then_some(list)
    }

    /// What was seen of a model, to compare with what others were shown: epoch and digest, oldest first.
    pub fn digests(&self, model: &ModelName) -> Vec<(u64, Digest)> {
        let Some(seen) = self.models.get(model) else {
            return Vec::new();
        };
        let current = (seen.current.epoch, seen.current.digest());
        seen.earlier.iter().copied().chain([current]).collect()
    }

    /// Compares with what another client was shown of this model and epoch.
    ///
    /// # Errors
    /// [`OfferRefusal::Changed`] when it was another list.
    pub fn compare(&self, model: &ModelName, epoch: u64, other: Digest) -> Result<(), OfferRefusal> {
        let mine = self.digests(model).into_iter().find(|(seen, _)| *seen == epoch);
        match mine {
            Some((_, first)) if first != other => Err(OfferRefusal::Changed { first, second: other }),
            _ => Ok(()),
        }
    }
}

/// A list may be drawn from in its own epoch and the next.
fn is_fresh(list: &OfferList, now: u64) -> bool {
    let (_, until) = list.life();
    now < until.saturating_add(u64::from(list.epoch_seconds))
}
