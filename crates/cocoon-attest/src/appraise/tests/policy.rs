//! Step 9: what the evidence is worth.

use super::*;

fn optional(simulated: Simulated, image_hashes: ImageRule) -> Policy {
    Policy {
        evidence: EvidenceRule::Optional { simulated },
        image_hashes,
        ..Policy::default()
    }
}

#[test]
fn the_default_policy_refuses_everybody() {
    let with = certificate(|_| {});
    let without = certificate(|draft| remove(draft, oid::OID_QUOTE));
    let refused = Err(Refusal::SimulatedEvidence);
    assert_eq!(both_sides(&with, &Policy::default()), [refused; 2]);
    let refused = Err(Refusal::EvidenceMissing);
    assert_eq!(both_sides(&without, &Policy::default()), [refused; 2]);
}

#[test]
fn what_each_policy_makes_of_evidence() {
    use Simulated::{AcceptOnTestNetwork, Refuse};
    let with = certificate(|_| {});
    let without = certificate(|draft| remove(draft, oid::OID_QUOTE));
    let hardware = certificate(|draft| set(draft, oid::OID_QUOTE, vec![0; 5006]));
    let image = Measurements::ZERO.image_hash();
    let required = |simulated, image_hashes| Policy {
        evidence: EvidenceRule::Required { simulated },
        image_hashes,
        ..Policy::default()
    };
    let listed = |hashes: &[[u8; 32]]| ImageRule::Listed(hashes.to_vec());
    let (simulated, open) = (Ok(Tier::Simulated), Ok(Tier::Open));
    let not_listed = Err(Refusal::ImageNotListed);
    let no_simulated = Err(Refusal::SimulatedEvidence);
    let no_hardware = Err(Refusal::HardwareEvidence);
    let missing = Err(Refusal::EvidenceMissing);
    // Policy; then what becomes of simulated evidence, of none, of a hardware quote.
    for (policy, expected) in [
        (
            required(AcceptOnTestNetwork, ImageRule::Any),
            [simulated, missing, no_hardware],
        ),
        (
            required(AcceptOnTestNetwork, listed(&[[9; 32], image])),
            [simulated, missing, no_hardware],
        ),
        (
            required(AcceptOnTestNetwork, listed(&[[9; 32]])),
            [not_listed, missing, no_hardware],
        ),
        (
            required(AcceptOnTestNetwork, listed(&[])),
            [not_listed, missing, no_hardware],
        ),
        (
            required(Refuse, ImageRule::Any),
            [no_simulated, missing, no_hardware],
        ),
        (
            required(Refuse, listed(&[image])),
            [no_simulated, missing, no_hardware],
        ),
        (
            optional(AcceptOnTestNetwork, ImageRule::Any),
            [simulated, open, no_hardware],
        ),
        (
            optional(Refuse, ImageRule::Any),
            [no_simulated, open, no_hardware],
        ),
        (
            optional(AcceptOnTestNetwork, listed(&[image])),
            [simulated, not_listed, no_hardware],
        ),
        // The zero hash of "no evidence" is on no list, even if somebody wrote it there.
        (
            optional(Refuse, listed(&[[0; 32]])),
            [no_simulated, not_listed, no_hardware],
        ),
    ] {
        for (evidence, expected) in [&with, &without, &hardware].into_iter().zip(expected) {
            assert_eq!(both_sides(evidence, &policy), [expected; 2], "{policy:?}");
        }
    }
}

#[test]
fn without_evidence_there_is_no_image() {
    let certificate = certificate(|draft| remove(draft, oid::OID_QUOTE));
    let policy = optional(Simulated::Refuse, ImageRule::Any);
    let peer = appraise_certificate(&certificate, Side::Dialler, &policy, NOW).unwrap();
    assert_eq!((peer.tier(), peer.image_hash()), (Tier::Open, &[0; 32]));
}
