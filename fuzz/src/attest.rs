//! `cocoon-attest`: certificates as a peer presents them.
//!
//! Beside "no panic": nobody is ever more than `open` or `simulated`, the default policy accepts nobody, and what is
//! accepted has the key that CertificateVerify will be checked with.

// Named, because the crate under test includes this file from elsewhere.
#[path = "attest/evidence.rs"]
pub mod evidence;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use cocoon_attest::{
    Draft, EvidenceRule, ImageRule, Policy, Side, Simulated, appraise, public_key, report_data,
};
use cocoon_types::Tier;

/// The name of a target and of its corpus directory, and its entry function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of this module.
pub const TARGETS: &[Target] = &[
    ("attest_certificate", certificate),
    ("attest_signed", signed),
    ("attest_snp_report", evidence::snp_report),
];

/// Within the validity of the seeds.
const NOW: u64 = 1_795_400_000;

/// Any bytes as a certificate.
pub fn certificate(data: &[u8]) {
    let policy = |evidence| Policy {
        evidence,
        image_hashes: ImageRule::Any,
    };
    let simulated = Simulated::AcceptOnTestNetwork;
    let lax = policy(EvidenceRule::Optional { simulated });
    for side in [Side::Dialler, Side::Acceptor] {
        // The other policies see the same steps before the last one, so they are asked only about who gets that far.
        let Ok(peer) = appraise(data, side, &lax, NOW) else {
            continue;
        };
        assert!(matches!(peer.tier(), Tier::Simulated | Tier::Open));
        assert!(peer.expires_at() >= NOW);
        assert_eq!(public_key(data).as_ref(), Ok(peer.key()));
        let required = appraise(data, side, &policy(EvidenceRule::Required { simulated }), NOW);
        assert_eq!(required.is_ok(), peer.tier() == Tier::Simulated);
        let strict = appraise(data, side, &Policy::default(), NOW);
        assert!(strict.is_err(), "the default policy refuses everybody");
    }
}

/// Bytes that choose what stands in a certificate, which is then signed as it should be: a length and a content for each
/// extension, then the version and the key.
pub fn signed(data: &[u8]) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[42; 32]).expect("32 bytes are a seed");
    let key = pair.public_key().as_ref().try_into().expect("a key has 32 bytes");
    let mut draft = Draft::new(&key, Some(&report_data(&key)), [1; 16], NOW..=NOW).expect("a short quote");
    let mut rest = data;
    for extension in &mut draft.extensions {
        let Some((&length, after)) = rest.split_first() else {
            break;
        };
        // 0 keeps what an honest node has there.
        if length > 0 {
            let (value, after) = after.split_at(after.len().min(usize::from(length)));
            extension.value = value.to_vec();
            rest = after;
        } else {
            rest = after;
        }
    }
    if let Some((&flags, after)) = rest.split_first() {
        draft.is_v3 = flags & 1 == 0;
        if flags & 2 != 0 {
            draft.public_key_info = after.to_vec();
        }
    }
    let Ok(to_be_signed) = draft.to_be_signed() else {
        return;
    };
    let signature = pair.sign(&to_be_signed);
    if let Ok(bytes) = Draft::finish(&to_be_signed, signature.as_ref()) {
        certificate(&bytes);
    }
}
