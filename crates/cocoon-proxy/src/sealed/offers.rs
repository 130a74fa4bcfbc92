//! One signed list per model and epoch, the same bytes for every client (docs/sealing.md, section 6).

mod weigh;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cocoon_matching::WorkerId;
use cocoon_seal::{Digest, NotOffered, Offer, OfferList, SealingPublic, SigningKey};
use cocoon_types::ModelName;
use cocoon_web::clock::unix_now;

use crate::{
    node::{Node, WorkerPeer},
    stated::Held,
};

/// Length of an epoch. A worker that comes is offered after so long at most; one that goes is drawn in vain so long.
const EPOCH_SECONDS: u16 = 30;

/// A key or a statement that lives shorter than so many seconds after the end of an epoch is not offered in it: what is drawn from a list is
/// taken in the next epoch too, and its body has yet to come.
const LIVES_AFTER: u64 = 90;

/// Lists of one model that requests may be drawn from: this epoch's and the one before.
const KEPT: usize = 2;

/// The lists of this proxy.
pub(crate) struct Offers {
    key: Arc<SigningKey>,
    models: Mutex<BTreeMap<String, VecDeque<Arc<Published>>>>,
    last: tokio::sync::Mutex<LastEpoch>,
}

/// In which epoch something was offered last, so that a proxy that starts again never offers another list in the same one:
/// its clients would hold both to be the proof that it shows some of them something else.
#[derive(Debug)]
pub(crate) struct LastEpoch {
    file: PathBuf,
    /// By an earlier start.
    before: Option<u64>,
    written: Option<u64>,
}

/// A list, with what this proxy knows of the workers in it.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) list: OfferList,
    named: HashMap<Digest, Arc<Named>>,
}

/// A worker by its sealing key.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) key: SealingPublic,
    /// Its statement's name in the book of statements.
    statement: [u8; 32],
    /// The name in offers.
    offered: Digest,
}

/// Why there is no list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoOffers {
    Nobody,
    NextEpoch,
    Disk,
}

impl NoOffers {
    /// What a client is told.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Nobody => "no worker of this model has stated a sealing key",
            Self::NextEpoch => "this proxy has just started; it offers again in the next epoch",
            Self::Disk => "the offers cannot be kept",
        }
    }
}

/// A worker as the board has it.
struct Seen {
    id: WorkerId,
    peer: Arc<WorkerPeer>,
    weight: u32,
    offer: cocoon_matching::Offer,
}

// === impl Offers ===

impl Offers {
    pub(super) fn new(key: Arc<SigningKey>, last: LastEpoch) -> Self {
        Self {
            key,
            models: Mutex::default(),
            last: tokio::sync::Mutex::new(last),
        }
    }

    /// The list of this epoch; the first who asks in an epoch has it made.
    pub(crate) async fn current(&self, node: &Node, model: &ModelName) -> Result<Arc<Published>, NoOffers> {
        let epoch = OfferList::epoch_at(EPOCH_SECONDS, unix_now());
        let newest = |offers: &Self| {
            let models = offers.lock();
            models.get(model.as_str())?.back().cloned()
        };
        // A clock that was set back changes nothing that was offered.
        let is_current = |published: &Arc<Published>| published.list.epoch >= epoch;
        if let Some(published) = newest(self).filter(is_current) {
            return Ok(published);
        }
        // One at a time: there is only one list.
        let mut last = self.last.lock().await;
        if let Some(published) = newest(self).filter(is_current) {
            return Ok(published);
        }
        let before = newest(self);
        let made = self.make(node, model, epoch, before.as_deref())?;
        last.reach(epoch).await?;
        let published = Arc::new(made);
        let mut models = self.lock();
        models.retain(|_, lists| lists.back().is_some_and(|list| list.list.epoch + 2 >= epoch));
        let lists = models.entry(model.as_str().to_owned()).or_default();
        lists.push_back(Arc::clone(&published));
        while lists.len() > KEPT {
            lists.pop_front();
        }
        Ok(published)
    }

    /// The list of this digest, if it is of the current epoch or the one before.
    pub(crate) fn find(&self, model: &ModelName, offer: Digest, now: u64) -> Option<Arc<Published>> {
        let epoch = OfferList::epoch_at(EPOCH_SECONDS, now);
        let models = self.lock();
        let mut lists = models.get(model.as_str())?.iter();
        let found = lists.find(|published| published.list.digest() == offer)?;
        (found.list.epoch + 1 >= epoch).then(|| Arc::clone(found))
    }

    /// What stands behind the statement that some list names so.
    pub(crate) fn evidence(&self, node: &Node, statement: Digest) -> Option<Arc<Held>> {
        let named = {
            let models = self.lock();
            let mut all = models.values().flatten().flat_map(|list| list.named.values());
            all.find(|named| named.offered == statement).map(Arc::clone)
        };
        let name = named?.statement;
        node.stated.owner(&name).map(|(_, held)| held)
    }

    /// Lists that are held, for people: model, epoch, digest, entries.
    pub(crate) fn overview(&self) -> Vec<(String, u64, Digest, usize)> {
        let models = self.lock();
        let newest = |(model, lists): (&String, &VecDeque<Arc<Published>>)| {
            let list = &lists.back()?.list;
            Some((model.clone(), list.epoch, list.digest(), list.offers.len()))
        };
        models.iter().filter_map(newest).collect()
    }

    fn make(
        &self,
        node: &Node,
        model: &ModelName,
        epoch: u64,
        before: Option<&Published>,
    ) -> Result<Published, NoOffers> {
        let now = unix_now();
        let until = (epoch + 1).saturating_mul(EPOCH_SECONDS.into()) + LIVES_AFTER;
        let mut named: HashMap<Digest, (WorkerId, Arc<Named>, Offer)> = HashMap::new();
        for seen in seen(node, model.as_str()) {
            seen.peer.record.fade();
            let Some(held) = seen.peer.stated.newest() else {
                continue;
            };
            let Some(known) = name_of(&held, before) else {
                continue;
            };
            let holds_until = known.key.not_after().min(held.verified.expires_at());
            if !known.key.lives_at(now) || holds_until < until {
                continue;
            }
            let offer = Offer {
                key_id: known.key.id(),
                statement: known.offered,
                score: seen.weight,
                coefficient: seen.offer.coefficient,
                tier: seen.offer.tier,
            };
            // A worker that comes again before its old link has ended is one worker.
            let is_newer = named
                .get(&offer.key_id)
                .is_none_or(|(worker, ..)| *worker < seen.id);
            if is_newer {
                named.insert(offer.key_id, (seen.id, known, offer));
            }
        }
        if named.is_empty() {
            return Err(NoOffers::Nobody);
        }
        let mut offers: Vec<Offer> = named.values().map(|(_, _, offer)| *offer).collect();
        // More than a list holds: those with the least weight are left out.
        offers.sort_unstable_by_key(|offer| (std::cmp::Reverse(offer.score), offer.key_id));
        offers.truncate(OfferList::MAX_OFFERS);
        let list = OfferList::sign(model, EPOCH_SECONDS, epoch, offers, &self.key).map_err(|error| {
            tracing::error!(%error, "an offer list cannot be made");
            NoOffers::Nobody
        })?;
        let named = named
            .into_iter()
            .map(|(key_id, (_, named, _))| (key_id, named))
            .collect();
        Ok(Published { list, named })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, VecDeque<Arc<Published>>>> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Offers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offers")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// Who may be offered for this model, as the board has it now.
fn seen(node: &Node, model: &str) -> Vec<Seen> {
    node.board.view(|table, peers| {
        let suits = |view: &cocoon_matching::WorkerView<'_>| {
            view.offer.model.base() == model && view.offer.enabled && !view.offer.plaintext
        };
        let seen = |view: cocoon_matching::WorkerView<'_>| {
            let peer = peers.get(&view.id)?;
            Some(Seen {
                id: view.id,
                peer: Arc::clone(peer),
                weight: weigh::weight(
                    view.offer.coefficient,
                    view.load.running(),
                    view.offer.capacity.get(),
                    peer.record.recent(),
                ),
                offer: view.offer.clone(),
            })
        };
        table.workers().filter(suits).filter_map(seen).collect()
    })
}

/// The key that a statement names, taken apart once.
fn name_of(held: &Held, before: Option<&Published>) -> Option<Arc<Named>> {
    let known = before.and_then(|list| {
        let mut all = list.named.values();
        all.find(|named| named.statement == held.digest)
    });
    if let Some(known) = known {
        return Some(Arc::clone(known));
    }
    let key = held.verified.statement().sealing_key.clone();
    Some(Arc::new(Named {
        key: SealingPublic::decode(key.into()).ok()?,
        statement: held.digest,
        offered: Digest::of_statement(&held.evidence.statement),
    }))
}

// === impl Published ===

impl Published {
    /// Whether a request is for workers of this list; see [`OfferList::admits`].
    pub(crate) fn admits(&self, head: &cocoon_seal::Head) -> Result<(), NotOffered> {
        self.list.admits(head)
    }

    /// A candidate: its key and its offer.
    pub(crate) fn candidate(&self, key_id: Digest) -> Option<(&Arc<Named>, &Offer)> {
        self.named.get(&key_id).zip(self.list.offer(key_id))
    }
}

// === impl Named ===

impl Named {
    /// The link on which it can be reached now.
    pub(crate) fn worker(&self, node: &Node) -> Option<WorkerId> {
        node.stated.owner(&self.statement).map(|(worker, _)| worker)
    }
}

// === impl LastEpoch ===

impl LastEpoch {
    /// As the last start left it. A file that cannot be read counts as one from now: for an epoch nothing is offered.
    pub(crate) async fn open(file: PathBuf, now: u64) -> Self {
        let before = match tokio::fs::read_to_string(&file).await {
            Ok(text) => Some(text.trim().parse().unwrap_or(now / u64::from(EPOCH_SECONDS))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(_) => Some(now / u64::from(EPOCH_SECONDS)),
        };
        Self {
            file,
            before,
            written: None,
        }
    }

    /// Remembers that something is offered in this epoch, before it is.
    async fn reach(&mut self, epoch: u64) -> Result<(), NoOffers> {
        if self.before.is_some_and(|before| epoch <= before) {
            return Err(NoOffers::NextEpoch);
        }
        if self.written == Some(epoch) {
            return Ok(());
        }
        tokio::fs::write(&self.file, epoch.to_string())
            .await
            .map_err(|error| {
                tracing::error!(%error, "the epoch of the offers cannot be written");
                NoOffers::Disk
            })?;
        self.written = Some(epoch);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
