//! Believing others' statements.

use std::collections::HashMap;
use std::sync::PoisonError;

use cocoon_attest::statement::{Presented, Statement, VerifiedStatement, verify_statement};
use cocoon_attest::{Accelerators, Evidence, OwnedEndorsements, Side, VerifiedPeer, appraise};
use tokio::sync::watch;

use crate::policy::Peers;
use crate::state::off_runtime;
use crate::statement::{StatedEvidence, StatementError};
use crate::trust::Trust;

/// Verdicts that are remembered; each is a few kilobytes, most of them a sealing key.
const MAX_REMEMBERED: usize = 512;

/// Verdicts about statements that came with their certificates, under the rules of one generation.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    generation: u64,
    verdicts: HashMap<(Peers, [u8; 32]), VerifiedStatement>,
}

impl Trust {
    /// Verifies what a peer stated on its link, by the rules that hold now: the node's own chain, roots and policy. Off the
    /// runtime's threads, and few at once.
    ///
    /// # Errors
    /// [`StatementError`], which names the check that failed.
    pub async fn appraise_statement(
        &self,
        peers: Peers,
        peer: &VerifiedPeer,
        evidence: &StatedEvidence,
    ) -> Result<VerifiedStatement, StatementError> {
        self.judge(peers, About::Peer(peer.clone()), evidence).await
    }

    /// Verifies what a worker stated elsewhere, with the certificate (in DER) of the link on which it did. A success is
    /// remembered until the first thing in it ends, and forgotten when the rules change.
    ///
    /// # Errors
    /// [`StatementError`], which names the check that failed.
    pub async fn appraise_presented(
        &self,
        peers: Peers,
        certificate: &[u8],
        evidence: &StatedEvidence,
    ) -> Result<VerifiedStatement, StatementError> {
        evidence.check_sizes()?;
        let name = (peers, evidence.whole_digest(certificate));
        let generation = *self.generation().borrow();
        if let Some(known) = self.remembered().find(&name, generation, self.now()) {
            return Ok(known);
        }
        let about = About::Certificate(certificate.to_vec());
        let verified = self.judge(peers, about, evidence).await?;
        self.remembered().keep(name, generation, &verified, self.now());
        Ok(verified)
    }

    /// Changes when what was appraised has to be appraised again.
    pub fn rules(&self) -> watch::Receiver<u64> {
        self.generation().subscribe()
    }

    async fn judge(
        &self,
        peers: Peers,
        about: About,
        evidence: &StatedEvidence,
    ) -> Result<VerifiedStatement, StatementError> {
        evidence.check_sizes()?;
        let blocks = self.blocks().ok_or(StatementError::NoChain)?;
        // Cheap, and it says which block to ask for; the verifier reads it again.
        let named = Statement::decode(&evidence.statement)?.block.seqno;
        let chain = blocks.view(named).await.map_err(StatementError::Chain)?;
        // Nobody closes it.
        let _turn = self.verifying().acquire().await;
        let (policy, roots, now) = (self.policy(peers), self.roots().clone(), self.now());
        let evidence = evidence.clone();
        off_runtime(move || {
            let peer = match about {
                About::Peer(peer) => peer,
                About::Certificate(certificate) => {
                    let shown = Evidence {
                        certificate: &certificate,
                        // Workers dial.
                        side: Side::Dialler,
                        accelerators: Accelerators::NotAttested,
                    };
                    appraise(shown, None, &policy, &roots, now).map_err(StatementError::Certificate)?
                }
            };
            let endorsements = match &evidence.endorsements[..] {
                [] => None,
                compact => {
                    Some(OwnedEndorsements::from_compact(compact).map_err(StatementError::Endorsements)?)
                }
            };
            let presented = Presented {
                statement: &evidence.statement,
                quote: &evidence.quote,
                gpu_evidence: &evidence.gpu_evidence,
                endorsements: endorsements.as_ref().map(OwnedEndorsements::as_ref),
            };
            Ok(verify_statement(presented, &peer, &policy, &roots, &chain, now)?)
        })
        .await
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, Remembered> {
        // Each change leaves it whole.
        self.verdicts().lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whom a statement is to be about.
enum About {
    /// The peer of a link, as it was appraised.
    Peer(VerifiedPeer),
    /// The owner of a certificate, to be appraised.
    Certificate(Vec<u8>),
}

// === impl Remembered ===

impl Remembered {
    fn find(&self, name: &(Peers, [u8; 32]), generation: u64, now: u64) -> Option<VerifiedStatement> {
        let known = self
            .verdicts
            .get(name)
            .filter(|_| self.generation == generation)?;
        // As the verifier counts: the last second still holds. A clock that was set back is caught by the window.
        let statement = known.statement();
        let begun = statement.valid_from <= now.saturating_add(cocoon_attest::statement::CLOCK_TOLERANCE);
        (begun && now <= known.expires_at()).then(|| known.clone())
    }

    fn keep(&mut self, name: (Peers, [u8; 32]), generation: u64, verified: &VerifiedStatement, now: u64) {
        if self.generation != generation {
            // Only forward: a verdict by older rules than those of the others is not kept.
            if generation < self.generation {
                return;
            }
            self.verdicts.clear();
            self.generation = generation;
        }
        if self.verdicts.len() >= MAX_REMEMBERED {
            self.verdicts.retain(|_, known| now <= known.expires_at());
        }
        if self.verdicts.len() >= MAX_REMEMBERED {
            self.verdicts.clear();
        }
        self.verdicts.insert(name, verified.clone());
    }
}
