//! The metrics of one node. The registry is a value, so that several nodes in one test process keep apart.

mod process;

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::header;
use axum::response::{IntoResponse, Response};
use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{histogram::Histogram, info::Info},
    registry::{Metric, Registry},
};

/// A node's metrics, shown as text for Prometheus. Cheap to clone.
///
/// Every name starts with `cocoon_`; counters get `_total`. No label ever holds an address, a key or content.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Build {
    role: &'static str,
    version: &'static str,
}

/// Content type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

// === impl Metrics ===

impl Metrics {
    /// Metrics of a node of this role, with `cocoon_build_info` and the process's own numbers in it.
    pub fn new(role: &'static str) -> Self {
        let mut registry = Registry::default();
        process::register(&mut registry);
        let build = Build {
            role,
            version: env!("CARGO_PKG_VERSION"),
        };
        registry.register("cocoon_build", "Role and version of this node", Info::new(build));
        Self {
            registry: Arc::new(Mutex::new(registry)),
        }
    }

    /// Takes a metric in and gives it back: `let open = metrics.register("open_requests", "…", Gauge::default())`.
    ///
    /// `name` gets the prefix `cocoon_`; the help text gets its full stop.
    pub fn register<M: Metric + Clone>(&self, name: &str, help: &str, metric: M) -> M {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        registry.register(format!("cocoon_{name}"), help, metric.clone());
        metric
    }

    /// All metrics as OpenMetrics text.
    pub fn encode(&self) -> String {
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::new();
        if text::encode(&mut out, &registry).is_err() {
            // Writing into a String cannot fail; a collector that does is our defect, and half a page would mislead.
            tracing::error!("metrics could not be written");
            out.clear();
        }
        out
    }

    /// The answer to `GET /metrics`.
    pub fn to_response(&self) -> Response {
        ([(header::CONTENT_TYPE, CONTENT_TYPE)], self.encode()).into_response()
    }
}

/// Buckets for seconds from 1 ms to 10 min: answers of a model take from milliseconds (embeddings) to minutes.
pub fn seconds_histogram() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0,
        300.0, 600.0,
    ])
}

#[cfg(test)]
mod tests;
