//! Receipts as JSON, for a person and for a script.

use cocoon_seal::{Accelerators, EnginePlace, Finish, Outcome, Receipt, Skip};
use serde_json::{Value, json};

use super::Kept;

/// A receipt's fields. It proves nothing by itself: say beside it who stands for it.
pub fn receipt_json(receipt: &Receipt) -> Value {
    let closing = &receipt.closing;
    let usage = &closing.usage;
    json!({
        "leaf": receipt.leaf().to_string(),
        "request_id": hex::encode(receipt.request_id.0),
        "request_hash": receipt.request_hash.to_string(),
        "answer_hash": receipt.answer_hash.to_string(),
        "worker_key": receipt.key_id.to_string(),
        "statement": closing.statement.to_string(),
        "offer": receipt.offer.to_string(),
        "model_digest": closing.model.to_string(),
        "engine_digest": closing.engine.to_string(),
        "evidence": closing.evidence.to_string(),
        "tier": receipt.tier.as_str(),
        "engine_place": match closing.engine_place {
            EnginePlace::Measured => "measured",
            EnginePlace::Outside => "outside",
        },
        "accelerators": match closing.accelerators {
            Accelerators::None => "none",
            Accelerators::Attested => "attested",
            Accelerators::NotAttested => "not_attested",
        },
        "outcome": match closing.outcome {
            Outcome::Complete => "complete",
            Outcome::Cancelled => "cancelled",
        },
        "finish": match closing.finish {
            Finish::None => "none",
            Finish::Stop => "stop",
            Finish::Length => "length",
            Finish::ToolCalls => "tool_calls",
            Finish::ContentFilter => "content_filter",
            Finish::Other => "other",
        },
        "usage": {
            "prompt": usage.prompt(),
            "cached": usage.cached(),
            "completion": usage.completion(),
            "reasoning": usage.reasoning(),
        },
        "coefficient": receipt.coefficient.per_mille(),
        "parts": receipt.parts,
        "bytes": receipt.bytes,
        "block": {"seqno": closing.block_seqno, "root_hash": closing.block.to_string()},
        "started": closing.started,
        "ended": closing.ended,
    })
}

// === impl Kept ===

impl Kept {
    /// What is known of it now.
    pub(crate) fn summary(&self) -> Value {
        let charge = self.charge.as_ref().map(|(charge, _)| {
            json!({
                "adjusted_tokens": charge.adjusted,
                // More than a JSON number holds exactly.
                "nanoton": charge.nanoton.to_string(),
                "coefficient": charge.coefficient.per_mille(),
                "settled_at": charge.settled_at,
            })
        });
        let disagreement = self
            .disagreement
            .as_ref()
            .map(|it| json!({"field": it.field, "expected": it.expected}));
        let skipped: Vec<String> = self.skipped.iter().map(skip_words).collect();
        json!({
            "id": hex::encode(self.id().0),
            "object": "cocoon.receipt",
            "kept_at": self.kept_at,
            "proxy": &*self.proxy,
            "proxy_key": hex::encode(self.proxy_key),
            "worker": {
                "key_id": self.worker.key.id().to_string(),
                "image": hex::encode(self.worker.image),
                "tier": self.worker.tier.as_str(),
            },
            "sealed": true,
            "signed_by_worker": self.signed.is_some(),
            "charge": charge,
            "disagreement": disagreement,
            "skipped": skipped,
            "receipt": receipt_json(&self.ended.receipt),
        })
    }
}

/// Why a candidate did not serve, and whose word that is.
pub(crate) fn skip_words(skip: &Skip) -> String {
    match skip {
        Skip::Refused(reason) => format!("refused, signed by the worker: {reason}"),
        Skip::ClaimedLost => "its link was lost, says the proxy".to_owned(),
    }
}
