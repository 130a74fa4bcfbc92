//! Verifying one worker's statements as they come, end, and fall under new rules.

use std::{future::pending, sync::Arc, time::Duration};

use cocoon_link::{Link, LinkClosed};
use cocoon_matching::WorkerId;
use cocoon_tl::{TlObject as _, TlString, v3};
use cocoon_trust::{Peers, StatedEvidence, StatementError, VerifiedStatement};
use cocoon_types::Tier;
use cocoon_web::clock::unix_now;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Held, pace::Pace, tier};
use crate::{
    metrics::Judgement,
    node::{Node, WorkerPeer},
};

/// Longest time between two looks at what has ended: somebody may have set the clock.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// After the chain did not answer.
const CHAIN_AGAIN: Duration = Duration::from_secs(5);

/// Bytes of a refusal that a worker is told.
const MAX_SENTENCE: usize = 512;

/// Verifies what this worker states, and has its tier follow, as long as it is polled and its link lives. `outer` is the link to
/// the worker itself.
pub(crate) async fn keep(node: &Node, peer: &WorkerPeer, outer: &Link, id: WorkerId) {
    let keeper = Keeper {
        node,
        peer,
        outer,
        id,
    };
    // Whatever ends this, nobody is told of statements whose worker is gone.
    let _leaving = Leaving(&keeper);
    if keeper.work().await.is_err() {
        // Its link has ended, which whoever reads it sees too.
        pending::<()>().await;
    }
}

#[derive(Clone, Copy)]
struct Keeper<'a> {
    node: &'a Node,
    peer: &'a WorkerPeer,
    outer: &'a Link,
    id: WorkerId,
}

struct Leaving<'a>(&'a Keeper<'a>);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let Keeper { node, peer, id, .. } = *self.0;
        for held in peer.stated.held() {
            node.stated.remove(id, &held.digest);
        }
    }
}

// === impl Keeper ===

impl Keeper<'_> {
    async fn work(&self) -> Result<(), LinkClosed> {
        let stated = &self.peer.stated;
        let mut rules = self.node.trust.rules();
        rules.borrow_and_update();
        let mut pace = Pace::default();
        let mut not_before: Option<Instant> = None;
        loop {
            let next = async {
                stated.pending().await;
                if let Some(at) = pace.next().max(not_before) {
                    sleep_until(at).await;
                }
            };
            tokio::select! {
                () = next => {
                    pace.began(Instant::now());
                    not_before = match stated.take() {
                        Some(Ok(evidence)) => self.judge(evidence).await?,
                        Some(Err(reason)) => {
                            self.refuse([0; 32], reason).await?;
                            None
                        }
                        None => None,
                    };
                }
                () = self.next_end() => self.drop_ended(),
                Ok(()) = rules.changed() => {
                    rules.borrow_and_update();
                    self.judge_again().await?;
                }
            }
        }
    }

    /// Judges one; gives the time before which nothing need be tried, if the chain does not answer.
    async fn judge(&self, evidence: StatedEvidence) -> Result<Option<Instant>, LinkClosed> {
        let Some(certificate) = self.outer.peer_certificate().map(Arc::clone) else {
            return Ok(None);
        };
        let digest = evidence.digest();
        match self.appraise(&evidence).await {
            Ok(verified) => {
                self.node.metrics.judged(Judgement::Verified);
                let before = self.tier();
                let held = Arc::new(Held {
                    digest,
                    certificate,
                    evidence,
                    verified,
                });
                let gone = self.peer.stated.keep(Arc::clone(&held));
                self.forget(&gone);
                self.node.stated.add(self.id, &held);
                let after = self.tier();
                tracing::info!(
                    worker = %self.id,
                    tier = %after,
                    statement = held.evidence.name(),
                    until = held.verified.expires_at(),
                    "a worker's statement is verified"
                );
                // A worker that is worth more now must know before somebody asks for it; one that is worth less must not be
                // asked before it does.
                let is_less = !at_least(after, before);
                if is_less {
                    self.node.board.set_tier(self.id, after);
                }
                self.tell(digest, after, held.verified.expires_at(), "").await?;
                if !is_less && after != before {
                    self.node.board.set_tier(self.id, after);
                }
                Ok(None)
            }
            Err(error) if error.is_refusal() => {
                self.refuse(digest, words(&error)).await?;
                Ok(None)
            }
            Err(error) => {
                tracing::warn!(worker = %self.id, reason = words(&error), "a worker's statement cannot be judged yet");
                self.peer.stated.put_back(evidence);
                Ok(Some(Instant::now() + CHAIN_AGAIN))
            }
        }
    }

    /// The registry says something else now: what was believed is verified again.
    async fn judge_again(&self) -> Result<(), LinkClosed> {
        for held in self.peer.stated.held() {
            match self.appraise(&held.evidence).await {
                Ok(verified) if verified.tier() == held.verified.tier() => {}
                Ok(_) => {
                    self.fall(&held, "its tier is another one by the rules that hold now")
                        .await?
                }
                Err(error) if error.is_refusal() => self.fall(&held, &words(&error)).await?,
                // It was good by the chain; the rules that this node has itself are looked at when the chain answers again.
                Err(_) => self.fall(&held, "it cannot be verified again just now").await?,
            }
        }
        Ok(())
    }

    async fn fall(&self, held: &Held, reason: &str) -> Result<(), LinkClosed> {
        let gone = self.peer.stated.drop_unless(|one| one.digest != held.digest);
        self.forget(&gone);
        self.node.board.set_tier(self.id, self.tier());
        self.refuse(held.digest, reason.to_owned()).await
    }

    async fn refuse(&self, digest: [u8; 32], reason: String) -> Result<(), LinkClosed> {
        self.node.metrics.judged(Judgement::Refused);
        tracing::warn!(worker = %self.id, reason, tier = %self.tier(), "a worker's statement is refused; its tier is what it is without");
        self.peer.stated.refuse(reason.clone());
        self.tell(digest, self.tier(), 0, &reason).await
    }

    async fn appraise(&self, evidence: &StatedEvidence) -> Result<VerifiedStatement, StatementError> {
        let trust = &self.node.trust;
        trust
            .appraise_statement(Peers::Workers, self.outer.peer(), evidence)
            .await
    }

    /// Waits for the end of the first statement that ends.
    async fn next_end(&self) {
        let held = self.peer.stated.held();
        let Some(ends) = held.iter().map(|held| held.verified.expires_at()).min() else {
            return pending().await;
        };
        // The last second still holds.
        let left = ends.saturating_add(1).saturating_sub(unix_now());
        sleep(Duration::from_secs(left).min(LOOK_AGAIN)).await;
    }

    fn drop_ended(&self) {
        let now = unix_now();
        let before = self.tier();
        let gone = self
            .peer
            .stated
            .drop_unless(|held| now <= held.verified.expires_at());
        self.forget(&gone);
        let after = self.tier();
        if before != after {
            tracing::info!(worker = %self.id, tier = %after, "a worker's statement has ended; its tier is the link's again");
            self.node.board.set_tier(self.id, after);
        }
    }

    fn forget(&self, gone: &[Arc<Held>]) {
        for held in gone {
            self.node.stated.remove(self.id, &held.digest);
        }
    }

    /// What the worker serves at now.
    fn tier(&self) -> Tier {
        let newest = self.peer.stated.newest();
        let newest = newest.as_ref().map(|held| &held.verified);
        tier(self.peer.engine, self.outer.peer().tier(), newest)
    }

    async fn tell(
        &self,
        statement: [u8; 32],
        tier: Tier,
        until: u64,
        refusal: &str,
    ) -> Result<(), LinkClosed> {
        let end = refusal.floor_char_boundary(MAX_SENTENCE);
        let judged = v3::StatementJudged {
            statement,
            tier: tier.wire_code(),
            until: i64::try_from(until).unwrap_or(i64::MAX),
            refusal: TlString::from(refusal.get(..end).unwrap_or_default().to_owned()),
        };
        self.peer.session.link().send(judged.to_boxed()).await
    }
}

/// Whether a request for the second tier would get the first.
fn at_least(tier: Tier, floor: Tier) -> bool {
    tier == floor || cocoon_types::TierPolicy::at_least(floor).accepts(tier)
}

/// With what it comes from.
fn words(error: &StatementError) -> String {
    match std::error::Error::source(error) {
        // A refusal is its own source's words already.
        Some(source) if !error.to_string().contains(&source.to_string()) => format!("{error}: {source}"),
        _ => error.to_string(),
    }
}
