//! The index inside one model: workers of one tier, one set of endpoints and one kind of protocol, by load and price.

use std::collections::BTreeMap;

use cocoon_types::{Coefficient, Tier};

use crate::{Counts, Endpoints, Load, Offer, Wanted, WorkerId};

/// A worker where the index is sorted by price.
pub(super) type Key = (Coefficient, WorkerId);

/// A request, with the workers that it has tried as keys of the index.
#[derive(Debug)]
pub(super) struct Query<'a> {
    pub(super) wanted: &'a Wanted<'a>,
    pub(super) excluded: Vec<Key>,
}

/// Sorted by price, then id, so that "not above this price" is a prefix.
#[derive(Debug, Default)]
pub(super) struct ByPrice(Vec<Key>);

/// Workers of one model that differ in price, load and readiness only.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) tier: Tier,
    pub(super) endpoints: Endpoints,
    pub(super) plaintext: bool,
    /// All enabled ones.
    enabled: ByPrice,
    /// The enabled ones without a free place.
    full: ByPrice,
    /// The enabled ones with a free place, by load; no bucket is empty.
    free: BTreeMap<Load, ByPrice>,
    disabled: usize,
}

/// The least loaded workers of a group that a request may have.
#[derive(Debug)]
pub(super) struct Candidates<'a> {
    pub(super) load: Load,
    affordable: &'a [Key],
    /// Where in `affordable` those stand that have been tried; sorted.
    tried: Vec<usize>,
}

// === impl ByPrice ===

impl ByPrice {
    fn insert(&mut self, key: Key) {
        if let Err(at) = self.0.binary_search(&key) {
            self.0.insert(at, key);
        }
    }

    fn remove(&mut self, key: Key) {
        if let Ok(at) = self.0.binary_search(&key) {
            self.0.remove(at);
        }
    }

    fn affordable(&self, limit: Coefficient) -> &[Key] {
        let end = self.0.partition_point(|(coefficient, _)| *coefficient <= limit);
        self.0.get(..end).unwrap_or_default()
    }

    #[cfg(test)]
    fn holds(&self, key: Key) -> bool {
        self.0.binary_search(&key).is_ok()
    }
}

// === impl Group ===

impl Group {
    /// An empty group for workers like this one.
    pub(super) fn of(offer: &Offer) -> Self {
        Self {
            tier: offer.tier,
            endpoints: offer.endpoints,
            plaintext: offer.plaintext,
            enabled: ByPrice::default(),
            full: ByPrice::default(),
            free: BTreeMap::new(),
            disabled: 0,
        }
    }

    pub(super) fn is_of(&self, offer: &Offer) -> bool {
        self.tier == offer.tier && self.endpoints == offer.endpoints && self.plaintext == offer.plaintext
    }

    pub(super) fn insert(&mut self, id: WorkerId, offer: &Offer, load: Load) {
        if !offer.enabled {
            self.disabled += 1;
            return;
        }
        let key = (offer.coefficient, id);
        self.enabled.insert(key);
        self.place(key, load);
    }

    /// Takes a worker out; offer and load must be those that it was put in with.
    pub(super) fn remove(&mut self, id: WorkerId, offer: &Offer, load: Load) {
        if !offer.enabled {
            self.disabled = self.disabled.saturating_sub(1);
            return;
        }
        let key = (offer.coefficient, id);
        self.enabled.remove(key);
        self.unplace(key, load);
    }

    /// The load of an enabled worker has changed.
    pub(super) fn shift(&mut self, key: Key, before: Load, after: Load) {
        self.unplace(key, before);
        self.place(key, after);
    }

    fn place(&mut self, key: Key, load: Load) {
        if load.is_full() {
            self.full.insert(key);
        } else {
            self.free.entry(load).or_default().insert(key);
        }
    }

    fn unplace(&mut self, key: Key, load: Load) {
        if load.is_full() {
            self.full.remove(key);
        } else if let Some(bucket) = self.free.get_mut(&load) {
            bucket.remove(key);
            if bucket.0.is_empty() {
                self.free.remove(&load);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.enabled.0.len() + self.disabled
    }

    /// The least loaded workers that the request can pay and that it has not tried.
    pub(super) fn candidates(&self, query: &Query<'_>) -> Option<Candidates<'_>> {
        self.free.iter().find_map(|(load, bucket)| {
            let affordable = bucket.affordable(query.wanted.max_coefficient);
            let tried = query.tried_in(affordable);
            (affordable.len() > tried.len()).then_some(Candidates {
                load: *load,
                affordable,
                tried,
            })
        })
    }

    /// Adds what became of the workers of this group.
    pub(super) fn count(&self, query: &Query<'_>, counts: &mut Counts) {
        let wanted = query.wanted;
        let enabled = self.enabled.0.len();
        counts.workers += self.len();
        if !self.endpoints.contains(wanted.endpoint) {
            counts.endpoint_unsupported += self.len();
            return;
        }
        counts.disabled += self.disabled;
        if self.plaintext && !wanted.plaintext {
            counts.plaintext_refused += enabled;
            return;
        }
        if !wanted.tier.accepts(self.tier) {
            counts.tier_refused += enabled;
            return;
        }
        let affordable = self.enabled.affordable(wanted.max_coefficient);
        let affordable_and_full = self.full.affordable(wanted.max_coefficient);
        let excluded = query.tried_in(affordable).len();
        let full = affordable_and_full.len() - query.tried_in(affordable_and_full).len();
        counts.too_expensive += enabled - affordable.len();
        counts.excluded += excluded;
        counts.full += full;
        counts.eligible += affordable.len() - excluded - full;
    }

    /// The lowest price above the limit.
    pub(super) fn cheapest_above(&self, limit: Coefficient) -> Option<Coefficient> {
        let affordable = self.enabled.affordable(limit).len();
        self.enabled
            .0
            .get(affordable)
            .map(|(coefficient, _)| *coefficient)
    }

    #[cfg(test)]
    pub(super) fn holds(&self, id: WorkerId, offer: &Offer, load: Load) -> bool {
        let key = (offer.coefficient, id);
        let free = self.free.get(&load).is_some_and(|bucket| bucket.holds(key));
        let buckets: usize = self.free.values().map(|bucket| bucket.0.len()).sum();
        self.enabled.0.len() == self.full.0.len() + buckets
            && self.free.values().all(|bucket| !bucket.0.is_empty())
            && self.enabled.holds(key) == offer.enabled
            && self.full.holds(key) == (offer.enabled && load.is_full())
            && free == (offer.enabled && !load.is_full())
    }
}

// === impl Query ===

impl Query<'_> {
    /// Where in a sorted slice those stand that the request has already tried; sorted.
    fn tried_in(&self, workers: &[Key]) -> Vec<usize> {
        let mut tried: Vec<usize> = self
            .excluded
            .iter()
            .filter_map(|key| workers.binary_search(key).ok())
            .collect();
        tried.sort_unstable();
        tried.dedup();
        tried
    }
}

// === impl Candidates ===

impl Candidates<'_> {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.affordable.len() - self.tried.len()
    }

    /// The `index`-th one, counted without those already tried.
    pub(super) fn nth(&self, index: usize) -> Option<Key> {
        let at = self
            .tried
            .iter()
            .fold(index, |at, tried| if *tried <= at { at + 1 } else { at });
        self.affordable.get(at).copied()
    }
}
