//! What the proxy of one link thinks of the worker's statement.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use cocoon_link::EnginePlace;
use cocoon_tl::{TlObject as _, v3};
use cocoon_types::Tier;
use cocoon_web::clock::unix_now;

use crate::shop::Shop;

/// Bytes of a proxy's sentence that are kept.
const MAX_SENTENCE: usize = 512;

/// The last verdict.
#[derive(Debug, Default)]
pub(crate) struct Standing(Mutex<Option<Verdict>>);

/// What a proxy said of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is believed.
    Believed {
        /// What the link is worth with it.
        tier: Tier,
        /// Last Unix second.
        until: u64,
    },
    /// It counts for nothing.
    Refused(String),
}

// === impl Standing ===

impl Standing {
    /// Takes the proxy's verdict, and says it.
    ///
    /// # Errors
    /// It is no verdict.
    pub(crate) fn hear(&self, message: Bytes) -> Result<(), String> {
        let judged = v3::StatementJudged::from_boxed(message)
            .map_err(|_| "a cocoon.statementJudged that does not parse".to_owned())?;
        let refusal = judged.refusal.lossy(MAX_SENTENCE);
        let verdict = if refusal.is_empty() {
            let tier = Tier::from_wire_code(judged.tier)
                .ok_or_else(|| "a cocoon.statementJudged without a tier".to_owned())?;
            let until = u64::try_from(judged.until).unwrap_or(0);
            tracing::info!(%tier, until, "a proxy believes this worker's statement");
            Verdict::Believed { tier, until }
        } else {
            tracing::warn!(reason = refusal, "a proxy refuses this worker's statement");
            Verdict::Refused(refusal)
        };
        *self.lock() = Some(verdict);
        Ok(())
    }

    /// The last verdict, as long as it holds.
    pub(crate) fn verdict(&self, now: u64) -> Option<Verdict> {
        let holds = |verdict: &Verdict| !matches!(verdict, Verdict::Believed { until, .. } if *until < now);
        self.lock().clone().filter(holds)
    }

    /// The tier that answers on this link have: what the proxy believes, as long as it does.
    pub(crate) fn serving_tier(&self, shop: &Shop, place: EnginePlace) -> Tier {
        place.serving_tier(worth(self.verdict(unix_now()).as_ref(), shop.own_tier))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Verdict>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Only a worker with evidence of hardware can be more than it knows of itself: nobody's word makes simulated evidence, or none,
/// anything else.
fn worth(verdict: Option<&Verdict>, own: Tier) -> Tier {
    match (verdict, own) {
        (Some(Verdict::Believed { tier: Tier::Open, .. }), _) => Tier::Open,
        (
            Some(Verdict::Believed {
                tier: tier @ (Tier::Confidential | Tier::Attested),
                ..
            }),
            Tier::Confidential | Tier::Attested,
        ) => *tier,
        _ => own,
    }
}

#[cfg(test)]
mod tests;
