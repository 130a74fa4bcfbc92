use std::collections::BTreeMap;

use cocoon_types::{Coefficient, Tier};

use crate::{Choice, Counts, Load, NoMatch, Obstacle, Offer, Verdict, Wanted, WorkerId};

mod group;

use group::{Candidates, Group, Query};

/// What every worker of a proxy offers, and how much it is doing.
#[derive(Debug, Default)]
pub struct Table {
    workers: BTreeMap<WorkerId, Worker>,
    /// By base name. A model whose last worker left is gone (the original keeps it for ever, spec/network.md 10.3).
    models: BTreeMap<String, Vec<Group>>,
}

#[derive(Debug)]
struct Worker {
    offer: Offer,
    running: u32,
}

/// Why the table did not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// The id is taken.
    #[error("there is a worker of this number already")]
    Duplicate,
    /// No such worker.
    #[error("there is no worker of this number")]
    Unknown,
    /// The worker has no free place.
    #[error("the worker has no free place")]
    Full,
}

/// One worker, as a listing shows it.
#[derive(Clone, Copy, Debug)]
pub struct WorkerView<'a> {
    /// Who.
    pub id: WorkerId,
    /// What it offers.
    pub offer: &'a Offer,
    /// Requests that it runs for this proxy, over its capacity.
    pub load: Load,
}

/// One model, as a listing shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelView<'a> {
    /// Base name.
    pub name: &'a str,
    /// Workers that announce it, disabled ones included.
    pub workers: usize,
}

// === impl Table ===

impl Table {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// A worker has come; it runs nothing.
    ///
    /// # Errors
    /// [`TableError::Duplicate`] when the id is taken.
    pub fn insert(&mut self, id: WorkerId, offer: Offer) -> Result<(), TableError> {
        if self.workers.contains_key(&id) {
            return Err(TableError::Duplicate);
        }
        let worker = Worker { offer, running: 0 };
        self.put(id, &worker);
        self.workers.insert(id, worker);
        Ok(())
    }

    /// A worker has gone. What it ran is the caller's to fail.
    pub fn remove(&mut self, id: WorkerId) -> Option<Offer> {
        let worker = self.workers.remove(&id)?;
        self.take(id, &worker);
        Some(worker.offer)
    }

    /// A worker takes requests from now on, or no longer; what it runs goes on.
    ///
    /// # Errors
    /// [`TableError::Unknown`].
    pub fn set_enabled(&mut self, id: WorkerId, enabled: bool) -> Result<(), TableError> {
        self.change(id, |offer| offer.enabled = enabled)
    }

    /// A worker has another price from now on.
    ///
    /// # Errors
    /// [`TableError::Unknown`].
    pub fn set_coefficient(&mut self, id: WorkerId, coefficient: Coefficient) -> Result<(), TableError> {
        self.change(id, |offer| offer.coefficient = coefficient)
    }

    /// A worker's tier is another one from now on; what it runs goes on.
    ///
    /// # Errors
    /// [`TableError::Unknown`].
    pub fn set_tier(&mut self, id: WorkerId, tier: Tier) -> Result<(), TableError> {
        self.change(id, |offer| offer.tier = tier)
    }

    /// A worker begins a request.
    ///
    /// # Errors
    /// [`TableError::Full`] when that would exceed its capacity, [`TableError::Unknown`].
    pub fn start(&mut self, id: WorkerId) -> Result<(), TableError> {
        let load = self.load(id).ok_or(TableError::Unknown)?;
        if load.is_full() {
            return Err(TableError::Full);
        }
        self.set_running(id, load.running().saturating_add(1));
        Ok(())
    }

    /// A worker has ended a request. Nothing happens when the worker has gone meanwhile.
    pub fn finish(&mut self, id: WorkerId) {
        if let Some(load) = self.load(id) {
            self.set_running(id, load.running().saturating_sub(1));
        }
    }

    /// The worker that should get the request.
    ///
    /// `random` is uniform over all of `u64`; it decides between equals.
    ///
    /// # Errors
    /// [`NoMatch`] says at which step the last worker was lost, and how many at each.
    pub fn choose(&self, wanted: &Wanted<'_>, random: u64) -> Result<Choice, NoMatch> {
        let groups = self.models.get(wanted.model).map_or(&[][..], Vec::as_slice);
        let query = self.query(wanted);
        let mut counts = Counts::default();
        for group in groups {
            group.count(&query, &mut counts);
        }
        let mut best: Vec<(&Group, Candidates<'_>)> = Vec::new();
        for group in groups.iter().filter(|group| suits(group, wanted)) {
            let Some(candidates) = group.candidates(&query) else {
                continue;
            };
            let least = best.first().map(|(_, first)| first.load);
            if least.is_some_and(|least| candidates.load > least) {
                continue;
            }
            if least.is_some_and(|least| candidates.load < least) {
                best.clear();
            }
            best.push((group, candidates));
        }
        let tied = best.iter().map(|(_, candidates)| candidates.len()).sum();
        let mut index = draw(random, tied);
        for (group, candidates) in best {
            if let Some((coefficient, worker)) = candidates.nth(index) {
                return Ok(Choice {
                    worker,
                    coefficient,
                    tier: group.tier,
                    load: candidates.load,
                    tied,
                    counts,
                });
            }
            index -= candidates.len();
        }
        let cheapest = groups
            .iter()
            .filter(|group| suits(group, wanted))
            .filter_map(|group| group.cheapest_above(wanted.max_coefficient))
            .min();
        Err(NoMatch {
            obstacle: obstacle(&counts, cheapest),
            counts,
        })
    }

    /// Whether this worker could take the request now, whatever the others do.
    pub fn could_serve(&self, id: WorkerId, wanted: &Wanted<'_>) -> bool {
        self.workers.get(&id).is_some_and(|worker| {
            worker.offer.model.base() == wanted.model && verdict(worker, id, wanted).is_none()
        })
    }

    /// What became of every worker of the model in a choice that came out like this, in the order of their ids.
    ///
    /// Looks at each worker of the proxy: for people who ask, not for each request.
    pub fn explain(&self, wanted: &Wanted<'_>, choice: Option<&Choice>) -> Vec<(WorkerId, Verdict)> {
        self.workers
            .iter()
            .filter(|(_, worker)| worker.offer.model.base() == wanted.model)
            .map(|(id, worker)| {
                let verdict = verdict(worker, *id, wanted).unwrap_or_else(|| match choice {
                    Some(choice) if choice.worker == *id => Verdict::Chosen,
                    Some(choice) if worker.load() > choice.load => Verdict::MoreLoaded(worker.load()),
                    _ => Verdict::NotDrawn,
                });
                (*id, verdict)
            })
            .collect()
    }

    /// One worker.
    pub fn worker(&self, id: WorkerId) -> Option<WorkerView<'_>> {
        let (id, worker) = self.workers.get_key_value(&id)?;
        Some(worker.view(*id))
    }

    /// All workers, in the order of their ids.
    pub fn workers(&self) -> impl Iterator<Item = WorkerView<'_>> {
        self.workers.iter().map(|(id, worker)| worker.view(*id))
    }

    /// Whether some worker announces a model of this base name.
    pub fn has_model(&self, name: &str) -> bool {
        self.models.contains_key(name)
    }

    /// All models that some worker announces, by name.
    pub fn models(&self) -> impl Iterator<Item = ModelView<'_>> {
        self.models.iter().map(|(name, groups)| ModelView {
            name,
            workers: groups.iter().map(Group::len).sum(),
        })
    }

    fn load(&self, id: WorkerId) -> Option<Load> {
        self.workers.get(&id).map(Worker::load)
    }

    /// The ids that the request has tried, as keys of the index.
    fn query<'a>(&self, wanted: &'a Wanted<'a>) -> Query<'a> {
        let key = |id: &WorkerId| Some((self.workers.get(id)?.offer.coefficient, *id));
        Query {
            wanted,
            excluded: wanted.excluded.iter().filter_map(key).collect(),
        }
    }

    fn change(&mut self, id: WorkerId, change: impl FnOnce(&mut Offer)) -> Result<(), TableError> {
        let mut worker = self.workers.remove(&id).ok_or(TableError::Unknown)?;
        self.take(id, &worker);
        change(&mut worker.offer);
        self.put(id, &worker);
        self.workers.insert(id, worker);
        Ok(())
    }

    fn set_running(&mut self, id: WorkerId, running: u32) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let before = worker.load();
        worker.running = running;
        let group = self
            .models
            .get_mut(worker.offer.model.base())
            .and_then(|groups| groups.iter_mut().find(|group| group.is_of(&worker.offer)));
        if let (Some(group), true) = (group, worker.offer.enabled) {
            group.shift((worker.offer.coefficient, id), before, worker.load());
        }
    }

    /// Enters a worker into the index.
    fn put(&mut self, id: WorkerId, worker: &Worker) {
        let offer = &worker.offer;
        let groups = self.models.entry(offer.model.base().to_owned()).or_default();
        if let Some(group) = groups.iter_mut().find(|group| group.is_of(offer)) {
            group.insert(id, offer, worker.load());
        } else {
            let mut group = Group::of(offer);
            group.insert(id, offer, worker.load());
            groups.push(group);
        }
    }

    /// Takes a worker out of the index, and its group and model when it was the last.
    fn take(&mut self, id: WorkerId, worker: &Worker) {
        let offer = &worker.offer;
        let Some(groups) = self.models.get_mut(offer.model.base()) else {
            return;
        };
        for group in groups.iter_mut().filter(|group| group.is_of(offer)) {
            group.remove(id, offer, worker.load());
        }
        groups.retain(|group| group.len() > 0);
        if groups.is_empty() {
            self.models.remove(offer.model.base());
        }
    }
}

// === impl Worker ===

impl Worker {
    fn load(&self) -> Load {
        Load::new(self.running, self.offer.capacity)
    }

    fn view(&self, id: WorkerId) -> WorkerView<'_> {
        WorkerView {
            id,
            offer: &self.offer,
            load: self.load(),
        }
    }
}

fn suits(group: &Group, wanted: &Wanted<'_>) -> bool {
    group.endpoints.contains(wanted.endpoint)
        && (wanted.plaintext || !group.plaintext)
        && wanted.tier.accepts(group.tier)
}

/// A number below `bound`, as likely as any other up to one part in 2^64 / bound; 0 when the bound is 0.
fn draw(random: u64, bound: usize) -> usize {
    let scaled = (u128::from(random) * bound as u128) >> 64;
    usize::try_from(scaled).unwrap_or(0)
}

/// Why a worker of the right model cannot take the request; None when it can. The order of steps is that of [`Counts`].
fn verdict(worker: &Worker, id: WorkerId, wanted: &Wanted<'_>) -> Option<Verdict> {
    let offer = &worker.offer;
    if !offer.endpoints.contains(wanted.endpoint) {
        Some(Verdict::EndpointUnsupported)
    } else if !offer.enabled {
        Some(Verdict::Disabled)
    } else if offer.plaintext && !wanted.plaintext {
        Some(Verdict::PlaintextRefused)
    } else if !wanted.tier.accepts(offer.tier) {
        Some(Verdict::TierRefused(offer.tier))
    } else if offer.coefficient > wanted.max_coefficient {
        Some(Verdict::TooExpensive(offer.coefficient))
    } else if wanted.excludes(id) {
        Some(Verdict::Excluded)
    } else if worker.load().is_full() {
        Some(Verdict::Full(worker.load()))
    } else {
        None
    }
}

/// The last step that some worker reached.
fn obstacle(counts: &Counts, cheapest: Option<Coefficient>) -> Obstacle {
    if counts.full > 0 {
        Obstacle::Busy
    } else if counts.excluded > 0 {
        Obstacle::AllTried
    } else if let Some(cheapest) = cheapest {
        Obstacle::PriceTooLow { cheapest }
    } else if counts.tier_refused > 0 {
        Obstacle::TierUnavailable
    } else if counts.plaintext_refused > 0 {
        Obstacle::PlaintextOnly
    } else if counts.disabled > 0 {
        Obstacle::AllDisabled
    } else if counts.endpoint_unsupported > 0 {
        Obstacle::EndpointUnsupported
    } else {
        Obstacle::UnknownModel
    }
}

#[cfg(test)]
mod tests;
