//! What a statement says, as receipts repeat it.

use bytes::Bytes;
use cocoon_seal::{
    Accelerators, Closing, Digest, EnginePlace, EvidenceItem, Finish, Outcome, SealingPublic, evidence_digest,
};
use cocoon_trust::{StatedEngine, StatedEvidence};
use cocoon_types::Usage;

/// One statement, with the sealing key that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) key_id: Digest,
    statement: Digest,
    /// Of the certificate alone.
    certificate: Digest,
    evidence: Digest,
    model: Digest,
    engine: Digest,
    engine_place: EnginePlace,
    accelerators: Accelerators,
    block_seqno: u32,
    block: Digest,
}

/// What stands for the digest of a file that nobody knows.
const UNKNOWN: Digest = Digest([0; 32]);

// === impl Named ===

impl Named {
    /// Of a statement that names a sealing key.
    pub(super) fn of(evidence: &StatedEvidence, certificate: &[u8]) -> Option<Self> {
        let statement = evidence.statement().ok()?;
        let key = SealingPublic::decode(statement.sealing_key.into()).ok()?;
        let items = EvidenceItem::of_worker(
            Bytes::copy_from_slice(certificate),
            evidence.quote.clone(),
            evidence.endorsements.clone(),
            evidence.gpu_evidence.clone(),
        );
        Some(Self {
            key_id: key.id(),
            statement: Digest::of_statement(&evidence.statement),
            // There always is one, and it comes first.
            certificate: evidence_digest(items.get(..1)?),
            evidence: evidence_digest(&items),
            model: statement.model.map_or(UNKNOWN, Digest),
            engine: statement.engine_digest.map_or(UNKNOWN, Digest),
            engine_place: match statement.engine {
                StatedEngine::OfImage => EnginePlace::Measured,
                StatedEngine::Outside | StatedEngine::None => EnginePlace::Outside,
            },
            accelerators: match (statement.accelerators, statement.gpu_evidence) {
                (0, _) => Accelerators::None,
                (_, Some(_)) => Accelerators::Attested,
                (_, None) => Accelerators::NotAttested,
            },
            block_seqno: statement.block.seqno,
            block: Digest(statement.block.id),
        })
    }

    /// Whether the other one, of another key, says the same of the worker, under whatever certificate; or is the very same.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        if self.key_id == other.key_id {
            return self.statement == other.statement && self.certificate == other.certificate;
        }
        self.model == other.model
            && self.engine == other.engine
            && self.engine_place == other.engine_place
            && self.accelerators == other.accelerators
    }

    /// The end of an answer that is whole.
    pub(crate) fn closing(&self, usage: Usage, finish: Finish, started: u64, ended: u64) -> Closing {
        Closing {
            statement: self.statement,
            model: self.model,
            engine: self.engine,
            evidence: self.evidence,
            engine_place: self.engine_place,
            accelerators: self.accelerators,
            outcome: Outcome::Complete,
            finish,
            usage,
            block_seqno: self.block_seqno,
            block: self.block,
            started,
            ended,
        }
    }
}
