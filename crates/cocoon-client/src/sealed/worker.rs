//! A worker as this gateway found it: its statement and evidence, appraised here and by nobody else.

use bytes::Bytes;
use cocoon_attest::statement::{StatedEngine, VerifiedStatement};
use cocoon_seal::{Digest, EnginePlace, EvidenceItem, Malformed, SealingPublic, evidence_digest};
use cocoon_types::Tier;

/// A worker whose evidence was appraised.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) key: SealingPublic,
    /// As offers and receipts name it.
    pub(crate) digest: Digest,
    pub(crate) statement: Bytes,
    /// What stands behind the statement, as a bundle carries it.
    pub(crate) evidence: Vec<EvidenceItem>,
    pub(crate) evidence_digest: Digest,
    /// What the evidence is worth, by our own appraisal.
    pub(crate) tier: Tier,
    pub(crate) image: [u8; 32],
    pub(crate) model: Option<Digest>,
    pub(crate) engine: Option<Digest>,
    pub(crate) engine_place: EnginePlace,
    /// Last second at which all of it holds.
    pub(crate) expires_at: u64,
}

// === impl Worker ===

impl Worker {
    /// What an appraised statement says of its worker.
    ///
    /// # Errors
    /// [`Malformed`] when it carries no sealing key.
    pub(crate) fn of(
        verified: &VerifiedStatement,
        statement: Bytes,
        evidence: Vec<EvidenceItem>,
    ) -> Result<Self, Malformed> {
        let said = verified.statement();
        Ok(Self {
            key: SealingPublic::decode(Bytes::copy_from_slice(&said.sealing_key))?,
            digest: Digest::of_statement(&statement),
            statement,
            evidence_digest: evidence_digest(&evidence),
            evidence,
            tier: match said.engine {
                // Also where the evidence is simulated.
                StatedEngine::Outside => Tier::Open,
                StatedEngine::OfImage | StatedEngine::None => verified.tier(),
            },
            image: *verified.peer().image_hash(),
            model: said.model.map(Digest),
            engine: said.engine_digest.map(Digest),
            engine_place: match said.engine {
                StatedEngine::OfImage => EnginePlace::Measured,
                StatedEngine::None | StatedEngine::Outside => EnginePlace::Outside,
            },
            expires_at: verified.expires_at(),
        })
    }

    /// Whether a request may be sealed for it at this second.
    pub(crate) fn holds_at(&self, now: u64) -> bool {
        now <= self.expires_at && self.key.lives_at(now)
    }
}
