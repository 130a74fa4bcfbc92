//! The admin listener of a node: `/health` and `/metrics`, and what a role adds.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{Method, StatusCode, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use cocoon_types::{Fault, Refusal};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{ServeOptions, guard::Guard, metrics::Metrics};

/// How a node is, as it answers `GET /health`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Health {
    /// Whether it can do its work now; decides between status 200 and 503.
    pub ready: bool,
    /// What a person or a script wants to know beside it: `{"workers": 2}`. Never addresses of users, keys or content.
    #[serde(flatten)]
    pub detail: Value,
}

/// The question that `/health` asks its role, each time anew; it must not block.
pub type HealthCheck = Arc<dyn Fn() -> Health + Send + Sync>;

/// Serves `/health` and `/metrics` until `shutdown`, then drains.
pub async fn serve(
    listener: TcpListener,
    guard: Guard,
    health: HealthCheck,
    metrics: Metrics,
    shutdown: CancellationToken,
) {
    serve_with(listener, guard, router(health, metrics), shutdown).await;
}

/// Serves any routes behind the guard: [`router`] and what a role merges into it.
pub async fn serve_with(listener: TcpListener, guard: Guard, routes: Router, shutdown: CancellationToken) {
    let routes = routes
        .fallback(|| async { error(&Refusal::new(Fault::NotFound, "there is no such page")) })
        .method_not_allowed_fallback(|| async {
            error(&Refusal::new(
                Fault::MethodNotAllowed,
                "the page has no such method",
            ))
        })
        .layer(middleware::from_fn_with_state(guard, check));
    crate::serve(routes, listener, ServeOptions::default(), shutdown).await;
}

/// The two routes, without the guard.
pub fn router(health: HealthCheck, metrics: Metrics) -> Router {
    Router::new()
        .route(
            "/health",
            get(move || {
                let answer = health().into_response();
                async { answer }
            }),
        )
        .route(
            "/metrics",
            get(move || {
                let answer = metrics.to_response();
                async { answer }
            }),
        )
}

// === impl Health ===

impl Health {
    /// Ready or not, and nothing more.
    pub fn of(ready: bool) -> Self {
        Self {
            ready,
            detail: json!({}),
        }
    }
}

impl IntoResponse for Health {
    fn into_response(self) -> Response {
        let status = if self.ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        (status, [(header::CACHE_CONTROL, "no-store")], Json(self)).into_response()
    }
}

async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Result<Response, Infallible> {
    let (parts, body) = request.into_parts();
    let admitted = match admit(&guard, &parts).await {
        Ok(admitted) => admitted,
        Err(refusal) => return Ok(error(&refusal)),
    };
    let mut answer = match admitted.preflight(&parts) {
        Some(answer) => answer,
        None => next.run(Request::from_parts(parts, body)).await,
    };
    admitted.mark(answer.headers_mut());
    Ok(answer)
}

async fn admit(guard: &Guard, request: &Parts) -> Result<crate::guard::Admitted, Refusal> {
    // A browser sends its preflight without a key, and a load balancer asks for health without one.
    if request.method == Method::OPTIONS || request.uri.path() == "/health" {
        guard.admit_without_key(request)
    } else {
        guard.admit(request).await
    }
}

fn error(refusal: &Refusal) -> Response {
    let status =
        StatusCode::from_u16(refusal.fault.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json!({"error": {
        "message": refusal.message,
        "type": refusal.fault.openai_type(),
        "param": null,
        "code": refusal.fault.code(),
    }});
    (status, Json(body)).into_response()
}

#[cfg(test)]
mod tests;
