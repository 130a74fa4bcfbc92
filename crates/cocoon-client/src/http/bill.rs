//! What an answer cost, as the caller is told: exact, from the usage that the answer itself tells.

use std::sync::Arc;

use cocoon_openai::{Costs, Note};
use cocoon_types::{Coefficient, Nanoton, Tier, Usage};
use serde_json::json;

use crate::{account::Account, forward::Answer};

/// What a caller wants to be told beside the cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    /// What is left in the account.
    pub(super) balance: bool,
}

/// Writes the bill of one answer. There is none where nothing is paid.
#[derive(Debug)]
pub(super) struct Bill {
    account: Arc<Account>,
    coefficient: Coefficient,
    tier: Tier,
    /// The proxy has read the answer.
    plaintext: bool,
    told: Told,
}

// === impl Bill ===

impl Bill {
    pub(super) fn of(answer: &Answer, told: Told) -> Option<Self> {
        Some(Self {
            account: Arc::clone(answer.account()?),
            coefficient: answer.coefficient,
            tier: answer.tier,
            plaintext: answer.is_plaintext(),
            told,
        })
    }

    /// The members of the original (spec/ton.md 6.4), and our own object.
    pub(super) fn note(&self, usage: &Usage) -> Option<Note> {
        let mut cocoon = json!({"tier": self.tier.as_str()});
        let costs = if self.plaintext {
            // The price is not told in such a protocol; what the answer cost its worker has written itself.
            cocoon["proxy_plaintext"] = json!(true);
            None
        } else {
            let cost = self.account.cost(usage, self.coefficient)?;
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
        };
        if self.told.balance {
            cocoon["balance"] = json!(self.account.available().map(Nanoton::nano));
        }
        Some(Note {
            costs,
            cocoon: cocoon.to_string(),
        })
    }
}
