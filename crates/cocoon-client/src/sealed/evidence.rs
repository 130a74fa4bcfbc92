//! The evidence of workers: asked for once, appraised here, remembered as long as it holds.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use cocoon_link::Link;
use cocoon_seal::{Digest, EvidenceItem};
use cocoon_tl::{TlFunction, TlObject as _, v3};
use cocoon_trust::{Peers, StatedEvidence, Trust};
use cocoon_types::error_line;
use tokio::sync::watch;

use super::Worker;
use crate::metrics::GatewayMetrics;

/// Workers by the digest of their statement.
pub(super) struct Evidence {
    trust: Arc<Trust>,
    metrics: GatewayMetrics,
    rules: watch::Receiver<u64>,
    known: Mutex<HashMap<Digest, Found>>,
    /// Of requests that come at once, one asks.
    asked: moka::future::Cache<Digest, Found>,
}

/// What was found of a worker.
#[derive(Clone, Debug)]
pub(super) enum Found {
    Fit(Arc<Fit>),
    /// Why no request is sealed for it; and when that was found.
    Unfit(Arc<str>, u64),
}

/// A worker with what the appraisal rests on.
#[derive(Debug)]
pub(super) struct Fit {
    pub(super) worker: Arc<Worker>,
    certificate: Bytes,
    stated: StatedEvidence,
    /// The rules that were applied to it.
    rules: u64,
}

/// For the proxy to hand on what it has at hand.
const ASK_DEADLINE: Duration = Duration::from_secs(10);
/// What was refused is asked for again after so many seconds: a chain may have been behind.
const UNFIT_SECONDS: u64 = 5;
/// Workers that are remembered: each of an offer list's 512 entries with the last few of its statements.
const MAX_KNOWN: usize = 4096;

// === impl Evidence ===

impl Evidence {
    pub(super) fn new(trust: Arc<Trust>, metrics: GatewayMetrics) -> Self {
        Self {
            rules: trust.rules(),
            trust,
            metrics,
            known: Mutex::default(),
            asked: moka::future::Cache::builder()
                .max_capacity(MAX_KNOWN as u64)
                .time_to_live(Duration::from_secs(1))
                .build(),
        }
    }

    /// What is known already.
    pub(super) fn peek(&self, digest: Digest, now: u64) -> Option<Found> {
        let known = self.known();
        let found = known.get(&digest)?;
        match found {
            Found::Unfit(_, at) if now.saturating_sub(*at) >= UNFIT_SECONDS => None,
            found => Some(found.clone()),
        }
    }

    /// The worker behind a statement, asked for at this proxy when it is not known. When the rules have changed it is appraised
    /// again, so that a worker whose image is no longer allowed is taken no longer.
    pub(super) async fn find(&self, digest: Digest, link: &Link, now: u64) -> Found {
        match self.peek(digest, now) {
            Some(Found::Fit(fit)) if fit.rules == *self.rules.borrow() => Found::Fit(fit),
            Some(Found::Fit(fit)) => {
                let found = self.appraise(&fit.certificate, &fit.stated).await;
                self.remember(digest, found, now)
            }
            Some(unfit) => unfit,
            None => {
                let ask = async {
                    let found = self.ask(digest, link).await;
                    self.remember(digest, found, now)
                };
                self.asked.get_with(digest, ask).await
            }
        }
    }

    async fn ask(&self, digest: Digest, link: &Link) -> Result<Fit, String> {
        let question = v3::GetEvidence { statement: digest.0 };
        let answer = link
            .query(question.to_boxed(), ASK_DEADLINE)
            .await
            .map_err(|error| format!("the proxy does not show its evidence: {}", error_line(&error)))?;
        let shown = <v3::GetEvidence as TlFunction>::Answer::from_boxed(answer)
            .map_err(|_| "the proxy's evidence does not parse".to_owned())?;
        if Digest::of_statement(&shown.statement) != digest {
            return Err("the proxy showed another statement than the one it offered".to_owned());
        }
        let stated = StatedEvidence {
            statement: shown.statement,
            quote: shown.quote,
            endorsements: shown.endorsements,
            gpu_evidence: shown.gpu_evidence,
        };
        self.appraise(&shown.certificate, &stated).await
    }

    async fn appraise(&self, certificate: &Bytes, stated: &StatedEvidence) -> Result<Fit, String> {
        // Before they are applied: should they change meanwhile, it is appraised once more.
        let rules = *self.rules.borrow();
        let verified = self
            .trust
            .appraise_presented(Peers::Workers, certificate, stated)
            .await
            .map_err(|error| error_line(&error))?;
        let evidence = EvidenceItem::of_worker(
            certificate.clone(),
            stated.quote.clone(),
            stated.endorsements.clone(),
            stated.gpu_evidence.clone(),
        );
        let worker = Worker::of(&verified, stated.statement.clone(), evidence)
            .map_err(|error| format!("its statement has no sealing key: {error}"))?;
        Ok(Fit {
            worker: Arc::new(worker),
            certificate: certificate.clone(),
            stated: stated.clone(),
            rules,
        })
    }

    fn remember(&self, digest: Digest, found: Result<Fit, String>, now: u64) -> Found {
        self.metrics.appraised(found.is_ok());
        let found = match found {
            Ok(fit) => Found::Fit(Arc::new(fit)),
            Err(why) => {
                tracing::warn!(statement = %digest, why, "an offered worker is not taken");
                Found::Unfit(why.into(), now)
            }
        };
        let mut known = self.known();
        if known.len() >= MAX_KNOWN {
            known.retain(|_, found| match found {
                Found::Fit(fit) => fit.worker.holds_at(now),
                Found::Unfit(..) => false,
            });
        }
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(digest, found.clone());
        found
    }

    /// Knows a worker that a test made.
    #[cfg(test)]
    pub(super) fn put(&self, worker: Arc<Worker>) {
        let fit = Fit {
            certificate: Bytes::new(),
            stated: StatedEvidence {
                statement: worker.statement.clone(),
                quote: Bytes::new(),
                endorsements: Bytes::new(),
                gpu_evidence: Bytes::new(),
            },
            rules: *self.rules.borrow(),
            worker,
        };
        let digest = fit.worker.digest;
        self.known().insert(digest, Found::Fit(Arc::new(fit)));
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Digest, Found>> {
        // Single insertions and removals.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
