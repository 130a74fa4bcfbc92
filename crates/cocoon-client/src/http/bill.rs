//! What an answer cost and who could read it, as the caller is told: exact, from the usage that the answer itself tells.

use std::sync::Arc;

use cocoon_openai::{Costs, Note};
use cocoon_seal::Digest;
use cocoon_types::{Coefficient, Nanoton, RequestId, Tier, Usage};
use serde_json::{Value, json};

use crate::{account::Account, forward::Answer, receipts::skip_words, sealed::Concluded};

/// What a caller wants to be told beside the cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    /// What is left in the account.
    pub(super) balance: bool,
}

/// Writes the bill of one answer.
#[derive(Debug)]
pub(super) struct Bill {
    /// Nothing where nothing is paid.
    account: Option<Arc<Account>>,
    coefficient: Coefficient,
    tier: Tier,
    /// The price is not told in the proxy's protocol.
    old_protocol: bool,
    /// Nothing where the proxy could read the answer.
    sealed: Option<Sealed>,
    told: Told,
}

/// Who could read a sealed exchange.
#[derive(Debug)]
struct Sealed {
    receipt: RequestId,
    worker: Option<Digest>,
    candidates: usize,
    skipped: Vec<String>,
}

// === impl Bill ===

impl Bill {
    pub(super) fn of(answer: &Answer, told: Told) -> Self {
        let sealed = answer.sealed().map(|(receipt, unsealer)| Sealed {
            receipt,
            worker: unsealer.worker().map(|worker| worker.key.id()),
            candidates: unsealer.candidates(),
            skipped: unsealer.skipped().iter().map(skip_words).collect(),
        });
        Self {
            account: answer.account().map(Arc::clone),
            coefficient: answer.coefficient,
            tier: answer.tier,
            old_protocol: answer.is_plaintext(),
            sealed,
            told,
        }
    }

    /// The members of the original (spec/ton.md 6.4), and our own object; with what the receipt says, once that is there.
    pub(super) fn note(&self, usage: &Usage, concluded: Option<&Concluded>) -> Option<Note> {
        let mut cocoon = json!({"tier": self.tier.as_str(), "sealed": self.sealed.is_some()});
        if let Some(sealed) = &self.sealed {
            cocoon["worker_key"] = json!(sealed.worker.map(|key| key.to_string()));
            cocoon["candidates"] = json!(sealed.candidates);
            if !sealed.skipped.is_empty() {
                cocoon["skipped"] = json!(sealed.skipped);
            }
            cocoon["receipt"] = receipt(sealed.receipt, concluded);
        }
        let costs = match &self.account {
            Some(account) if !self.old_protocol => {
                let cost = account.cost(usage, self.coefficient)?;
                cocoon["coefficient"] = json!(self.coefficient.per_mille());
                cocoon["cost"] = json!({
                    "prompt": cost.prompt.nano(),
                    "cached": cost.cached.nano(),
                    "completion": cost.completion.nano(),
                    "reasoning": cost.reasoning.nano(),
                    "total": cost.total.nano(),
                    "unit": "nanoTON",
                });
                Some(Costs {
                    prompt: cost.prompt.checked_add(cost.cached)?,
                    completion: cost.completion.checked_add(cost.reasoning)?,
                    total: cost.total,
                })
            }
            _ => {
                // What it cost, the worker of an old protocol has written itself.
                cocoon["proxy_plaintext"] = json!(true);
                None
            }
        };
        if let Some(account) = self.account.as_ref().filter(|_| self.told.balance) {
            cocoon["balance"] = json!(account.available().map(Nanoton::nano));
        }
        Some(Note {
            costs,
            cocoon: cocoon.to_string(),
        })
    }
}

/// The receipt's name, and once the answer is whole what it comes to. It is asked for at `/v1/receipts/ID`.
fn receipt(id: RequestId, concluded: Option<&Concluded>) -> Value {
    let mut value = json!({"id": hex::encode(id.0)});
    if let Some(concluded) = concluded {
        let receipt = &concluded.ended.receipt;
        value["leaf"] = json!(receipt.leaf().to_string());
        value["block"] = json!(receipt.closing.block_seqno);
        value["disagreement"] = json!(concluded.disagreement.as_ref().map(|it| it.field));
    }
    value
}
