//! The numbers of a worker. No label holds an address, a key, or anything of a request beside its fault.

use std::time::Duration;

use cocoon_types::{Fault, Usage};
use cocoon_web::metrics::{Metrics, seconds_histogram};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
};

/// The metrics of one worker.
#[derive(Clone, Debug)]
pub(crate) struct WorkerMetrics {
    pub(crate) registry: Metrics,
    requests: Family<Outcome, Counter>,
    seconds: Histogram,
    tokens: Family<Kind, Counter>,
    without_usage: Counter,
    links: Gauge,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    /// `ok`, or the code of the fault.
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

/// Counts a link while it lives.
#[derive(Debug)]
pub(crate) struct LinkGuard(Gauge);

// === impl WorkerMetrics ===

impl WorkerMetrics {
    pub(crate) fn new() -> Self {
        let registry = Metrics::new("worker");
        Self {
            requests: registry.register(
                "worker_requests",
                "Requests that ended, by outcome",
                Family::default(),
            ),
            seconds: registry.register(
                "worker_request_seconds",
                "Time of each request in the worker",
                seconds_histogram(),
            ),
            tokens: registry.register(
                "worker_tokens",
                "Model tokens of served requests, by kind",
                Family::default(),
            ),
            without_usage: registry.register(
                "worker_answers_without_usage",
                "Answers whose engine reported no usage; nothing is charged for them",
                Counter::default(),
            ),
            links: registry.register("worker_links", "Links to proxies", Gauge::default()),
            registry,
        }
    }

    pub(crate) fn ended(&self, fault: Option<Fault>, time: Duration) {
        let outcome = fault.map_or("ok", Fault::code);
        self.requests.get_or_create(&Outcome { outcome }).inc();
        self.seconds.observe(time.as_secs_f64());
    }

    pub(crate) fn used(&self, usage: Usage) {
        for (kind, count) in [
            ("prompt", usage.prompt()),
            ("cached", usage.cached()),
            ("completion", usage.completion()),
            ("reasoning", usage.reasoning()),
        ] {
            self.tokens.get_or_create(&Kind { kind }).inc_by(count);
        }
    }

    /// An answer came without usage; said aloud for the first one, since its owner earns nothing.
    pub(crate) fn without_usage(&self) {
        if self.without_usage.inc() == 0 {
            tracing::warn!(
                "the engine reports no usage: its answers are delivered, and nothing can be charged for them"
            );
        }
    }

    pub(crate) fn link(&self) -> LinkGuard {
        self.links.inc();
        LinkGuard(self.links.clone())
    }

    pub(crate) fn links(&self) -> i64 {
        self.links.get()
    }
}

// === impl LinkGuard ===

impl Drop for LinkGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}
