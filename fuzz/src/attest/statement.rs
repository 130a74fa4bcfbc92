//! `cocoon-attest`: statements and the GPU evidence beside them.
//!
//! Beside "no panic": what is read is written back as the same bytes, and a statement is accepted only with the key, the
//! block and the time that the link and the chain have, whatever it says.

use std::sync::OnceLock;

use cocoon_attest::statement::{
    Block, ChainView, MAX_AGE, MAX_STATEMENT_BYTES, Presented, Statement, verify_statement,
};
use cocoon_attest::{
    Draft, EvidenceRule, ImageRule, Policy, Roots, Side, Simulated, VerifiedPeer, appraise_certificate, gpu,
    report_data,
};
use cocoon_types::Tier;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};

const NOW: u64 = 1_795_400_000;
/// As in the seeds.
const BLOCK: Block = Block {
    seqno: 7,
    id: [0xb1; 32],
    time: NOW - 100,
};

/// The first byte says what the rest is: a statement, GPU evidence, or a statement with a simulated quote over it.
pub fn statement(data: &[u8]) {
    let Some((&part, input)) = data.split_first() else {
        return;
    };
    match part % 3 {
        0 => {
            if let Ok(read) = Statement::decode(input) {
                assert!(input.len() <= MAX_STATEMENT_BYTES);
                assert_eq!(read.encode().as_deref(), Ok(input), "one encoding");
            }
        }
        1 => {
            if let Ok(read) = gpu::decode_evidence(input) {
                assert!((1..=gpu::MAX_GPUS).contains(&read.len()));
                assert_eq!(gpu::encode_evidence(&read).as_deref(), Ok(input), "one encoding");
            }
        }
        _ => presented(input),
    }
}

fn presented(input: &[u8]) {
    let policy = Policy {
        evidence: EvidenceRule::Required {
            simulated: Simulated::AcceptOnTestNetwork,
        },
        image_hashes: ImageRule::Any,
        ..Policy::default()
    };
    static PEER: OnceLock<VerifiedPeer> = OnceLock::new();
    let peer = PEER.get_or_init(|| peer(&policy));
    let quote = Statement::report_data(input);
    let presented = Presented {
        statement: input,
        quote: &quote,
        gpu_evidence: &[],
        endorsements: None,
    };
    let head = Block {
        seqno: 9,
        id: [0xb2; 32],
        time: NOW,
    };
    let view = ChainView {
        head,
        named: Some(BLOCK),
    };
    if let Ok(verified) = verify_statement(presented, peer, &policy, &Roots::makers(), &view, NOW) {
        assert_eq!(verified.tier(), Tier::Simulated);
        assert_eq!(verified.peer().key(), peer.key());
        assert_eq!(verified.statement().block, BLOCK);
        assert!((NOW..=BLOCK.time + MAX_AGE).contains(&verified.expires_at()));
    }
}

/// The peer of the seeds, on a link with a simulated quote.
fn peer(policy: &Policy) -> VerifiedPeer {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[42; 32]).expect("a seed");
    let key: [u8; 32] = pair.public_key().as_ref().try_into().expect("32 bytes");
    let validity = NOW - 10..=NOW + 86_400;
    let draft = Draft::new(&key, Some(&report_data(&key)), [5; 16], validity).expect("short");
    let signed = draft.to_be_signed().expect("short");
    let certificate = Draft::finish(&signed, pair.sign(&signed).as_ref()).expect("short");
    appraise_certificate(&certificate, Side::Dialler, policy, NOW).expect("it is good")
}
