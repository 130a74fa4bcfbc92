//! The OpenAI API towards apps: who may ask, which path, what the answer looks like.

mod account;
mod bill;
mod body;
mod budget;
mod held;
mod inference;
mod models;
mod offers;
mod own;
mod receipts;
mod reply;
mod route;
mod scope;
mod stream;
mod tail;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{Method, request::Parts},
    response::{IntoResponse, Response},
};
use cocoon_chain::Purse;
use cocoon_types::{Coefficient, Fault, Refusal, TierPolicy};
use cocoon_web::{admin::Health, guard::Admitted, guard::Guard};

use crate::{
    allowance::Allowances, forward::new_id, idempotency::Answers, links::Links, metrics::GatewayMetrics,
    receipts::Receipts, sealed::SealOptions,
};
use body::Unread;
pub(crate) use budget::Budget;
use route::Route;
use scope::Scope;

/// Everything that a request needs.
pub(crate) struct Gateway {
    pub(crate) guard: Guard,
    pub(crate) links: Arc<Links>,
    /// What pays; none in a network without payments.
    pub(crate) trust: Arc<cocoon_trust::Trust>,
    pub(crate) purse: Option<Arc<Purse>>,
    /// What API keys may spend, where keys are needed.
    pub(crate) allowances: Option<Arc<Allowances>>,
    pub(crate) metrics: GatewayMetrics,
    pub(crate) answers: Answers,
    pub(crate) receipts: Arc<Receipts>,
    pub(crate) budget: Budget,
    pub(crate) limits: Limits,
}

/// What requests may ask for, and what they get when they ask for nothing.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) max_body_bytes: usize,
    /// The whole body must be there after this time.
    pub(crate) body_deadline: Duration,
    pub(crate) timeout: Duration,
    pub(crate) max_timeout: Duration,
    pub(crate) tier: TierPolicy,
    pub(crate) max_coefficient: Coefficient,
    pub(crate) accept_simulated: bool,
    pub(crate) seal: SealOptions,
}

/// All routes; the guard is inside, so that its refusals look like every other one.
pub(crate) fn router(gateway: Arc<Gateway>) -> Router {
    Router::new().fallback(handle).with_state(gateway)
}

async fn handle(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let route = Route::of(parts.uri.path());
    let scope = Scope::open(&gateway.metrics, route.endpoint());
    let id = match new_id() {
        Ok(id) => id.to_string(),
        Err(refusal) => return scope.refuse(&refusal, "none"),
    };
    let unread = Unread::new(body, &parts.headers);
    let (admitted, mut answer) = match gateway.admit(&route, &parts).await {
        Err(refusal) => (Admitted::default(), unread.refuse(scope, &refusal, &id).await),
        Ok(admitted) => {
            let answer = match admitted.preflight(&parts) {
                Some(answer) => scope.finish(answer),
                None => gateway.answer(route, &parts, unread, &admitted, scope, &id).await,
            };
            (admitted, answer)
        }
    };
    admitted.mark(answer.headers_mut());
    reply::mark(&mut answer, &id);
    answer
}

// === impl Gateway ===

impl Gateway {
    async fn admit(&self, route: &Route, parts: &Parts) -> Result<Admitted, Refusal> {
        // A browser sends its preflight without a key, and a load balancer asks for health without one.
        if parts.method == Method::OPTIONS || matches!(route, Route::Health) {
            self.guard.admit_without_key(parts)
        } else {
            self.guard.admit(parts).await
        }
    }

    async fn answer(
        &self,
        route: Route,
        parts: &Parts,
        unread: Unread,
        admitted: &Admitted,
        scope: Scope,
        id: &str,
    ) -> Response {
        let allowed = route.methods();
        if !allowed.is_empty() && !allowed.contains(&parts.method) {
            let message = "the path does not take this method; see the Allow header";
            let refusal = Refusal::new(Fault::MethodNotAllowed, message);
            return reply::allow(unread.refuse(scope, &refusal, id).await, allowed);
        }
        match route {
            Route::Inference(endpoint) => {
                let asked = inference::Asked {
                    endpoint,
                    headers: &parts.headers,
                    key: admitted.key.as_ref(),
                    id,
                };
                inference::serve(self, asked, unread, scope).await
            }
            Route::Models => scope.finish(models::list(&*self.links.models().await)),
            Route::Model(name) => match models::one(&*self.links.models().await, &name) {
                Ok(answer) => scope.finish(answer),
                Err(refusal) => scope.refuse(&refusal, id),
            },
            Route::Receipts => scope.finish(receipts::list(self, admitted.key.as_ref())),
            Route::Receipt(receipt) => {
                let holder = admitted.key.as_ref();
                match receipts::one(self, &receipt, &parts.uri, &parts.headers, holder) {
                    Ok(answer) => scope.finish(answer),
                    Err(refusal) => scope.refuse(&refusal, id),
                }
            }
            Route::Offers => match offers::show(self, &parts.uri).await {
                Ok(answer) => scope.finish(answer),
                Err(refusal) => scope.refuse(&refusal, id),
            },
            Route::Account(asked) => {
                let answer = account::serve(self, asked, admitted.key.as_ref(), unread).await;
                match answer {
                    Ok(answer) => scope.finish(answer),
                    Err((refusal, None)) => scope.refuse(&refusal, id),
                    Err((refusal, Some(rest))) => rest.refuse(scope, &refusal, id).await,
                }
            }
            Route::Health => scope.finish(self.health().into_response()),
            Route::Metrics => {
                self.metrics
                    .links_up
                    .set(i64::try_from(self.links.up()).unwrap_or(i64::MAX));
                scope.finish(self.metrics.all.to_response())
            }
            Route::Unknown => {
                let message =
                    "there is no such path (hint: the API is under /v1, as in /v1/chat/completions)";
                unread
                    .refuse(scope, &Refusal::new(Fault::NotFound, message), id)
                    .await
            }
        }
    }

    /// Ready once a proxy is linked.
    pub(crate) fn health(&self) -> Health {
        let up = self.links.up();
        let clock = self.trust.clock_fault();
        Health {
            ready: up > 0 && clock.is_none(),
            detail: serde_json::json!({
                "links_up": up,
                "links": self.links.count(),
                "clock": clock.map(|fault| fault.to_string()),
            }),
        }
    }
}
