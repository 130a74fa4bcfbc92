//! Judges the evidence behind a receipt, by the very lines that a node uses (`cocoon_attest`).

use bytes::Bytes;
use cocoon_attest::statement::{
    ChainView, Presented, StatedEngine, Statement, VerifiedStatement, verify_statement,
};
use cocoon_attest::{
    Accelerators as Used, Evidence, ImageRule, OwnedEndorsements, Policy, Roots, Side, appraise, gpu,
};
use cocoon_seal::{Accelerators, Appraised, Appraiser, Digest, EnginePlace, EvidenceItem};
use cocoon_types::{Tier, error_line};

use crate::attest::verify::rules::Rules;

/// The verifier with what a person allows.
#[derive(Debug)]
pub(super) struct AttestAppraiser<'a> {
    pub(super) rules: &'a Rules,
    pub(super) roots: &'a Roots,
    /// Instead of the time that the worker says.
    pub(super) at: Option<u64>,
}

impl Appraiser for AttestAppraiser<'_> {
    fn appraise(&self, statement: &[u8], evidence: &[EvidenceItem], at: u64) -> Result<Appraised, String> {
        let shown = Shown::of(evidence)?;
        let policy = self.rules.policy();
        let at = self.at.unwrap_or(at);
        if matches!(policy.image_hashes, ImageRule::Listed(_)) {
            let verified = self.verify(statement, &shown, &policy, at)?;
            return Ok(appraised(&verified, None));
        }
        // Nobody said which images are allowed. What the evidence is worth if this one is, is worth knowing; that it is, is
        // then for whoever reads it to believe.
        let any = self.verify(statement, &shown, &policy, at)?;
        let image = *any.peer().image_hash();
        let listed = Policy {
            image_hashes: ImageRule::Listed(vec![image]),
            ..policy
        };
        let verified = self.verify(statement, &shown, &listed, at)?;
        let unjudged = format!(
            "image {}, which nobody here said is allowed (--policy or --image)",
            hex::encode(image)
        );
        Ok(appraised(&verified, Some(unjudged)))
    }
}

/// The items of a worker's evidence (docs/sealing.md 7.4).
#[derive(Default)]
struct Shown<'a> {
    certificate: &'a [u8],
    quote: &'a [u8],
    endorsements: Option<OwnedEndorsements>,
    gpu_evidence: &'a [u8],
}

// === impl Shown ===

impl<'a> Shown<'a> {
    fn of(evidence: &'a [EvidenceItem]) -> Result<Self, String> {
        let mut shown = Self::default();
        for item in evidence {
            let bytes: &[u8] = &item.bytes;
            match item.label.as_str() {
                EvidenceItem::CERTIFICATE => shown.certificate = bytes,
                EvidenceItem::QUOTE => shown.quote = bytes,
                EvidenceItem::ENDORSEMENTS => {
                    let endorsements = OwnedEndorsements::from_compact(bytes);
                    let error = |_| "the endorsements cannot be read".to_owned();
                    shown.endorsements = Some(endorsements.map_err(error)?);
                }
                EvidenceItem::GPU_EVIDENCE => shown.gpu_evidence = bytes,
                _ => return Err("evidence of a kind that this build does not know".to_owned()),
            }
        }
        if shown.certificate.is_empty() {
            return Err("the certificate of the worker is not in the bundle".to_owned());
        }
        Ok(shown)
    }
}

impl AttestAppraiser<'_> {
    /// Whether the statement's block is on the chain is not judged: no chain is asked here.
    fn verify(
        &self,
        statement: &[u8],
        shown: &Shown<'_>,
        policy: &Policy,
        at: u64,
    ) -> Result<VerifiedStatement, String> {
        let certificate = Evidence {
            certificate: shown.certificate,
            side: Side::Dialler,
            accelerators: Used::NotAttested,
        };
        let peer = appraise(certificate, None, policy, self.roots, at)
            .map_err(|refusal| format!("the worker's certificate: {}", error_line(&refusal)))?;
        let of_statement = |refusal| format!("the worker's statement: {}", error_line(&refusal));
        let block = Statement::decode(statement).map_err(of_statement)?.block;
        let presented = Presented {
            statement,
            quote: shown.quote,
            gpu_evidence: shown.gpu_evidence,
            endorsements: shown.endorsements.as_ref().map(OwnedEndorsements::as_ref),
        };
        let on_trust = ChainView {
            head: block,
            named: Some(block),
        };
        verify_statement(presented, &peer, policy, self.roots, &on_trust, at).map_err(of_statement)
    }
}

fn appraised(verified: &VerifiedStatement, unjudged: Option<String>) -> Appraised {
    let (peer, statement) = (verified.peer(), verified.statement());
    let image = hex::encode(peer.image_hash());
    let root = match (peer.tdx().is_some(), peer.snp().is_some()) {
        _ if verified.tier() == Tier::Simulated => "simulated evidence, which anybody can make",
        (true, _) => "Intel's root",
        (_, true) => "AMD's root",
        (false, false) => "nobody: there is no hardware evidence",
    };
    Appraised {
        sealing_key: Bytes::copy_from_slice(&statement.sealing_key),
        // What an engine outside of the image does with a prompt, nobody measured, also where the evidence is simulated.
        tier: match statement.engine {
            StatedEngine::Outside => Tier::Open,
            StatedEngine::OfImage | StatedEngine::None => verified.tier(),
        },
        model: digest(statement.model),
        engine: digest(statement.engine_digest),
        engine_place: match statement.engine {
            StatedEngine::OfImage => EnginePlace::Measured,
            StatedEngine::None | StatedEngine::Outside => EnginePlace::Outside,
        },
        accelerators: match (statement.accelerators, gpu::accelerators(verified.gpus())) {
            (0, _) => Accelerators::None,
            (_, Used::Attested) => Accelerators::Attested,
            (_, Used::None | Used::NotAttested) => Accelerators::NotAttested,
        },
        vouched_by: format!("{root}, image {image}; the block at the worker's word"),
        unjudged,
    }
}

/// Zeros stand for a digest that the worker does not know.
fn digest(digest: Option<[u8; 32]>) -> Digest {
    Digest(digest.unwrap_or_default())
}
