//! `GET /status`: what a person or a script wants to know of a running proxy. No addresses, no keys, no content.
//! `GET /explain?model=NAME`: what would become of a request that came now, and why each worker would win or lose.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use cocoon_link::EnginePlace;
use cocoon_matching::WorkerView;
use cocoon_trust::StatedEngine;
use cocoon_types::{Coefficient, Endpoint, ModelName, TierPolicy};
use serde::{Deserialize, Serialize};

use crate::{
    board::{Ask, Asker},
    metrics::Leg,
    node::{Node, WorkerPeer},
    sealed::Sealed,
    stated::Held,
};

/// Workers that are listed one by one; the rest is in the sums.
const MAX_LISTED: usize = 1000;

/// The answer.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    is_test: bool,
    accepts_simulated: bool,
    draining: bool,
    /// Links of clients.
    clients: i64,
    /// Requests that wait or are relayed.
    open_requests: i64,
    /// Those of them that wait for a busy worker.
    waiting_requests: usize,
    models: Vec<Model>,
    /// The newest offer list of each model; none where nothing sealed is taken.
    offers: Vec<Offers>,
    /// The first thousand, in the order in which they came.
    workers: Vec<Worker>,
}

#[derive(Debug, Serialize)]
struct Offers {
    model: String,
    epoch: u64,
    /// The same for every client of this epoch.
    digest: String,
    workers: usize,
}

#[derive(Debug, Serialize)]
struct Model {
    name: String,
    workers: usize,
    waiting: usize,
}

#[derive(Debug, Serialize)]
struct Worker {
    id: String,
    model: String,
    tier: &'static str,
    enabled: bool,
    running: u32,
    capacity: u32,
    /// Per mille of the base price.
    coefficient: u32,
    endpoints: Vec<&'static str>,
    #[serde(flatten)]
    peer: Option<Peer>,
}

#[derive(Debug, Serialize)]
struct Peer {
    engine: &'static str,
    /// In model tokens; 0 when it is not known.
    context_length: u32,
    software: String,
    connected_s: u64,
    /// Requests that it failed, and receipts that were refused or disputed.
    faults: u32,
    /// Receipts that clients disagreed with.
    disputes: u32,
    /// The newest of what it has stated that holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<Stated>,
    /// Why its last statement was refused, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    statement_refused: Option<String>,
}

#[derive(Debug, Serialize)]
struct Stated {
    digest: String,
    /// Last Unix second.
    until: u64,
    /// The block that it names.
    block: u32,
    accelerators: u8,
    /// GPUs whose evidence was verified.
    gpus: usize,
    engine: &'static str,
    /// SHA-256 of the model's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// Whether it names a key to seal requests to.
    seals: bool,
}

/// A request to be explained, as it stands in the query string. What is not named has the value that a caller of the
/// gateway gets by default.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    model: String,
    endpoint: Option<String>,
    tier: Option<String>,
    max_coefficient: Option<u32>,
}

#[derive(Debug, Serialize)]
struct Explanation {
    /// The worker that would get it; none when it would wait or be refused.
    chosen: Option<String>,
    /// Why nobody would get it.
    refusal: Option<String>,
    /// The first thousand workers of the model.
    workers: Vec<Explained>,
}

#[derive(Debug, Serialize)]
struct Explained {
    id: String,
    verdict: String,
}

/// The routes, for the admin listener.
pub(crate) fn routes(node: Arc<Node>) -> Router {
    Router::new()
        .route(
            "/status",
            get(|State(node): State<Arc<Node>>| async move { Json(status(&node)) }),
        )
        .route(
            "/explain",
            get(
                |State(node): State<Arc<Node>>, Query(question): Query<Question>| async move {
                    explain(&node, question)
                },
            ),
        )
        .with_state(node)
}

fn explain(node: &Node, question: Question) -> Response {
    match question.into_ask() {
        Ok(ask) => Json(explanation(node, &ask)).into_response(),
        Err(what) => (StatusCode::BAD_REQUEST, format!("{what} is not a valid value\n")).into_response(),
    }
}

fn explanation(node: &Node, ask: &Ask) -> Explanation {
    let (outcome, verdicts) = node.board.explain(ask);
    Explanation {
        chosen: outcome.as_ref().ok().map(|choice| choice.worker.to_string()),
        refusal: outcome
            .err()
            .map(|none| none.to_refusal(&ask.wanted(&[])).to_string()),
        workers: verdicts
            .into_iter()
            .take(MAX_LISTED)
            .map(|(id, verdict)| Explained {
                id: id.to_string(),
                verdict: verdict.to_string(),
            })
            .collect(),
    }
}

impl Question {
    fn into_ask(self) -> Result<Ask, &'static str> {
        let endpoint = match &self.endpoint {
            None => Endpoint::ChatCompletions,
            Some(path) => Endpoint::from_path(path).ok_or("endpoint")?,
        };
        let tier = match &self.tier {
            None => TierPolicy::default(),
            Some(tier) => tier.parse().map_err(|_| "tier")?,
        };
        let max_coefficient = match self.max_coefficient {
            None => Coefficient::DEFAULT_LIMIT,
            Some(limit) => Coefficient::new(limit).ok_or("max_coefficient")?,
        };
        Ok(Ask {
            // Nobody asks: it is not put in a line.
            asker: Asker(0),
            model: ModelName::new(self.model).map_err(|_| "model")?,
            endpoint,
            tier,
            max_coefficient,
            plaintext: false,
        })
    }
}

/// A look at the board.
pub(crate) fn status(node: &Node) -> Status {
    let (models, workers) = node.board.view(|table, peers| {
        let models: Vec<(String, usize)> = table
            .models()
            .map(|model| (model.name.to_owned(), model.workers))
            .collect();
        let workers = table
            .workers()
            .take(MAX_LISTED)
            .map(|view| worker(&view, peers.get(&view.id)))
            .collect();
        (models, workers)
    });
    Status {
        is_test: node.is_test,
        accepts_simulated: node.accepts_simulated,
        draining: node.is_draining(),
        clients: node.metrics.open_links(Leg::CLIENTS),
        open_requests: node.metrics.open_requests(),
        waiting_requests: node.board.waiting(),
        models: models
            .into_iter()
            .map(|(name, workers)| Model {
                waiting: node.board.waiting_for(&name),
                name,
                workers,
            })
            .collect(),
        offers: node
            .sealed
            .as_ref()
            .map_or_else(Vec::new, |sealed| offers(sealed)),
        workers,
    }
}

fn offers(sealed: &Sealed) -> Vec<Offers> {
    let lists = sealed.offers.overview().into_iter();
    lists
        .map(|(model, epoch, digest, workers)| Offers {
            model,
            epoch,
            digest: digest.to_string(),
            workers,
        })
        .collect()
}

fn worker(view: &WorkerView<'_>, peer: Option<&Arc<WorkerPeer>>) -> Worker {
    Worker {
        id: view.id.to_string(),
        model: view.offer.model.to_string(),
        tier: view.offer.tier.as_str(),
        enabled: view.offer.enabled,
        running: view.load.running(),
        capacity: view.load.capacity(),
        coefficient: view.offer.coefficient.per_mille(),
        endpoints: view
            .offer
            .endpoints
            .iter()
            .map(|endpoint| endpoint.path())
            .collect(),
        peer: peer.map(|peer| Peer {
            engine: match peer.engine {
                EnginePlace::None => "none",
                EnginePlace::StartedByWorker => "started by the worker",
                EnginePlace::Outside => "outside",
            },
            context_length: peer.context_length,
            software: peer.software.clone(),
            connected_s: peer.since.elapsed().as_secs(),
            faults: peer.record.faults(),
            disputes: peer.record.disputes(),
            statement: peer.stated.newest().map(|held| stated(&held)),
            statement_refused: peer.stated.refusal(),
        }),
    }
}

fn stated(held: &Held) -> Stated {
    let verified = &held.verified;
    let says = verified.statement();
    Stated {
        digest: held.evidence.name(),
        until: verified.expires_at(),
        block: says.block.seqno,
        accelerators: says.accelerators,
        gpus: verified.gpus().len(),
        engine: match says.engine {
            StatedEngine::None => "none",
            StatedEngine::OfImage => "started by the image",
            StatedEngine::Outside => "outside",
        },
        model: says
            .model
            .map(|digest| digest.iter().map(|byte| format!("{byte:02x}")).collect()),
        seals: !says.sealing_key.is_empty(),
    }
}
