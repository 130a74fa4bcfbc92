//! What the gateway counts. Labels come from fixed lists; none is taken from a request.

use cocoon_seal::Skip;
use cocoon_types::{Endpoint, Fault, Usage};
use cocoon_web::metrics::{Metrics, seconds_histogram};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
};

use crate::sealed::OffersError;

/// The gateway's metrics.
#[derive(Clone, Debug)]
pub(crate) struct GatewayMetrics {
    /// Everything, for `/metrics`.
    pub(crate) all: Metrics,
    requests: Family<Request, Counter>,
    seconds: Family<Path, Histogram, fn() -> Histogram>,
    first_byte: Family<Path, Histogram, fn() -> Histogram>,
    tokens: Family<Kind, Counter>,
    failovers: Family<Failure, Counter>,
    appraisals: Family<Outcome, Counter>,
    offers_refused: Family<Reason, Counter>,
    skipped: Family<Reason, Counter>,
    violations: Family<Reason, Counter>,
    receipts: Family<Outcome, Counter>,
    settlements: Family<Outcome, Counter>,
    /// Requests between their head and the end of their answer.
    pub(crate) open: Gauge,
    /// Links that can take requests.
    pub(crate) links_up: Gauge,
    /// Dials and handshakes that failed.
    pub(crate) link_failures: Counter,
    /// Bytes of request bodies that were read.
    pub(crate) request_bytes: Counter,
    /// Bytes of answers that were handed to callers.
    pub(crate) answer_bytes: Counter,
    /// Answers that were given a second time for their idempotency key.
    pub(crate) replays: Counter,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    endpoint: &'static str,
    status: u16,
    fault: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Path {
    endpoint: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Failure {
    fault: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

// === impl GatewayMetrics ===

impl GatewayMetrics {
    pub(crate) fn new() -> Self {
        let all = Metrics::new("client");
        let add = |name, help| all.register(name, help, Counter::default());
        let histogram = || Family::new_with_constructor(seconds_histogram as fn() -> Histogram);
        Self {
            requests: all.register(
                "client_requests",
                "Requests by endpoint, HTTP status and fault (none: answered)",
                Family::default(),
            ),
            seconds: all.register(
                "client_request_seconds",
                "Time from head to end of the answer",
                histogram(),
            ),
            first_byte: all.register(
                "client_first_byte_seconds",
                "Time from the head of the request to the first byte of the answer",
                histogram(),
            ),
            tokens: all.register(
                "client_model_tokens",
                "Model tokens used, as reported",
                Family::default(),
            ),
            failovers: all.register(
                "client_failovers",
                "Attempts that failed and were followed by another, by fault",
                Family::default(),
            ),
            appraisals: all.register(
                "client_appraisals",
                "Offered workers whose evidence was appraised here (taken, refused)",
                Family::default(),
            ),
            offers_refused: all.register(
                "client_offers_refused",
                "Offer lists that were not drawn from, by reason",
                Family::default(),
            ),
            skipped: all.register(
                "client_candidates_skipped",
                "Candidates that did not serve: by the reason that they signed, or link_lost as the proxy says",
                Family::default(),
            ),
            violations: all.register(
                "client_sealed_violations",
                "Sealed answers that were refused, by what was wrong",
                Family::default(),
            ),
            receipts: all.register(
                "client_receipts",
                "Receipts of whole answers (agrees, disagrees)",
                Family::default(),
            ),
            settlements: all.register(
                "client_settlements",
                "Signatures of worker and proxy over receipts and prices (verified, refused)",
                Family::default(),
            ),
            open: all.register("client_open_requests", "Requests in flight", Gauge::default()),
            links_up: all.register(
                "client_links_up",
                "Links that can take requests",
                Gauge::default(),
            ),
            link_failures: add("client_link_failures", "Dials and handshakes that failed"),
            request_bytes: add("client_request_bytes", "Bytes of request bodies read"),
            answer_bytes: add("client_answer_bytes", "Bytes of answers handed to callers"),
            replays: add(
                "client_idempotent_replays",
                "Answers given again for their idempotency key",
            ),
            all,
        }
    }

    /// A request has ended. `endpoint` is nothing for what is not inference.
    pub(crate) fn ended(&self, endpoint: Option<Endpoint>, status: u16, fault: Option<Fault>, seconds: f64) {
        let endpoint = label(endpoint);
        let fault = fault.map_or("none", Fault::code);
        self.requests
            .get_or_create(&Request {
                endpoint,
                status,
                fault,
            })
            .inc();
        self.seconds.get_or_create(&Path { endpoint }).observe(seconds);
    }

    /// The first byte of an answer is there.
    pub(crate) fn first_byte(&self, endpoint: Endpoint, seconds: f64) {
        let endpoint = endpoint.path();
        self.first_byte.get_or_create(&Path { endpoint }).observe(seconds);
    }

    /// Another attempt follows one that failed.
    pub(crate) fn failover(&self, fault: Fault) {
        self.failovers
            .get_or_create(&Failure { fault: fault.code() })
            .inc();
    }

    /// The evidence of an offered worker was appraised.
    pub(crate) fn appraised(&self, taken: bool) {
        let outcome = if taken { "taken" } else { "refused" };
        self.appraisals.get_or_create(&Outcome { outcome }).inc();
    }

    /// An offer list is not drawn from.
    pub(crate) fn offers_refused(&self, error: &OffersError) {
        let reason = error.code();
        self.offers_refused.get_or_create(&Reason { reason }).inc();
    }

    /// Candidates did not serve.
    pub(crate) fn skips(&self, skips: &[Skip]) {
        for skip in skips {
            let reason = match skip {
                Skip::ClaimedLost => "link_lost",
                Skip::Refused(cocoon_seal::Reason::Busy) => "busy",
                Skip::Refused(cocoon_seal::Reason::UnknownSession) => "unknown_session",
                Skip::Refused(cocoon_seal::Reason::UnknownKey) => "unknown_key",
                Skip::Refused(_) => "other",
            };
            self.skipped.get_or_create(&Reason { reason }).inc();
        }
    }

    /// A sealed answer is refused.
    pub(crate) fn violation(&self, reason: &'static str) {
        self.violations.get_or_create(&Reason { reason }).inc();
    }

    /// A whole answer's receipt was compared.
    pub(crate) fn receipt(&self, agrees: bool) {
        let outcome = if agrees { "agrees" } else { "disagrees" };
        self.receipts.get_or_create(&Outcome { outcome }).inc();
    }

    /// A receipt's signatures were checked.
    pub(crate) fn settled(&self, verified: bool) {
        let outcome = if verified { "verified" } else { "refused" };
        self.settlements.get_or_create(&Outcome { outcome }).inc();
    }

    /// An answer has come to its end with this usage.
    pub(crate) fn used(&self, usage: &Usage) {
        for (kind, count) in [("prompt", usage.prompt()), ("completion", usage.completion())] {
            self.tokens.get_or_create(&Kind { kind }).inc_by(count);
        }
    }
}

fn label(endpoint: Option<Endpoint>) -> &'static str {
    endpoint.map_or("other", Endpoint::path)
}
