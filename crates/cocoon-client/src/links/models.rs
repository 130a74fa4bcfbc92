//! Which models can be asked for: every proxy's list, merged.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use cocoon_tl::{TlObject as _, client};
use cocoon_types::ModelName;
use futures_util::future::join_all;

use super::Live;

/// How old the merged list may be: it changes with every request's start and end, and anybody may ask for it.
const MAX_AGE: Duration = Duration::from_secs(2);
/// How long one proxy may take for its list; a proxy that takes longer is left out.
const PATIENCE: Duration = Duration::from_secs(5);
/// Models of one proxy that are listed; more is not a catalogue that anybody reads.
const MAX_MODELS: usize = 10_000;

/// The models that can be asked for, by name.
pub(crate) type Models = BTreeMap<String, Model>;

/// What is known of a model's workers, over all proxies. A worker that is linked to two proxies counts twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Model {
    /// Workers that serve it.
    pub(crate) workers: u64,
    /// The lowest price, in per mille of the base price.
    pub(crate) min_coefficient: i32,
    /// Requests that run.
    pub(crate) active_requests: u64,
    /// Requests that can run.
    pub(crate) max_active_requests: u64,
}

/// The merged list, asked for by one task at a time.
#[derive(Debug)]
pub(super) struct Cache(moka::future::Cache<(), Arc<Models>>);

// === impl Cache ===

impl Cache {
    pub(super) fn new() -> Self {
        Self(
            moka::future::Cache::builder()
                .max_capacity(1)
                .time_to_live(MAX_AGE)
                .build(),
        )
    }

    pub(super) async fn get(&self, lives: Vec<Arc<Live>>) -> Arc<Models> {
        self.0
            .get_with((), async move {
                let lists = join_all(lives.iter().map(|live| ask(live))).await;
                Arc::new(merge(lists.into_iter().flatten()))
            })
            .await
    }
}

async fn ask(live: &Live) -> Option<client::WorkerTypesV2> {
    let question = client::GetWorkerTypesV2 {}.to_boxed();
    let answer = live.session.link().query(question, PATIENCE).await;
    let types = answer
        .ok()
        .and_then(|answer| client::WorkerTypesV2::from_boxed(answer).ok());
    if types.is_none() {
        tracing::debug!("a proxy did not list its models");
    }
    types
}

/// Leaves out what is not a model's name and what has no workers at present.
fn merge(lists: impl Iterator<Item = client::WorkerTypesV2>) -> Models {
    let mut models = Models::new();
    for list in lists {
        for kind in list.types.into_iter().take(MAX_MODELS) {
            let Some(name) = kind.name.as_str().and_then(|name| ModelName::new(name).ok()) else {
                continue;
            };
            for worker in &kind.workers {
                let count = |value: i32| u64::try_from(value).unwrap_or(0);
                let model = models.entry(name.base().to_owned()).or_insert(Model {
                    min_coefficient: i32::MAX,
                    ..Model::default()
                });
                model.workers += 1;
                model.min_coefficient = model.min_coefficient.min(worker.coefficient.max(0));
                model.active_requests = model
                    .active_requests
                    .saturating_add(count(worker.active_requests));
                model.max_active_requests = model
                    .max_active_requests
                    .saturating_add(count(worker.max_active_requests));
            }
        }
    }
    models
}

#[cfg(test)]
mod tests {
    use cocoon_tl::{TlString, client};

    use super::{Model, merge};

    /// Name, then price, running and capacity of each worker.
    type Listed<'a> = (&'static str, &'a [(i32, i32, i32)]);

    fn list(types: &[Listed<'_>]) -> client::WorkerTypesV2 {
        let types = types.iter().map(|(name, workers)| client::WorkerTypeV2 {
            name: TlString::from_static(name),
            workers: workers
                .iter()
                .map(
                    |&(coefficient, active_requests, max_active_requests)| client::WorkerInstanceV2 {
                        flags: 0,
                        coefficient,
                        active_requests,
                        max_active_requests,
                    },
                )
                .collect(),
        });
        client::WorkerTypesV2 {
            types: types.collect(),
        }
    }

    #[test]
    fn lists_are_merged_by_name() {
        let merged = merge(
            [
                list(&[("a", &[(2000, 1, 4)]), ("b", &[(1000, 0, 1)]), ("idle", &[])]),
                list(&[
                    ("a", &[(1500, 2, 8), (3000, 0, 8)]),
                    ("bad name", &[(1, 1, 1)]),
                    ("", &[(1, 1, 1)]),
                ]),
            ]
            .into_iter(),
        );
        assert_eq!(merged.keys().collect::<Vec<_>>(), ["a", "b"]);
        let expected = Model {
            workers: 3,
            min_coefficient: 1500,
            active_requests: 3,
            max_active_requests: 20,
        };
        assert_eq!(merged["a"], expected);
    }

    #[test]
    fn absurd_numbers_do_no_harm() {
        let merged = merge(
            [list(&[(
                "a",
                &[(-5, -1, i32::MAX), (i32::MAX, i32::MIN, i32::MAX)],
            )])]
            .into_iter(),
        );
        assert_eq!((merged["a"].min_coefficient, merged["a"].active_requests), (0, 0));
    }
}
