//! The numbers of a proxy. No label holds an address, a key, or anything of a request beside its fault.

use cocoon_types::{Fault, Usage};
use cocoon_web::metrics::Metrics;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};

/// The metrics of one proxy.
#[derive(Clone, Debug)]
pub(crate) struct ProxyMetrics {
    pub(crate) registry: Metrics,
    requests: Family<Outcome, Counter>,
    open: Gauge,
    /// Requests in the lines of busy models.
    pub(crate) waiting: Gauge,
    tokens: Family<Kind, Counter>,
    /// Tries at a second or later worker.
    pub(crate) retries: Counter,
    /// Answers whose usage was above what the request allowed.
    pub(crate) usage_violations: Counter,
    /// Whole sealed answers whose receipt is missing, of something else, or above what was agreed.
    pub(crate) receipts_refused: Counter,
    /// What clients said of receipts.
    pub(crate) disputes: Counter,
    pub(crate) links: Family<Leg, Gauge>,
    /// Statements of workers, by what was found.
    statements: Family<Judged, Counter>,
    /// Handshakes that were denied or broken off, after the link itself stood.
    pub(crate) denied: Family<Leg, Counter>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    /// `ok`, or the code of the fault.
    outcome: &'static str,
}

/// What was found of a statement.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Judgement {
    Verified,
    Refused,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Judged {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

/// Which side of the proxy.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct Leg {
    pub(crate) leg: &'static str,
}

/// Counts something that is there while it lives.
#[derive(Debug)]
pub(crate) struct OpenGuard(Gauge);

// === impl Leg ===

impl Leg {
    pub(crate) const CLIENTS: Self = Self { leg: "clients" };
    pub(crate) const WORKERS: Self = Self { leg: "workers" };
}

// === impl ProxyMetrics ===

impl ProxyMetrics {
    pub(crate) fn new() -> Self {
        let registry = Metrics::new("proxy");
        Self {
            requests: registry.register(
                "proxy_requests",
                "Requests that ended, by outcome",
                Family::default(),
            ),
            open: registry.register(
                "proxy_open_requests",
                "Requests waiting or being relayed",
                Gauge::default(),
            ),
            waiting: registry.register(
                "proxy_waiting_requests",
                "Requests waiting for a busy worker",
                Gauge::default(),
            ),
            tokens: registry.register(
                "proxy_tokens",
                "Model tokens of served requests, by kind",
                Family::default(),
            ),
            retries: registry.register(
                "proxy_retries",
                "Tries at a second or later worker",
                Counter::default(),
            ),
            usage_violations: registry.register(
                "proxy_usage_violations",
                "Answers whose reported usage was above what the request allowed",
                Counter::default(),
            ),
            receipts_refused: registry.register(
                "proxy_receipts_refused",
                "Sealed answers for which nothing was charged, since their receipt does not hold",
                Counter::default(),
            ),
            disputes: registry.register(
                "proxy_disputes",
                "Receipts that clients disagreed with",
                Counter::default(),
            ),
            links: registry.register(
                "proxy_links",
                "Links past their handshake, by leg",
                Family::default(),
            ),
            statements: registry.register(
                "proxy_statements",
                "Statements of workers that were judged, by outcome",
                Family::default(),
            ),
            denied: registry.register(
                "proxy_denied",
                "Handshakes that were denied or broken off, by leg",
                Family::default(),
            ),
            registry,
        }
    }

    /// Counts a request while it is open.
    pub(crate) fn open_request(&self) -> OpenGuard {
        OpenGuard::new(self.open.clone())
    }

    /// Counts a link while it lives.
    pub(crate) fn link(&self, leg: Leg) -> OpenGuard {
        OpenGuard::new(self.links.get_or_create(&leg).clone())
    }

    pub(crate) fn open_requests(&self) -> i64 {
        self.open.get()
    }

    pub(crate) fn open_links(&self, leg: Leg) -> i64 {
        self.links.get_or_create(&leg).get()
    }

    pub(crate) fn judged(&self, judgement: Judgement) {
        let outcome = match judgement {
            Judgement::Verified => "verified",
            Judgement::Refused => "refused",
        };
        self.statements.get_or_create(&Judged { outcome }).inc();
    }

    pub(crate) fn ended(&self, fault: Option<Fault>) {
        let outcome = fault.map_or("ok", Fault::code);
        self.requests.get_or_create(&Outcome { outcome }).inc();
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
}

// === impl OpenGuard ===

impl OpenGuard {
    fn new(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for OpenGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}
