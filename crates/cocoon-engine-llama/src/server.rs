//! The HTTP side: routes, bodies, errors. Every answer and every error is OpenAI's in shape.

mod answer;
mod choice;
mod embed;
mod generate;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::{Bytes, BytesMut};
use cocoon_types::{Fault, MAX_BODY_BYTES, ModelName};
use cocoon_web::{
    ServeOptions,
    guard::{Guard, GuardOptions},
};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::{sync::Semaphore, task, time::timeout};

use crate::{api::Problem, constraint::Constraints, engine::Handle, model::Model};

/// What the handlers share.
pub(crate) struct Server {
    model: Arc<Model>,
    alias: String,
    engine: Handle,
    constraints: Arc<Constraints>,
    /// Unix seconds.
    clock: fn() -> u64,
    started: u64,
    guard: Guard,
    /// Bounds the requests that are parsed, rendered and tokenized at once.
    preparing: Arc<Semaphore>,
}

/// Bytes of a body at most. No context holds more text, and a JSON tree takes up to 30 times its text in memory.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// Time for a body to arrive; the caller is on this machine.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// Requests prepared at once: two cores' worth, so that a burst of large bodies takes little memory.
const PREPARING: usize = 2;
/// Connections at most: the running, the waiting, and some that ask for health.
const CONNECTIONS: usize = 512;

/// The bounds of the listener.
pub(crate) fn serve_options() -> ServeOptions {
    ServeOptions {
        max_connections: CONNECTIONS,
        // Whoever asks the engine to end has let its requests end before.
        drain: Duration::from_millis(200),
        ..ServeOptions::default()
    }
}

pub(crate) fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(generate::chat))
        .route("/v1/completions", post(generate::completion))
        .route("/v1/embeddings", post(embed::embeddings))
        .route("/v1/models", get(models))
        .route("/v1/models/{*name}", get(model))
        .route("/health", get(health))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&server), admit))
        .with_state(server)
}

// === impl Server ===

impl Server {
    pub(crate) fn new(
        model: Arc<Model>,
        alias: &ModelName,
        engine: Handle,
        clock: fn() -> u64,
        address: SocketAddr,
    ) -> anyhow::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            model,
            alias: alias.to_string(),
            engine,
            constraints: Arc::new(Constraints::default()),
            clock,
            started: clock(),
            guard: Guard::new(address, GuardOptions::default())?,
            preparing: Arc::new(Semaphore::new(PREPARING)),
        }))
    }

    /// Runs what takes a while on the blocking pool; the place is held until it is done, even if the caller goes.
    async fn prepare<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let permit = Arc::clone(&self.preparing).acquire_owned().await;
        let permit = permit.map_err(|_| Problem::internal())?;
        let server = Arc::clone(self);
        let done = task::spawn_blocking(move || {
            let _permit = permit;
            work(&server)
        });
        done.await.map_err(|_| Problem::internal())?
    }

    fn check_model(&self, asked: &str) -> Result<(), Problem> {
        if asked == self.alias {
            return Ok(());
        }
        Err(Problem::new(
            Fault::UnknownModel,
            "this engine does not serve a model of that name",
        ))
    }

    fn describe(&self) -> Value {
        json!({
            "id": self.alias,
            "object": "model",
            "created": self.started,
            "owned_by": "cocoon",
            "max_model_len": self.model.context_length(),
        })
    }
}

/// The body, within its bounds.
async fn read_body(request: Request) -> Result<Bytes, Problem> {
    match timeout(BODY_TIMEOUT, collect(request.into_body())).await {
        Ok(body) => body,
        Err(_) => Err(Problem::new(Fault::Timeout, "the body did not arrive in time")),
    }
}

async fn collect(body: Body) -> Result<Bytes, Problem> {
    let mut pieces = body.into_data_stream();
    let (mut kept, mut length) = (BytesMut::new(), 0usize);
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| Problem::new(Fault::Cancelled, "the body was cut off"))?;
        length = length.saturating_add(piece.len());
        if length <= MAX_BODY {
            kept.extend_from_slice(&piece);
        } else if length > MAX_BODY_BYTES {
            break;
        } else {
            // Read on, so that the caller is not cut off while it writes and finds no answer.
            kept = BytesMut::new();
        }
    }
    if length > MAX_BODY {
        return Err(Problem::new(
            Fault::BodyTooLarge,
            format!("the body may have {MAX_BODY} bytes at most"),
        ));
    }
    Ok(kept.freeze())
}

/// Browsers reach loopback too: Host and Origin are checked.
async fn admit(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match server.guard.admit_without_key(&parts) {
        Ok(_) => next.run(Request::from_parts(parts, body)).await,
        Err(refusal) => Problem::new(refusal.fault, refusal.message).into_response(),
    }
}

async fn models(State(server): State<Arc<Server>>) -> Response {
    json_response(json!({"object": "list", "data": [server.describe()]}).to_string())
}

async fn model(State(server): State<Arc<Server>>, Path(name): Path<String>) -> Response {
    match server.check_model(&name) {
        Ok(()) => json_response(server.describe().to_string()),
        Err(problem) => problem.into_response(),
    }
}

async fn health() -> Response {
    json_response(json!({"status": "ok"}).to_string())
}

async fn unknown() -> Problem {
    Problem::new(Fault::NotFound, "there is nothing at this path")
}

async fn wrong_method() -> Problem {
    Problem::new(Fault::MethodNotAllowed, "this path does not take that method")
}

fn json_response(body: impl Into<Body>) -> Response {
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (headers, body.into()).into_response()
}

// === impl Problem ===

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = json_response(self.to_body());
        *response.status_mut() = status;
        if self.fault == Fault::Busy {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
