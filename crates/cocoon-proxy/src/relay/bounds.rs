//! What a worker says was used, held against what can have been used.
//!
//! The original takes any number (spec/network.md 10.2, 15). Here a count above its bound is cut to the bound, logged
//! and counted: the client still gets its answer, and nobody can be charged more than what the request allowed.
//! Completion tokens are bounded by the agreed limit. Prompt tokens are bounded by the body, since a token stands for
//! at least one byte of it, with an allowance for what is not text: the template around the messages, and images,
//! whose tokens depend on their size in pixels.

use cocoon_link::RequestHead;
use cocoon_matching::WorkerId;
use cocoon_types::Usage;

use crate::metrics::ProxyMetrics;

/// Prompt tokens beyond one per byte: a long system template. (An inline image has more bytes than tokens.)
pub(crate) const PROMPT_ALLOWANCE: u64 = 4096;

/// The usage, as far as it can be true.
pub(super) fn sane(usage: Usage, head: &RequestHead, worker: WorkerId, metrics: &ProxyMetrics) -> Usage {
    let bounded = bound(usage, head);
    if bounded != usage {
        metrics.usage_violations.inc();
        tracing::warn!(
            %worker, prompt = usage.prompt(), completion = usage.completion(), max_tokens = head.max_tokens,
            body_bytes = head.body_bytes, "a worker reports more usage than the request allows; cut to the bound"
        );
    }
    metrics.used(bounded);
    bounded
}

fn bound(usage: Usage, head: &RequestHead) -> Usage {
    let most_completion = if head.endpoint.generates() {
        u64::from(head.max_tokens)
    } else {
        0
    };
    let prompt = usage
        .prompt()
        .min(head.body_bytes.saturating_add(PROMPT_ALLOWANCE));
    let completion = usage.completion().min(most_completion);
    Usage::new(
        prompt,
        usage.cached().min(prompt),
        completion,
        usage.reasoning().min(completion),
    )
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cocoon_link::RequestHead;
    use cocoon_types::{Coefficient, Endpoint, ModelName, RequestId, TierPolicy, Usage};

    use super::bound;

    fn head(endpoint: Endpoint) -> RequestHead {
        RequestHead {
            request_id: RequestId([0; 32]),
            endpoint,
            model: ModelName::new("m").unwrap(),
            max_tokens: 100,
            tier: TierPolicy::CONFIDENTIAL,
            max_coefficient: Coefficient::ONE,
            timeout: Duration::from_secs(1),
            body_bytes: 1000,
            sealed: None,
        }
    }

    #[test]
    fn true_usage_stays() {
        let usage = Usage::new(900, 100, 100, 50).unwrap();
        assert_eq!(bound(usage, &head(Endpoint::ChatCompletions)), usage);
    }

    #[test]
    fn no_more_than_was_agreed_can_be_charged() {
        // spec/network.md 10.2, 13 and 15: one message could consume a client's whole balance.
        let greedy = Usage::new(
            Usage::MAX_COUNT,
            Usage::MAX_COUNT,
            Usage::MAX_COUNT,
            Usage::MAX_COUNT,
        )
        .unwrap();
        let bounded = bound(greedy, &head(Endpoint::ChatCompletions));
        assert_eq!((bounded.prompt(), bounded.cached()), (5_096, 5_096));
        assert_eq!((bounded.completion(), bounded.reasoning()), (100, 100));
        assert_eq!(bound(greedy, &head(Endpoint::Embeddings)).completion(), 0);
    }
}
