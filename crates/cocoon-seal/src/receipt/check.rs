//! What client and proxy hold a worker to (docs/sealing.md 7.2).

use cocoon_types::Coefficient;

use super::{EnginePlace, Finish, Outcome, Receipt};
use crate::{AnswerHead, Digest, Head, Offer, SealingPublic};

/// What the client knows of the worker and of the answer that it decrypted. What it does not know, it does not check.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// Digest of the statement that the client appraised.
    pub statement: Digest,
    /// The weights that the statement names.
    pub model: Option<Digest>,
    /// The engine that the statement names.
    pub engine: Option<Digest>,
    /// Digest of the evidence that the client saw.
    pub evidence: Option<Digest>,
    /// Price in the offer.
    pub coefficient: Coefficient,
    /// Whether the statement says that the engine is measured.
    pub engine_place: Option<EnginePlace>,
    /// The finish reason that the answer's text showed.
    pub finish: Option<Finish>,
    /// Completion tokens that the answer's own `usage` named.
    pub completion: Option<u64>,
}

impl Receipt {
    /// The first field in which the receipt disagrees with what the client knows; to be shown, kept with both receipts, and
    /// counted against the worker. What the seal itself binds, [`crate::AnswerOpener`] has checked before.
    pub fn disagrees(
        &self,
        head: &Head,
        worker: &SealingPublic,
        expected: &Expected,
    ) -> Option<&'static str> {
        let said = &self.closing;
        fn same<T: PartialEq>(expected: Option<T>, said: &T) -> bool {
            expected.is_none_or(|expected| expected == *said)
        }
        let usage = &said.usage;
        let pairs = [
            (said.statement == expected.statement, "statement"),
            (same(expected.model, &said.model), "model"),
            (same(expected.engine, &said.engine), "engine"),
            (same(expected.evidence, &said.evidence), "evidence"),
            (same(expected.engine_place, &said.engine_place), "engine place"),
            (self.coefficient == expected.coefficient, "price"),
            (said.outcome == Outcome::Complete, "outcome"),
            (same(expected.finish, &said.finish), "finish reason"),
            (same(expected.completion, &usage.completion()), "usage"),
            (usage.completion() <= u64::from(head.max_tokens), "token limit"),
            (worker.lives_at(said.started), "life of the sealing key"),
            (said.started <= said.ended, "time"),
        ];
        pairs.into_iter().find(|(same, _)| !same).map(|(_, field)| field)
    }

    /// The first field in which the receipt is not of the exchange that a proxy relayed, or bills more than was agreed. A
    /// proxy cannot read the texts: their hashes, and parts and bytes, are for the client to compare. `allowance` is how many
    /// prompt tokens may come on top of one per byte of the body: the chat template.
    pub fn exceeds(
        &self,
        head: &Head,
        answer: &AnswerHead,
        offer: &Offer,
        allowance: u64,
    ) -> Option<&'static str> {
        let said = &self.closing;
        let usage = &said.usage;
        let pairs = [
            (self.request_id == head.request_id, "request id"),
            (self.request_hash == answer.request_hash, "request hash"),
            (
                self.key_id == answer.key_id && self.key_id == offer.key_id,
                "worker",
            ),
            (self.offer == head.offer, "offer"),
            (said.statement == offer.statement, "statement"),
            (self.tier == answer.tier && head.tier.accepts(self.tier), "tier"),
            (
                self.coefficient == answer.coefficient && self.coefficient == offer.coefficient,
                "price",
            ),
            (usage.completion() <= u64::from(head.max_tokens), "token limit"),
            (
                usage.prompt() <= head.body_bytes.saturating_add(allowance),
                "prompt",
            ),
        ];
        pairs.into_iter().find(|(same, _)| !same).map(|(_, field)| field)
    }
}
