//! Whom a request is sealed for: drawn by this gateway, from what was offered and what its own appraisal found.

use std::{collections::BTreeSet, sync::Arc};

use cocoon_link::Link;
use cocoon_seal::{
    Candidate, Digest, Offer, OfferList, RequestSpec, SealError, SealedRequest, SealingPublic, draw,
    seal_request,
};
use cocoon_types::{Coefficient, Fault, ModelName, Refusal, TierPolicy};
use cocoon_web::clock::unix_now;
use futures_util::future::join_all;

use super::{Board, SystemRandom, Worker, board::OffersError, evidence::Found};
use bytes::Bytes;

/// What the workers of a request must be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) model: &'a ModelName,
    pub(crate) tier: TierPolicy,
    pub(crate) max_coefficient: Coefficient,
    pub(crate) candidates: usize,
}

/// Candidates, in the order in which they are to be asked.
#[derive(Debug)]
pub(crate) struct Drawn {
    pub(crate) list: Arc<OfferList>,
    pub(crate) workers: Vec<Arc<Worker>>,
}

/// Draws for one request: in each, workers that turn out to be unfit are left out of the next.
const MAX_DRAWS: usize = 8;
/// A sealing key must live so many seconds more, or the request may come too late for it.
const KEY_MARGIN: u64 = 5;

// === impl Board ===

impl Board {
    /// Draws the candidates of a request. A worker that is not known yet costs one question to the proxy.
    ///
    /// # Errors
    /// [`Fault::NoWorker`] without offers, [`Fault::TierUnavailable`] and [`Fault::PriceTooLow`] when none of them will do: the
    /// message says what would.
    pub(crate) async fn draw(&self, wanted: Wanted<'_>, link: &Link) -> Result<Drawn, Refusal> {
        let list = self.list(wanted.model, link).await.map_err(|error| match error {
            OffersError::UnknownModel => {
                let message = format!("no worker serves a model named {}", wanted.model);
                Refusal::new(Fault::UnknownModel, message)
            }
            error => Refusal::new(Fault::NoWorker, error.to_string()),
        })?;
        let mut unfit: BTreeSet<Digest> = BTreeSet::new();
        let mut last = None;
        for _ in 0..MAX_DRAWS {
            let now = unix_now();
            let eligible: Vec<&Offer> = list
                .offers
                .iter()
                .filter(|offer| !unfit.contains(&offer.key_id) && self.may_serve(offer, wanted, now))
                .collect();
            let scores: Vec<u32> = eligible.iter().map(|offer| offer.score).collect();
            let drawn = draw(&scores, wanted.candidates, &mut SystemRandom)
                .map_err(|_| Refusal::new(Fault::Internal, "the system gave no random bytes"))?;
            let drawn: Vec<&Offer> = drawn
                .into_iter()
                .filter_map(|at| eligible.get(at).copied())
                .collect();
            if drawn.is_empty() {
                break;
            }
            let found = drawn
                .iter()
                .map(|offer| self.evidence.find(offer.statement, link, now));
            let mut workers = Vec::with_capacity(drawn.len());
            for (offer, found) in drawn.iter().zip(join_all(found).await) {
                match fit(offer, found, wanted.tier, now) {
                    Ok(worker) => workers.push(worker),
                    Err(why) => {
                        unfit.insert(offer.key_id);
                        last = Some(why);
                    }
                }
            }
            // One that is unfit is replaced by a fresh draw of all, or the odds of the others would be wrong.
            if workers.len() == drawn.len() {
                return Ok(Drawn { list, workers });
            }
        }
        Err(self.nobody(&list, wanted, last))
    }

    /// Whether an offer may be drawn, by what is known of it.
    fn may_serve(&self, offer: &Offer, wanted: Wanted<'_>, now: u64) -> bool {
        if offer.coefficient > wanted.max_coefficient {
            return false;
        }
        match self.evidence.peek(offer.statement, now) {
            Some(Found::Fit(known)) => {
                wanted.tier.accepts(known.worker.tier) && known.worker.holds_at(now + KEY_MARGIN)
            }
            Some(Found::Unfit(..)) => false,
            // The proxy's word, until we have seen for ourselves.
            None => wanted.tier.accepts(offer.tier),
        }
    }

    /// Why nobody can be drawn, and what would be needed.
    fn nobody(&self, list: &OfferList, wanted: Wanted<'_>, last: Option<String>) -> Refusal {
        let now = unix_now();
        let tier = |offer: &Offer| match self.evidence.peek(offer.statement, now) {
            Some(Found::Fit(known)) => Some(known.worker.tier),
            Some(Found::Unfit(..)) => None,
            None => Some(offer.tier),
        };
        let tiers: BTreeSet<&str> = list
            .offers
            .iter()
            .filter_map(tier)
            .map(cocoon_types::Tier::as_str)
            .collect();
        let accepted = |offer: &&Offer| tier(offer).is_some_and(|tier| wanted.tier.accepts(tier));
        let cheapest = list
            .offers
            .iter()
            .filter(accepted)
            .map(|offer| offer.coefficient)
            .min();
        if let Some(cheapest) = cheapest
            && cheapest > wanted.max_coefficient
        {
            let message = format!(
                "no worker serves this request at or below {}; the cheapest that is offered asks {cheapest} (hint: \
                 max_coefficient)",
                wanted.max_coefficient
            );
            return Refusal::new(Fault::PriceTooLow, message);
        }
        let offered = if tiers.is_empty() {
            "none of the offered workers has evidence that holds".to_owned()
        } else {
            let tiers: Vec<&str> = tiers.into_iter().collect();
            format!("offered are: {}", tiers.join(", "))
        };
        let why = last.map_or_else(String::new, |why| format!("; the last that was looked at: {why}"));
        Refusal::new(
            Fault::TierUnavailable,
            format!(
                "no worker can be given this request at the tier that it accepts ({}); {offered}{why} (hint: a worker of that \
                 tier has to join the network, or the request has to accept less by name)",
                wanted.tier
            ),
        )
    }
}

/// Whether the drawn worker will do, by our own appraisal.
fn fit(offer: &Offer, found: Found, tier: TierPolicy, now: u64) -> Result<Arc<Worker>, String> {
    let worker = match found {
        Found::Fit(fit) => Arc::clone(&fit.worker),
        Found::Unfit(why, _) => return Err(why.to_string()),
    };
    if worker.key.id() != offer.key_id {
        return Err("its statement has another sealing key than the offer".to_owned());
    }
    if !tier.accepts(worker.tier) {
        return Err(format!("its evidence is worth {}", worker.tier));
    }
    if !worker.holds_at(now + KEY_MARGIN) {
        return Err("its sealing key or its evidence is over".to_owned());
    }
    Ok(worker)
}

// === impl Drawn ===

impl Drawn {
    /// Seals a body for the candidates, warm where there is a session.
    ///
    /// # Errors
    /// [`SealError`]; nothing has left.
    pub(crate) fn seal(
        &self,
        board: &Board,
        spec: &RequestSpec,
        body: Bytes,
    ) -> Result<SealedRequest, SealError> {
        let now = unix_now();
        let sessions: Vec<_> = self
            .workers
            .iter()
            .map(|worker| board.sessions.get(worker.key.id(), now))
            .collect();
        let candidates: Vec<Candidate<'_>> = self
            .workers
            .iter()
            .zip(&sessions)
            .map(|(worker, session)| Candidate {
                key: &worker.key,
                session: session.as_deref(),
            })
            .collect();
        seal_request(spec, &candidates, body, now, &mut SystemRandom)
    }

    /// The candidates' keys, in order.
    pub(crate) fn keys(&self) -> Vec<&SealingPublic> {
        self.workers.iter().map(|worker| &worker.key).collect()
    }

    /// The worker with this key.
    pub(crate) fn worker(&self, key_id: Digest) -> Option<&Arc<Worker>> {
        self.workers.iter().find(|worker| worker.key.id() == key_id)
    }
}
