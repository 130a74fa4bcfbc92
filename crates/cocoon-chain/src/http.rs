//! The ledger over HTTP, as toncenter v2 speaks (`POST /api/v2/jsonRPC`, `GET` and `POST /api/v2/METHOD`), as far as the
//! npm package `@ton/ton` asks; and `/test/...` on the loopback of a test network.

mod error;
mod methods;
mod params;
mod render;
pub(crate) mod stack;
mod test_routes;

use std::convert::Infallible;

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Path, Query, Request, State},
    http::{HeaderMap, HeaderName, Method, StatusCode, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use cocoon_types::{Fault, Refusal};
use cocoon_web::{ServeOptions, guard::Guard};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(crate) use self::error::CallError;
pub(crate) use self::render::SHARD;
use crate::ledger::LedgerChain;

/// Largest request: an external message of 64 KiB in base64, with room for a few arguments.
const MAX_REQUEST_BYTES: usize = 256 * 1024;
/// Where toncenter's clients send their key.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Serves the ledger until `shutdown`, then drains. Makes no blocks; that is [`LedgerChain::run`].
///
/// Faucet, warp and faults are there only on the loopback of a test network.
pub async fn serve(chain: LedgerChain, listener: TcpListener, guard: Guard, shutdown: CancellationToken) {
    let loopback = listener
        .local_addr()
        .is_ok_and(|address| address.ip().is_loopback());
    let is_test = chain.with(|ledger, _| ledger.options().is_test).await;
    let mut routes = Router::new()
        .route("/health", get(health))
        .route("/api/v2/jsonRPC", post(json_rpc))
        .route("/api/v2/{method}", any(method));
    if loopback && is_test {
        routes = routes.merge(test_routes::router());
    }
    let routes = routes
        .fallback(|| async { CallError::unknown("there is no such page").into_response() })
        .layer(middleware::from_fn_with_state(guard, check))
        .with_state(chain);
    cocoon_web::serve(routes, listener, ServeOptions::default(), shutdown).await;
}

async fn health(State(chain): State<LedgerChain>) -> Response {
    let head = chain.with(|ledger, _| ledger.head()).await;
    Json(json!({ "ready": true, "seqno": head.seqno, "time": head.time })).into_response()
}

/// `{"id": .., "jsonrpc": "2.0", "method": .., "params": {..}}`
async fn json_rpc(State(chain): State<LedgerChain>, request: Request) -> Response {
    let mut question = match read(request.into_body()).await {
        Ok(question) => question,
        Err(error) => return error.into_response(),
    };
    let id = match question.remove("id") {
        Some(id @ (Value::String(_) | Value::Number(_))) => id,
        _ => Value::Null,
    };
    let result = match (question.remove("method"), question.remove("params")) {
        (Some(Value::String(method)), Some(Value::Object(params))) => call(&chain, method, params).await,
        (Some(Value::String(method)), None | Some(Value::Null)) => call(&chain, method, Map::new()).await,
        _ => Err(CallError::invalid("method must be text and params an object")),
    };
    let mut answer = error::envelope(result);
    answer.body.insert("jsonrpc".into(), "2.0".into());
    answer.body.insert("id".into(), id);
    answer.into_response()
}

/// The same by the name of the method: parameters in the query, or in a body of JSON.
async fn method(
    State(chain): State<LedgerChain>,
    Path(method): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    request: Request,
) -> Response {
    let params = match *request.method() {
        Method::GET => Ok(query
            .into_iter()
            .map(|(name, text)| (name, text.into()))
            .collect()),
        Method::POST => read(request.into_body()).await,
        _ => Err(CallError::new(StatusCode::METHOD_NOT_ALLOWED, "GET or POST")),
    };
    let result = match params {
        Ok(params) => call(&chain, method, params).await,
        Err(error) => Err(error),
    };
    error::envelope(result).into_response()
}

async fn call(chain: &LedgerChain, method: String, params: Map<String, Value>) -> Result<Value, CallError> {
    chain
        .with(move |ledger, now| methods::call(ledger, now, &method, params::Params::new(params)))
        .await
}

async fn read(body: Body) -> Result<Map<String, Value>, CallError> {
    let bytes = to_bytes(body, MAX_REQUEST_BYTES).await.map_err(|_| {
        CallError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the request is too large or was cut off",
        )
    })?;
    serde_json::from_slice(&bytes).map_err(|_| CallError::invalid("the request is not a JSON object"))
}

async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Result<Response, Infallible> {
    let (mut parts, body) = request.into_parts();
    take_key(&mut parts.headers);
    let admitted = match admit(&guard, &parts).await {
        Ok(admitted) => admitted,
        Err(refusal) => {
            let status = if refusal.fault == Fault::Unauthorized {
                StatusCode::UNAUTHORIZED
            } else {
                StatusCode::FORBIDDEN
            };
            return Ok(CallError::new(status, refusal.message).into_response());
        }
    };
    let mut answer = match admitted.preflight(&parts) {
        Some(answer) => answer,
        None => next.run(Request::from_parts(parts, body)).await,
    };
    admitted.mark(answer.headers_mut());
    Ok(answer)
}

async fn admit(guard: &Guard, request: &Parts) -> Result<cocoon_web::guard::Admitted, Refusal> {
    // A browser sends its preflight without a key, and a load balancer asks for health without one.
    if request.method == Method::OPTIONS || request.uri.path() == "/health" {
        guard.admit_without_key(request)
    } else {
        guard.admit(request).await
    }
}

/// The guard reads `Authorization`; toncenter's clients write `X-API-Key`.
fn take_key(headers: &mut HeaderMap) {
    if let Some(key) = headers.remove(API_KEY)
        && !headers.contains_key(header::AUTHORIZATION)
        && let Ok(bearer) = format!("Bearer {}", key.to_str().unwrap_or_default()).parse()
    {
        headers.insert(header::AUTHORIZATION, bearer);
    }
}

/// Reads every parameter as everything that it can be.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn read_all(params: Map<String, Value>) {
    let names: Vec<String> = params.keys().cloned().collect();
    let params = params::Params::new(params);
    for name in names {
        let _ = (params.address(&name), params.hash(&name), params.cell(&name));
        let _ = (
            params.number::<u64>(&name),
            params.number::<u32>(&name),
            params.number::<i8>(&name),
        );
    }
}

#[cfg(test)]
pub(crate) mod tests;
