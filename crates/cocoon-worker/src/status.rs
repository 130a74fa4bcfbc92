//! `GET /status`: what the worker's owner wants to know. No addresses of others, no keys, no content.

use std::sync::Arc;

use axum::{Json, Router, extract::State, routing::get};
use cocoon_link::EnginePlace;
use cocoon_web::clock::unix_now;
use serde::Serialize;

use crate::{shop::Shop, stating::Verdict};

/// The answer.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    is_test: bool,
    draining: bool,
    /// Proxies named in the configuration.
    proxies: usize,
    /// Those of them that this worker works for now.
    connected_proxies: i64,
    /// Requests that run.
    running: usize,
    /// Per mille of the base price.
    coefficient: u32,
    engine: Engine,
    statement: Statement,
}

/// What this worker states of itself beside its certificate.
#[derive(Debug, Serialize)]
struct Statement {
    /// Its name; none where nothing is stated.
    digest: Option<String>,
    /// Last Unix second.
    until: Option<u64>,
    accelerators: Option<u8>,
    /// Whether it names the digest of the model's file.
    model: Option<bool>,
    /// Whether it names a key to seal requests to.
    seals: Option<bool>,
    /// Why there is none, or no fresh one.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// What the proxies of the links that stand think of it, as far as they have said.
    verdicts: Vec<Judged>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Judged {
    Believed { tier: &'static str, until: u64 },
    Refused { refusal: String },
}

#[derive(Debug, Serialize)]
struct Engine {
    ready: bool,
    /// Why it is not ready.
    #[serde(skip_serializing_if = "String::is_empty")]
    note: String,
    #[serde(flatten)]
    served: Option<Offer>,
}

#[derive(Debug, Serialize)]
struct Offer {
    model: String,
    kind: &'static str,
    /// Where it listens.
    url: Option<String>,
    tier: &'static str,
    capacity: u16,
    /// In model tokens; 0 when it is not known.
    context_length: u32,
    endpoints: Vec<&'static str>,
    started_by_worker: bool,
}

/// The route, for the admin listener.
pub(crate) fn routes(shop: Arc<Shop>) -> Router {
    Router::new()
        .route(
            "/status",
            get(|State(shop): State<Arc<Shop>>| async move { Json(status(&shop)) }),
        )
        .with_state(shop)
}

fn status(shop: &Shop) -> Status {
    let view = shop.engine.borrow().clone();
    Status {
        is_test: shop.is_test,
        draining: shop.draining.is_cancelled(),
        proxies: shop.proxies,
        connected_proxies: shop.metrics.links(),
        running: shop.running(),
        statement: statement(shop),
        coefficient: shop.coefficient.per_mille(),
        engine: Engine {
            ready: view.ready,
            note: view.note,
            served: view.served.map(|served| Offer {
                model: served.model.to_string(),
                kind: served.engine.kind().as_str(),
                url: served.engine.address().map(|address| address.to_string()),
                tier: shop.serving_tier(served.place).as_str(),
                capacity: served.capacity,
                context_length: served.context_length,
                endpoints: served.endpoints.iter().map(|endpoint| endpoint.path()).collect(),
                started_by_worker: served.place == EnginePlace::StartedByWorker,
            }),
        },
    }
}

fn statement(shop: &Shop) -> Statement {
    let current = shop.stating.subscribe().borrow().clone();
    let says = current.as_ref().and_then(|evidence| evidence.statement().ok());
    let now = unix_now();
    let standings = shop.stating.standings();
    let verdicts = standings.iter().filter_map(|standing| standing.verdict(now));
    Statement {
        digest: current.map(|evidence| evidence.name()),
        until: says.as_ref().map(|says| says.valid_until),
        accelerators: says.as_ref().map(|says| says.accelerators),
        model: says.as_ref().map(|says| says.model.is_some()),
        seals: says.as_ref().map(|says| !says.sealing_key.is_empty()),
        note: shop.stating.note(),
        verdicts: verdicts
            .map(|verdict| match verdict {
                Verdict::Believed { tier, until } => Judged::Believed {
                    tier: tier.as_str(),
                    until,
                },
                Verdict::Refused(refusal) => Judged::Refused { refusal },
            })
            .collect(),
    }
}
