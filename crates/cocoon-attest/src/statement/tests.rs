//! A machine whose maker is made up on the spot: SEV-SNP and GPU evidence in the real formats, under roots that the tests
//! play the makers with. So the tiers of real machines are reached, and each field can be wrong by itself.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};

use super::*;
use crate::gpu::{GpuMode, GpuPolicy, GpuShortfall, GpuVerdict};
use crate::policy::{EvidenceRule, ImageRule, Side, Simulated};
use crate::refusal::Refusal;
use crate::snp::{SnpChain, SnpRefusal};
use crate::support;
use crate::support::gpu::{GpuDraft, GpuKeys, GpuMade};
use crate::support::snp::{MEASUREMENT, NOW, SnpDraft, SnpKeys, offset};
use crate::{Draft, Evidence, SnpImage, appraise, report_data};

mod bytes;
mod fields;
mod tiers;

const BLOCK: Block = Block {
    seqno: 7_000_000,
    id: [0xb1; 32],
    time: NOW - 100,
};
const HEAD: Block = Block {
    seqno: 7_000_025,
    id: [0xb2; 32],
    time: NOW - 2,
};
const VIEW: ChainView = ChainView {
    head: HEAD,
    named: Some(BLOCK),
};
const ENDS: u64 = BLOCK.time + 900;

type Alter = fn(&mut Statement);

/// A machine with a chip, a GPU, and a link.
struct Machine {
    snp: SnpKeys,
    gpu: GpuKeys,
    /// Signed once: a chain must end at this copy.
    gpu_root: Vec<u8>,
    roots: Roots,
    policy: Policy,
    chain: SnpChain,
    peer: VerifiedPeer,
}

/// What goes on the link, owned.
#[derive(Clone)]
struct Sent {
    statement: Vec<u8>,
    quote: Vec<u8>,
    gpu_evidence: Vec<u8>,
}

fn image() -> SnpImage {
    SnpImage {
        measurement: MEASUREMENT,
        host_data: [0; 32],
        id_key_digest: [0; 48],
        author_key_digest: [0; 48],
        family_id: [0; 16],
        image_id: [0; 16],
    }
}

fn key(seed: u8) -> (Ed25519KeyPair, [u8; 32]) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let public = pair.public_key().as_ref().try_into().unwrap();
    (pair, public)
}

fn statement() -> Statement {
    Statement {
        key: key(1).1,
        block: BLOCK,
        accelerators: 0,
        gpu_evidence: None,
        engine: StatedEngine::OfImage,
        model: Some([0x3d; 32]),
        engine_digest: Some([0xe9; 32]),
        valid_from: BLOCK.time,
        valid_until: ENDS,
        sealing_key: vec![0x5e; 1216],
    }
}

// === impl Machine ===

impl Machine {
    fn new() -> Self {
        let (snp, gpu) = (SnpKeys::new(), GpuKeys::generate());
        let made = SnpDraft::good(&snp).make(&snp);
        let gpu_root = GpuDraft::good(&gpu).make(&gpu).root;
        let roots = Roots::of_test_makers(&made.root, &gpu_root);
        let policy = Policy {
            image_hashes: ImageRule::Listed(vec![image().image_hash()]),
            gpu: support::gpu::policy(),
            ..Policy::default()
        };
        let peer = link(&snp, 1, &made.chain, &policy, &roots);
        Self {
            snp,
            gpu,
            gpu_root,
            roots,
            policy,
            chain: made.chain,
            peer,
        }
    }

    /// A report over these 64 bytes.
    fn report(&self, report_data: &[u8; 64]) -> Vec<u8> {
        report(&self.snp, report_data)
    }

    fn gpu(&self, nonce: &[u8; 32], change: impl FnOnce(&mut GpuDraft)) -> GpuMade {
        let mut draft = GpuDraft::good(&self.gpu);
        draft.request[4..36].copy_from_slice(nonce);
        change(&mut draft);
        let mut made = draft.make(&self.gpu);
        made.evidence.chain.pop();
        made.evidence.chain.push(self.gpu_root.clone());
        made
    }

    /// The statement with a quote over it.
    fn send(&self, statement: &Statement) -> Sent {
        let encoded = statement.encode().unwrap();
        Sent {
            quote: self.report(&Statement::report_data(&encoded)),
            statement: encoded,
            gpu_evidence: Vec::new(),
        }
    }

    /// The statement with one GPU's evidence and a quote over both.
    fn send_with_gpu(&self, mut statement: Statement, change: impl FnOnce(&mut GpuDraft)) -> Sent {
        let made = self.gpu(&statement.gpu_nonce(), change);
        let gpu_evidence = gpu::encode_evidence(&[made.evidence]).unwrap();
        statement.accelerators = 1;
        statement.gpu_evidence = Some(gpu::evidence_digest(&gpu_evidence));
        Sent {
            gpu_evidence,
            ..self.send(&statement)
        }
    }

    fn verify(&self, sent: &Sent) -> Result<VerifiedStatement, StatementRefusal> {
        self.verify_in(sent, &VIEW, NOW)
    }

    fn verify_in(
        &self,
        sent: &Sent,
        view: &ChainView,
        now: u64,
    ) -> Result<VerifiedStatement, StatementRefusal> {
        self.verify_under(sent, &self.policy, view, now)
    }

    fn verify_under(
        &self,
        sent: &Sent,
        policy: &Policy,
        view: &ChainView,
        now: u64,
    ) -> Result<VerifiedStatement, StatementRefusal> {
        let presented = Presented {
            statement: &sent.statement,
            quote: &sent.quote,
            gpu_evidence: &sent.gpu_evidence,
            endorsements: Some(Endorsements::Snp(&self.chain)),
        };
        verify_statement(presented, &self.peer, policy, &self.roots, view, now)
    }
}

fn report(keys: &SnpKeys, report_data: &[u8; 64]) -> Vec<u8> {
    let mut draft = SnpDraft::good(keys);
    draft.put(offset::REPORT_DATA, report_data);
    draft.make(keys).report
}

/// The link of the peer with this key: its certificate, appraised.
fn link(keys: &SnpKeys, seed: u8, chain: &SnpChain, policy: &Policy, roots: &Roots) -> VerifiedPeer {
    let (pair, public) = key(seed);
    let certificate = certificate(&pair, &public, &report(keys, &report_data(&public)));
    let evidence = Evidence {
        certificate: &certificate,
        side: Side::Dialler,
        accelerators: Accelerators::NotAttested,
    };
    appraise(evidence, Some(Endorsements::Snp(chain)), policy, roots, NOW).unwrap()
}

fn certificate(pair: &Ed25519KeyPair, public: &[u8; 32], quote: &[u8]) -> Vec<u8> {
    let draft = Draft::new(public, Some(quote), [5; 16], NOW - 10..=NOW + 86_400).unwrap();
    let signed = draft.to_be_signed().unwrap();
    Draft::finish(&signed, pair.sign(&signed).as_ref()).unwrap()
}
