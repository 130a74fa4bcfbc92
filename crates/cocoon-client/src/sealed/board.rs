//! What a proxy offers, as this gateway was shown it; outlives links, so that a proxy cannot show another list to a link that
//! is new.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cocoon_link::{Link, QueryError};
use cocoon_seal::{Digest, OfferBook, OfferList, OfferRefusal};
use cocoon_tl::{TlFunction, TlObject as _, TlString, v3};
use cocoon_trust::Trust;
use cocoon_types::{Fault, ModelName, error_line};
use cocoon_web::clock::unix_now;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{evidence::Evidence, sessions::Sessions};
use crate::metrics::GatewayMetrics;

/// The offers of one proxy, the workers behind them, and the sessions with those.
pub(crate) struct Board {
    /// Signs the lists.
    proxy: [u8; 32],
    pub(super) evidence: Evidence,
    pub(super) sessions: Sessions,
    pub(super) metrics: GatewayMetrics,
    offers: Mutex<Offers>,
    /// Of requests that come at once, one asks.
    asked: moka::future::Cache<ModelName, Result<Arc<OfferList>, OffersError>>,
}

struct Offers {
    book: OfferBook,
    lists: BTreeMap<ModelName, Wanted>,
}

/// A list that somebody wants.
struct Wanted {
    list: Arc<OfferList>,
    asked_at: Instant,
}

/// There is no list to draw from.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum OffersError {
    /// The proxy has no worker of this model.
    #[error("no worker serves a model of this name")]
    UnknownModel,
    /// The proxy says no list.
    #[error("the proxy shows no offers: {0}")]
    Unanswered(Arc<str>),
    /// Something else than a list.
    #[error("the proxy's offers do not parse: {0}")]
    Malformed(Arc<str>),
    /// A list that must not be drawn from.
    #[error("the proxy's offers are refused: {0}")]
    Refused(OfferRefusal),
}

/// For a proxy to hand on a list that it has at hand.
const ASK_DEADLINE: Duration = Duration::from_secs(10);
/// A list is kept fresh so long after the last request for its model.
const WANTED_FOR: Duration = Duration::from_secs(300);
/// How often is looked whether an epoch has begun.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Workers whose evidence is asked for ahead of requests, of one list.
const AHEAD: usize = 32;
/// Models whose question is remembered for a second.
const MAX_ASKED: u64 = 256;

// === impl OffersError ===

impl OffersError {
    /// For metrics.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::UnknownModel => "unknown_model",
            Self::Unanswered(_) => "unanswered",
            Self::Malformed(_) => "malformed",
            Self::Refused(refusal) => match refusal {
                OfferRefusal::OtherProxy => "other_proxy",
                OfferRefusal::Signature => "signature",
                OfferRefusal::OtherModel => "other_model",
                OfferRefusal::Empty => "empty",
                OfferRefusal::Future => "future",
                OfferRefusal::Stale => "stale",
                OfferRefusal::EpochLength => "epoch_length",
                OfferRefusal::Older => "older",
                OfferRefusal::Changed { .. } => "changed",
                OfferRefusal::TooManyModels => "too_many_models",
            },
        }
    }
}

// === impl Board ===

impl Board {
    pub(crate) fn new(proxy: [u8; 32], trust: Arc<Trust>, metrics: GatewayMetrics) -> Self {
        Self {
            proxy,
            evidence: Evidence::new(trust, metrics.clone()),
            sessions: Sessions::default(),
            metrics,
            offers: Mutex::new(Offers {
                book: OfferBook::new(proxy),
                lists: BTreeMap::new(),
            }),
            asked: moka::future::Cache::builder()
                .max_capacity(MAX_ASKED)
                .time_to_live(Duration::from_secs(1))
                .build(),
        }
    }

    /// The key that signs the proxy's offers and charges.
    pub(crate) const fn proxy(&self) -> [u8; 32] {
        self.proxy
    }

    /// The list to draw from; asked for when none is at hand.
    ///
    /// # Errors
    /// [`OffersError`]; the last list stays as long as it may be drawn from.
    pub(crate) async fn list(&self, model: &ModelName, link: &Link) -> Result<Arc<OfferList>, OffersError> {
        if let Some(list) = self.at_hand(model, unix_now()) {
            return Ok(list);
        }
        self.asked.get_with(model.clone(), self.ask(model, link)).await
    }

    fn at_hand(&self, model: &ModelName, now: u64) -> Option<Arc<OfferList>> {
        let mut offers = self.offers();
        let Offers { book, lists } = &mut *offers;
        book.current(model, now)?;
        let wanted = lists.get_mut(model)?;
        wanted.asked_at = Instant::now();
        Some(Arc::clone(&wanted.list))
    }

    pub(super) async fn ask(&self, model: &ModelName, link: &Link) -> Result<Arc<OfferList>, OffersError> {
        let asked = self.ask_once(model, link).await;
        if let Err(error) = &asked {
            self.metrics.offers_refused(error);
            match error {
                // The caller's mistake, mostly.
                OffersError::UnknownModel => tracing::debug!(%model, %error, "no offers"),
                error => tracing::warn!(%model, %error, "no offers"),
            }
        }
        asked
    }

    async fn ask_once(&self, model: &ModelName, link: &Link) -> Result<Arc<OfferList>, OffersError> {
        let question = v3::GetOffers {
            model: TlString::from(model.as_str().to_owned()),
        };
        let answer = link.query(question.to_boxed(), ASK_DEADLINE).await;
        let answer = answer.map_err(|error| match error {
            QueryError::Refused { code, .. } if code == Fault::UnknownModel.wire_code() => {
                OffersError::UnknownModel
            }
            error => OffersError::Unanswered(error_line(&error).into()),
        })?;
        let shown = <v3::GetOffers as TlFunction>::Answer::from_boxed(answer)
            .map_err(|error| OffersError::Malformed(error_line(&error).into()))?;
        let list = OfferList::decode(shown.list)
            .map_err(|error| OffersError::Malformed(error.to_string().into()))?;
        let mut offers = self.offers();
        let Offers { book, lists } = &mut *offers;
        let taken = book.take(model, list, unix_now()).map_err(OffersError::Refused)?;
        let list = match lists.get(model) {
            Some(held) if held.list.digest() == taken.digest() => Arc::clone(&held.list),
            _ => Arc::new(taken.clone()),
        };
        let asked_at = lists.get(model).map_or_else(Instant::now, |held| held.asked_at);
        let held = Arc::clone(&list);
        lists.insert(model.clone(), Wanted { list: held, asked_at });
        Ok(list)
    }

    /// Draws from this model's list no longer: the proxy, or a worker on it, does not know it any more. The next request asks
    /// anew; what was seen stays in the book, so that another list for the same epoch is caught.
    pub(super) fn doubt(&self, model: &ModelName) {
        self.offers().lists.remove(model);
    }

    /// Keeps the lists of models that are asked for fresh, and asks for the evidence of new workers, so that no request has to
    /// wait for either. Ends with its link.
    pub(crate) async fn keep(&self, link: &Link) {
        loop {
            sleep(LOOK_EVERY).await;
            self.sessions.expire(unix_now());
            for model in self.due(unix_now()) {
                let Ok(list) = self.ask(&model, link).await else {
                    continue;
                };
                let now = unix_now();
                let new = list.offers.iter().filter(|offer| offer.score > 0);
                let new = new.filter(|offer| self.evidence.peek(offer.statement, now).is_none());
                for offer in new.take(AHEAD) {
                    self.evidence.find(offer.statement, link, now).await;
                }
            }
        }
    }

    /// The models whose list is of an epoch that is over, and that somebody still wants; forgets the others.
    fn due(&self, now: u64) -> Vec<ModelName> {
        let mut offers = self.offers();
        offers
            .lists
            .retain(|_, wanted| wanted.asked_at.elapsed() < WANTED_FOR);
        let over = offers
            .lists
            .iter()
            .filter(|(_, wanted)| now >= wanted.list.life().1);
        over.map(|(model, _)| model.clone()).collect()
    }

    /// Epochs and digests of a model's lists, to be compared with what other clients were shown.
    pub(crate) fn shown(&self, model: &ModelName) -> Value {
        let offers = self.offers();
        let digests = offers.book.digests(model);
        let epochs: Vec<Value> = digests
            .into_iter()
            .map(|(epoch, digest): (u64, Digest)| json!({"epoch": epoch, "digest": digest.to_string()}))
            .collect();
        let conflict = offers.book.conflict().filter(|(first, _)| first.model == *model);
        json!({
            "epoch_seconds": offers.lists.get(model).map(|wanted| wanted.list.epoch_seconds),
            "workers": offers.lists.get(model).map(|wanted| wanted.list.offers.len()),
            "epochs": epochs,
            // Both lists, signed by the proxy: the proof against it.
            "conflict": conflict.map(|(first, second)| json!([
                hex::encode(first.bytes()),
                hex::encode(second.bytes()),
            ])),
        })
    }

    /// The models that were asked for lately.
    pub(crate) fn models(&self) -> Vec<ModelName> {
        self.offers().lists.keys().cloned().collect()
    }

    fn offers(&self) -> MutexGuard<'_, Offers> {
        // The book changes before the lists; a list without its book entry is never given out.
        self.offers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Board {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Board")
            .field("proxy", &hex::encode(self.proxy))
            .finish_non_exhaustive()
    }
}
