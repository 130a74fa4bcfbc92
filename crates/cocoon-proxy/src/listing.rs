//! What clients are told of the workers: `client.getWorkerTypesV2` and `client.getWorkerTypes` (spec/network.md 6.6).

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use cocoon_matching::{Table, WorkerView};
use cocoon_tl::{TlObject as _, TlString, client};
use tokio::time::Instant;

/// How old a listing may be. With 10,000 workers one takes a millisecond to make, and anybody may ask for it.
const MAX_AGE: Duration = Duration::from_millis(100);

/// The last listings, so that a client that asks all the time costs little.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    types_v2: Kept,
    types: Kept,
}

/// One answer and when it was made.
#[derive(Debug, Default)]
struct Kept(Mutex<Option<(Instant, Bytes)>>);

// === impl Listing ===

impl Listing {
    /// The answer to `client.getWorkerTypesV2`, at most [`MAX_AGE`] old.
    pub(crate) fn types_v2(&self, make: impl FnOnce() -> Bytes) -> Bytes {
        self.types_v2.or(make)
    }

    /// The answer to `client.getWorkerTypes`, at most [`MAX_AGE`] old.
    pub(crate) fn types(&self, make: impl FnOnce() -> Bytes) -> Bytes {
        self.types.or(make)
    }
}

impl Kept {
    fn or(&self, make: impl FnOnce() -> Bytes) -> Bytes {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((made, listing)) if made.elapsed() < MAX_AGE => listing.clone(),
            _ => {
                let listing = make();
                *last = Some((Instant::now(), listing.clone()));
                listing
            }
        }
    }
}

/// All enabled workers, by model, cheapest first. A model whose workers are all disabled is listed without any.
pub(crate) fn types_v2(table: &Table) -> Bytes {
    let types = by_model(table)
        .into_iter()
        .map(|(name, mut workers)| {
            workers.sort_by_key(|worker| worker.offer.coefficient);
            client::WorkerTypeV2 {
                name: TlString::from(name),
                workers: workers.iter().map(instance).collect(),
            }
        })
        .collect();
    client::WorkerTypesV2 { types }.to_boxed()
}

/// The older form: number and prices of the enabled workers. (The original counts disabled ones too, and always
/// reports 2^31 - 1 as the highest price, spec/network.md 10.6, 75.)
pub(crate) fn types(table: &Table) -> Bytes {
    let types = by_model(table)
        .into_iter()
        .map(|(name, workers)| {
            let mut prices: Vec<i32> = workers.iter().map(price).collect();
            prices.sort_unstable();
            client::WorkerType {
                name: TlString::from(name),
                active_workers: saturated(prices.len()),
                coefficient_min: prices.first().copied().unwrap_or(0),
                coefficient_bucket50: prices.get(prices.len() / 2).copied().unwrap_or(0),
                coefficient_max: prices.last().copied().unwrap_or(0),
            }
        })
        .collect();
    client::WorkerTypes { types }.to_boxed()
}

fn by_model(table: &Table) -> BTreeMap<&str, Vec<WorkerView<'_>>> {
    let mut models: BTreeMap<&str, Vec<WorkerView<'_>>> =
        table.models().map(|model| (model.name, Vec::new())).collect();
    for worker in table.workers().filter(|worker| worker.offer.enabled) {
        models.entry(worker.offer.model.base()).or_default().push(worker);
    }
    models
}

fn instance(worker: &WorkerView<'_>) -> client::WorkerInstanceV2 {
    client::WorkerInstanceV2 {
        flags: 0,
        coefficient: price(worker),
        active_requests: saturated(worker.load.running()),
        max_active_requests: saturated(worker.load.capacity()),
    }
}

fn price(worker: &WorkerView<'_>) -> i32 {
    saturated(worker.offer.coefficient.per_mille())
}

fn saturated(count: impl TryInto<i32>) -> i32 {
    count.try_into().unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
