use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use proptest::prelude::*;

use super::*;
use crate::certificate::MAX_CERTIFICATE_BYTES;
use crate::der;
use crate::draft::{Draft, Extension};
use crate::image::{Measurements, report_data};
use crate::oid;
use crate::policy::{EvidenceRule, ImageRule, Simulated};

mod foreign;
mod form;
mod policy;
mod snp;

const NOW: u64 = 1_795_400_000;
const OPENSSL_V1: &[u8] = include_bytes!("../../testdata/openssl-v1.der");
const OPENSSL_V3: &[u8] = include_bytes!("../../testdata/openssl-v3.der");

/// Accepts simulated evidence of every image.
fn lenient() -> Policy {
    Policy {
        evidence: EvidenceRule::Required {
            simulated: Simulated::AcceptOnTestNetwork,
        },
        image_hashes: ImageRule::Any,
        ..Policy::default()
    }
}

fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[42; 32]).unwrap()
}

fn key_bytes() -> [u8; 32] {
    key().public_key().as_ref().try_into().unwrap()
}

/// A good certificate with simulated evidence, changed and then signed.
fn certificate(alter: impl FnOnce(&mut Draft)) -> Vec<u8> {
    let quote = report_data(&key_bytes());
    let mut draft = Draft::new(&key_bytes(), Some(&quote), [5; 16], NOW - 10..=NOW + 86_400).unwrap();
    alter(&mut draft);
    let signed = draft.to_be_signed().unwrap();
    Draft::finish(&signed, key().sign(&signed).as_ref()).unwrap()
}

fn both_sides(certificate: &[u8], policy: &Policy) -> [Result<Tier, Refusal>; 2] {
    [Side::Dialler, Side::Acceptor]
        .map(|side| appraise_certificate(certificate, side, policy, NOW).map(|peer| peer.tier()))
}

/// Puts this value into the extension with this identifier, which must be there.
fn set(draft: &mut Draft, oid: &[u8], value: Vec<u8>) {
    draft
        .extensions
        .iter_mut()
        .find(|extension| extension.oid == oid)
        .unwrap()
        .value = value;
}

fn remove(draft: &mut Draft, oid: &[u8]) {
    draft.extensions.retain(|extension| extension.oid != oid);
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    der::write(der::SEQUENCE, parts).unwrap()
}

fn dns(name: &str) -> Vec<u8> {
    der::write(0x82, &[name.as_bytes()]).unwrap()
}

fn ip() -> Vec<u8> {
    der::write(0x87, &[&[127, 0, 0, 1]]).unwrap()
}

fn common_name(draft: &mut Draft, name: &str) {
    for attributes in [&mut draft.issuer, &mut draft.subject] {
        attributes.last_mut().unwrap().1 = name.to_owned();
    }
}

fn purpose(oid: &[u8]) -> Vec<u8> {
    sequence(&[&der::write(der::OID, &[oid]).unwrap()])
}

type Alter = fn(&mut Draft);

#[test]
fn the_good_certificate_gives_its_facts() {
    let peer = appraise_certificate(&certificate(|_| {}), Side::Acceptor, &lenient(), NOW).unwrap();
    assert_eq!(peer.key(), &key_bytes());
    assert_eq!(peer.tier(), Tier::Simulated);
    assert_eq!(peer.image_hash(), &Measurements::ZERO.image_hash());
    assert_eq!(peer.expires_at(), NOW + 86_400);
    assert!(format!("{peer:?}").contains("tier: Simulated, image_hash: 5c55c8f4db4010ba…"));
}

#[test]
fn tolerated_at_both_sides() {
    let table: &[(&str, Alter)] = &[
        ("X.509 v1 with extensions", |draft| draft.is_v3 = false),
        ("calls itself an authority", |draft| {
            let is_ca = sequence(&[&[der::BOOLEAN, 1, 0xff]]);
            set(draft, oid::BASIC_CONSTRAINTS, is_ca);
        }),
        ("nothing but quote and name", |draft| {
            draft
                .extensions
                .retain(|extension| matches!(extension.oid, oid::OID_QUOTE | oid::SUBJECT_ALT_NAME));
        }),
        ("unknown extension, not critical", |draft| {
            draft
                .extensions
                .push(Extension::optional(&[0x2a, 0x03], vec![1, 2, 3]));
        }),
        ("claims that do not fit the key are ignored", |draft| {
            set(draft, oid::OID_CLAIMS, vec![0; 32]);
        }),
        ("authority key id that agrees", |draft| {
            let id = draft
                .extensions
                .iter()
                .find(|extension| extension.oid == oid::SUBJECT_KEY_ID)
                .map(|extension| extension.value[2..].to_vec())
                .unwrap();
            let same = sequence(&[&der::write(0x80, &[&id]).unwrap()]);
            draft
                .extensions
                .push(Extension::optional(oid::AUTHORITY_KEY_ID, same));
        }),
        ("more key usages", |draft| {
            set(draft, oid::KEY_USAGE, vec![der::BIT_STRING, 2, 0, 0xff]);
        }),
        ("first second of validity", |draft| draft.not_before = NOW),
        ("last second of validity", |draft| draft.not_after = NOW),
    ];
    for (what, alter) in table {
        let certificate = certificate(alter);
        assert_eq!(
            both_sides(&certificate, &lenient()),
            [Ok(Tier::Simulated); 2],
            "{what}"
        );
    }
}

#[test]
fn refused_at_both_sides() {
    let table: &[(&str, Alter, Refusal)] = &[
        (
            "another issuer",
            |draft| draft.issuer[0].1 = "DE".to_owned(),
            Refusal::NotSelfIssued,
        ),
        (
            "another authority key",
            |draft| {
                let other = sequence(&[&der::write(0x80, &[&[1; 20]]).unwrap()]);
                draft
                    .extensions
                    .push(Extension::optional(oid::AUTHORITY_KEY_ID, other));
            },
            Refusal::NotSelfIssued,
        ),
        (
            "key for agreement only",
            |draft| set(draft, oid::KEY_USAGE, vec![der::BIT_STRING, 2, 3, 0x08]),
            Refusal::KeyUsage,
        ),
        (
            "no key usage at all",
            |draft| set(draft, oid::KEY_USAGE, vec![der::BIT_STRING, 1, 0]),
            Refusal::KeyUsage,
        ),
        (
            "a purpose that has nothing to do with TLS",
            |draft| set(draft, oid::EXTENDED_KEY_USAGE, purpose(&[0x2a, 0x03])),
            Refusal::ExtendedKeyUsage,
        ),
        (
            "no purpose",
            |draft| set(draft, oid::EXTENDED_KEY_USAGE, sequence(&[])),
            Refusal::ExtendedKeyUsage,
        ),
        (
            "not yet valid",
            |draft| draft.not_before = NOW + 1,
            Refusal::NotYetValid { not_before: NOW + 1 },
        ),
        (
            "expired",
            |draft| draft.not_after = NOW - 1,
            Refusal::Expired { not_after: NOW - 1 },
        ),
        (
            "unknown critical extension",
            |draft| {
                draft.extensions.push(Extension::critical(&[0x2a, 0x03], vec![1]));
            },
            Refusal::UnknownCriticalExtension,
        ),
        (
            "quote one byte too long",
            |draft| set(draft, oid::OID_QUOTE, vec![0; MAX_QUOTE_BYTES + 1]),
            Refusal::QuoteTooLong,
        ),
        (
            "quote of the greatest length",
            |draft| set(draft, oid::OID_QUOTE, vec![0; MAX_QUOTE_BYTES]),
            Refusal::HardwareEvidence,
        ),
        (
            "a TDX quote's header",
            |draft| {
                let mut quote = vec![0; 5006];
                quote[..8].copy_from_slice(&[4, 0, 2, 0, 0x81, 0, 0, 0]);
                set(draft, oid::OID_QUOTE, quote);
            },
            Refusal::CollateralMissing,
        ),
        (
            "an empty quote",
            |draft| set(draft, oid::OID_QUOTE, Vec::new()),
            Refusal::HardwareEvidence,
        ),
        (
            "report data and a byte more",
            |draft| {
                let longer = [&report_data(&key_bytes())[..], &[0]].concat();
                set(draft, oid::OID_QUOTE, longer);
            },
            Refusal::HardwareEvidence,
        ),
        (
            "report data of another key",
            |draft| set(draft, oid::OID_QUOTE, report_data(&[1; 32]).to_vec()),
            Refusal::ReportData,
        ),
        (
            "report data with one bit changed",
            |draft| {
                let mut data = report_data(&key_bytes());
                data[63] ^= 1;
                set(draft, oid::OID_QUOTE, data.to_vec());
            },
            Refusal::ReportData,
        ),
        (
            "no evidence",
            |draft| remove(draft, oid::OID_QUOTE),
            Refusal::EvidenceMissing,
        ),
        (
            "key of an algorithm that we do not know",
            |draft| draft.public_key_info[8] ^= 1,
            Refusal::KeyNotEd25519,
        ),
        (
            "signed by another key",
            |draft| draft.public_key_info[43] ^= 1,
            Refusal::SelfSignature,
        ),
        (
            "the same extension twice",
            |draft| {
                let again = draft.extensions[0].clone();
                draft.extensions.push(again);
            },
            Refusal::Malformed("too many extensions, or one of them twice"),
        ),
        (
            "key usage that is no bit string",
            |draft| set(draft, oid::KEY_USAGE, vec![0xff]),
            Refusal::Malformed("key usage"),
        ),
        (
            "purposes that are no sequence",
            |draft| set(draft, oid::EXTENDED_KEY_USAGE, vec![]),
            Refusal::Malformed("extended key usage"),
        ),
    ];
    for (what, alter, refusal) in table {
        let certificate = certificate(alter);
        assert_eq!(both_sides(&certificate, &lenient()), [Err(*refusal); 2], "{what}");
    }
}

#[test]
fn the_purpose_fits_the_peers_side() {
    let dialler = certificate(|draft| set(draft, oid::EXTENDED_KEY_USAGE, purpose(oid::CLIENT_AUTH)));
    let acceptor = certificate(|draft| set(draft, oid::EXTENDED_KEY_USAGE, purpose(oid::SERVER_AUTH)));
    let (good, bad) = (Ok(Tier::Simulated), Err(Refusal::ExtendedKeyUsage));
    assert_eq!(both_sides(&dialler, &lenient()), [good, bad]);
    assert_eq!(both_sides(&acceptor, &lenient()), [bad, good]);
}

#[test]
fn only_the_acceptor_needs_its_name() {
    let name = |value: Vec<u8>| certificate(|draft| set(draft, oid::SUBJECT_ALT_NAME, value));
    let good = Ok(Tier::Simulated);
    for (what, bytes, expected) in [
        ("DNS:127.0.0.1", name(sequence(&[&dns("127.0.0.1")])), good),
        (
            "DNS:127.0.0.1 among others",
            name(sequence(&[&ip(), &dns("foo"), &dns("127.0.0.1")])),
            good,
        ),
        (
            "common name without names",
            certificate(|draft| {
                remove(draft, oid::SUBJECT_ALT_NAME);
                common_name(draft, "127.0.0.1");
            }),
            good,
        ),
        (
            "common name beside an address only",
            certificate(|draft| {
                set(draft, oid::SUBJECT_ALT_NAME, sequence(&[&ip()]));
                common_name(draft, "127.0.0.1");
            }),
            good,
        ),
        ("address only", name(sequence(&[&ip()])), Err(Refusal::Name)),
        ("DNS:foo", name(sequence(&[&dns("foo")])), Err(Refusal::Name)),
        (
            "a pattern",
            name(sequence(&[&dns("*.0.0.1")])),
            Err(Refusal::Name),
        ),
        (
            "common name beside another DNS name",
            certificate(|draft| {
                set(draft, oid::SUBJECT_ALT_NAME, sequence(&[&dns("foo")]));
                common_name(draft, "127.0.0.1");
            }),
            Err(Refusal::Name),
        ),
        (
            "no name and another common name",
            certificate(|draft| remove(draft, oid::SUBJECT_ALT_NAME)),
            Err(Refusal::Name),
        ),
    ] {
        assert_eq!(both_sides(&bytes, &lenient()), [good, expected], "{what}");
    }
}

#[test]
fn certificates_of_openssl_are_accepted() {
    for bytes in [OPENSSL_V1, OPENSSL_V3] {
        assert_eq!(both_sides(bytes, &lenient()), [Ok(Tier::Simulated); 2]);
        assert_eq!(
            appraise_certificate(bytes, Side::Dialler, &lenient(), NOW + 86_400),
            Err(Refusal::Expired {
                not_after: 1_795_356_833 + 86_400
            })
        );
    }
}

#[test]
fn the_greatest_certificate_and_one_byte_more() {
    assert_eq!(
        public_key(&vec![0x30; MAX_CERTIFICATE_BYTES + 1]),
        Err(Refusal::CertificateTooLarge)
    );
    assert_eq!(
        public_key(&vec![0x30; MAX_CERTIFICATE_BYTES]),
        Err(Refusal::Malformed("outer sequence"))
    );
}

/// The self-signature makes every certificate with one byte changed worthless, whatever the byte says.
#[test]
fn every_changed_byte_is_refused() {
    for bytes in [certificate(|_| {}), OPENSSL_V1.to_vec()] {
        for position in 0..bytes.len() {
            for mask in [0x01, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[position] ^= mask;
                for side in [Side::Dialler, Side::Acceptor] {
                    let verdict = appraise_certificate(&changed, side, &lenient(), NOW);
                    assert!(verdict.is_err(), "byte {position} ^ {mask:02x}: {verdict:?}");
                }
                let _ = public_key(&changed);
            }
        }
    }
}

proptest! {
    /// Changes that are signed afterwards reach the parsers behind the signature; none may panic.
    #[test]
    fn signed_nonsense_never_panics(
        which in 0_usize..7,
        value in prop::collection::vec(any::<u8>(), 0..80),
        info in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let plain = certificate(|draft| draft.extensions[which].value.clone_from(&value));
        let odd_key = certificate(|draft| draft.public_key_info.clone_from(&info));
        for bytes in [plain, odd_key] {
            for side in [Side::Dialler, Side::Acceptor] {
                let _ = appraise_certificate(&bytes, side, &lenient(), NOW);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(appraise_certificate(&bytes, Side::Acceptor, &lenient(), NOW).is_err());
    }
}
