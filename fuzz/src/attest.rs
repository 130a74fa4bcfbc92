//! `cocoon-attest`: certificates as a peer presents them, TDX quotes and collateral.
//!
//! Beside "no panic": nobody is ever more than `open` or `simulated`, the default policy accepts nobody, and what is
//! accepted has the key that CertificateVerify will be checked with.

// Named, because the crate under test includes this file from elsewhere.
#[path = "attest/evidence.rs"]
pub mod evidence;
#[path = "attest/statement.rs"]
pub mod statement;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use cocoon_attest::tdx::{self, Collateral, TdxClaims, TdxPolicy};
use cocoon_attest::{
    Draft, EvidenceRule, ImageRule, Policy, Roots, Side, Simulated, appraise_certificate, public_key,
    report_data,
};
use cocoon_types::Tier;

/// The name of a target and of its corpus directory, and its entry function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of this module.
pub const TARGETS: &[Target] = &[
    ("attest_certificate", certificate),
    ("attest_collateral", collateral),
    ("attest_compact", compact),
    ("attest_signed", signed),
    ("attest_snp_report", evidence::snp_report),
    ("attest_tdx_quote", tdx_quote),
    ("attest_event_log", evidence::event_log),
    ("attest_gpu_evidence", evidence::gpu_evidence),
    ("attest_statement", statement::statement),
];

/// Within the validity of the seeds.
const NOW: u64 = 1_795_400_000;

/// Any bytes as a certificate.
pub fn certificate(data: &[u8]) {
    let policy = |evidence| Policy {
        evidence,
        image_hashes: ImageRule::Any,
        ..Policy::default()
    };
    let simulated = Simulated::AcceptOnTestNetwork;
    let lax = policy(EvidenceRule::Optional { simulated });
    for side in [Side::Dialler, Side::Acceptor] {
        // The other policies see the same steps before the last one, so they are asked only about who gets that far.
        let Ok(peer) = appraise_certificate(data, side, &lax, NOW) else {
            continue;
        };
        assert!(matches!(peer.tier(), Tier::Simulated | Tier::Open));
        assert!(peer.expires_at() >= NOW);
        assert_eq!(public_key(data).as_ref(), Ok(peer.key()));
        let required = appraise_certificate(data, side, &policy(EvidenceRule::Required { simulated }), NOW);
        assert_eq!(required.is_ok(), peer.tier() == Tier::Simulated);
        let strict = appraise_certificate(data, side, &Policy::default(), NOW);
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

/// A real quote and its collateral, and a second at which they hold.
const QUOTE: &[u8] = include_bytes!("../../crates/cocoon-attest/testdata/tdx/tdx_quote_td15ex");
const COLLATERAL: &[u8] =
    include_bytes!("../../crates/cocoon-attest/testdata/tdx/tdx_quote_td15ex_collateral.json");
const QUOTE_NOW: u64 = 1_791_500_000;

/// Any bytes as a quote (the first one is 0), or edits of a real one: what verifies says what the real one says.
pub fn tdx_quote(data: &[u8]) {
    let quote = edited(QUOTE, data);
    let collateral = Collateral::from_json(COLLATERAL).expect("real collateral");
    verify(&quote, &collateral);
}

/// Any bytes as collateral in its JSON form (the first one is 0), or edits of a real one: what verifies a quote with it says
/// what it says with the real one.
pub fn collateral(data: &[u8]) {
    let json = edited(COLLATERAL, data);
    let Ok(collateral) = Collateral::from_json(&json) else {
        return;
    };
    let again = Collateral::from_json(collateral.to_json().as_bytes());
    assert_eq!(again.ok().as_ref(), Some(&collateral));
    let _ = collateral.expires_at();
    verify(QUOTE, &collateral);
}

/// Any bytes as collateral in its compact form (the first one is 0), or edits of a real one: what is read is what would be
/// written, and what verifies a quote with it says what it says with the real one.
pub fn compact(data: &[u8]) {
    let real = Collateral::from_json(COLLATERAL).expect("real collateral");
    let bytes = edited(&real.to_compact().expect("it travels"), data);
    let Ok(collateral) = Collateral::from_compact(&bytes) else {
        return;
    };
    assert!(bytes.len() <= tdx::MAX_COMPACT_BYTES);
    assert_eq!(collateral.to_compact().ok(), Some(bytes));
    let _ = collateral.expires_at();
    verify(QUOTE, &collateral);
}

/// After a first byte of 0 the bytes themselves; otherwise the original with edits of five bytes each: two of place, one of
/// kind, two of value.
fn edited(original: &[u8], data: &[u8]) -> Vec<u8> {
    match data.split_first() {
        None => original.to_vec(),
        Some((0, rest)) => rest.to_vec(),
        Some((_, rest)) => {
            let mut bytes = original.to_vec();
            for edit in rest.chunks_exact(5) {
                let &[high, low, kind, first, second] = edit else {
                    continue;
                };
                let place = usize::from(u16::from_be_bytes([high, low])) % (bytes.len() + 1);
                match kind % 4 {
                    0 => bytes.truncate(place),
                    1 => bytes.insert(place, first),
                    2 if place < bytes.len() => bytes[place] = first,
                    _ => bytes.extend([first, second]),
                }
            }
            bytes
        }
    }
}

fn verify(quote: &[u8], collateral: &Collateral) {
    let roots = Roots::makers();
    let verify = |quote: &[u8], collateral: &Collateral| {
        tdx::verify(quote, collateral, roots.intel(), &TdxPolicy::server(), QUOTE_NOW)
    };
    if let Ok(found) = verify(quote, collateral) {
        let real = Collateral::from_json(COLLATERAL).expect("real collateral");
        let real: TdxClaims = verify(QUOTE, &real).expect("a real quote");
        assert_eq!(found, real);
        assert!(found.expires_at >= QUOTE_NOW);
    }
}
