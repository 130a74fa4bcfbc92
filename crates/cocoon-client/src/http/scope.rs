use std::time::Instant;

use axum::response::Response;
use cocoon_types::{Endpoint, Fault, Refusal, Usage};

use super::reply;
use crate::metrics::GatewayMetrics;

/// One request, for the metrics: counted as open from its head to the end of its answer, however that comes.
#[derive(Debug)]
pub(super) struct Scope {
    metrics: GatewayMetrics,
    endpoint: Option<Endpoint>,
    started: Instant,
    outcome: Option<(u16, Option<Fault>)>,
}

// === impl Scope ===

impl Scope {
    pub(super) fn open(metrics: &GatewayMetrics, endpoint: Option<Endpoint>) -> Self {
        metrics.open.inc();
        Self {
            metrics: metrics.clone(),
            endpoint,
            started: Instant::now(),
            outcome: None,
        }
    }

    /// The first byte of an answer is there.
    pub(super) fn first_byte(&self) {
        if let Some(endpoint) = self.endpoint {
            self.metrics
                .first_byte(endpoint, self.started.elapsed().as_secs_f64());
        }
    }

    /// Bytes that go to the caller.
    pub(super) fn sent(&self, bytes: usize) {
        self.metrics.answer_bytes.inc_by(bytes as u64);
    }

    /// An answer has come to its end with this usage.
    pub(super) fn used(&self, usage: &Usage) {
        self.metrics.used(usage);
    }

    /// The request has ended with this status, and with a fault if it failed.
    pub(super) fn end(mut self, status: u16, fault: Option<Fault>) {
        self.outcome = Some((status, fault));
    }

    /// The request has ended with this answer.
    pub(super) fn finish(self, answer: Response) -> Response {
        self.end(answer.status().as_u16(), None);
        answer
    }

    /// The request has ended with this error.
    pub(super) fn refuse(self, refusal: &Refusal, id: &str) -> Response {
        // The words of a refusal may be a peer's, so that only the fault is logged.
        tracing::debug!(request = id, fault = %refusal.fault, "refused");
        self.end(refusal.fault.http_status(), Some(refusal.fault));
        reply::error(refusal, id)
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        // Nobody waited for the outcome: the caller went away.
        let cancelled = (Fault::Cancelled.http_status(), Some(Fault::Cancelled));
        let (status, fault) = self.outcome.unwrap_or(cancelled);
        let seconds = self.started.elapsed().as_secs_f64();
        self.metrics.open.dec();
        self.metrics.ended(self.endpoint, status, fault, seconds);
    }
}
