//! A certificate with an SEV-SNP report in it: real as far as its report data allows, else made under a made-up root.

use super::*;
use crate::image::SnpImage;
use crate::snp::{SnpChain, SnpRefusal};
use crate::support::snp::{MEASUREMENT, NOW as SNP_NOW, SnpDraft, SnpKeys, SnpMade, offset};

const REAL: &[u8] = include_bytes!("../../../tests/evidence/snp/milan-report.bin");

fn snp_certificate(report: &[u8], compact: Option<Vec<u8>>) -> Vec<u8> {
    let key = Ed25519KeyPair::from_seed_unchecked(&[42; 32]).unwrap();
    let public: [u8; 32] = key.public_key().as_ref().try_into().unwrap();
    let mut draft = Draft::new(&public, Some(report), [5; 16], SNP_NOW - 10..=SNP_NOW + 3600).unwrap();
    if let Some(compact) = compact {
        draft = draft.with_collateral(compact);
    }
    let signed = draft.to_be_signed().unwrap();
    Draft::finish(&signed, key.sign(&signed).as_ref()).unwrap()
}

/// A Genoa machine's report about the key of the certificate.
fn made(keys: &SnpKeys, change: impl FnOnce(&mut SnpDraft)) -> SnpMade {
    let key = Ed25519KeyPair::from_seed_unchecked(&[42; 32]).unwrap();
    let public: [u8; 32] = key.public_key().as_ref().try_into().unwrap();
    let mut draft = SnpDraft::good(keys);
    draft.put(offset::REPORT_DATA, &report_data(&public));
    change(&mut draft);
    draft.make(keys)
}

fn image() -> [u8; 32] {
    let image = SnpImage {
        measurement: MEASUREMENT,
        host_data: [0; 32],
        id_key_digest: [0; 48],
        author_key_digest: [0; 48],
        family_id: [0; 16],
        image_id: [0; 16],
    };
    image.image_hash()
}

fn listed() -> Policy {
    Policy {
        image_hashes: ImageRule::Listed(vec![image()]),
        ..Policy::default()
    }
}

fn judge(
    certificate: &[u8],
    chain: Option<&SnpChain>,
    accelerators: Accelerators,
    policy: &Policy,
    roots: &Roots,
) -> Result<VerifiedPeer, Refusal> {
    let evidence = Evidence {
        certificate,
        side: Side::Dialler,
        accelerators,
    };
    appraise(evidence, chain.map(Endorsements::Snp), policy, roots, SNP_NOW)
}

#[test]
fn a_report_about_the_key_and_a_listed_image_earns_a_tier() {
    let keys = SnpKeys::new();
    let made = made(&keys, |_| {});
    let roots = Roots::of_test_makers(&made.root, &[]);
    let plain = snp_certificate(&made.report, None);
    for (accelerators, tier) in [
        (Accelerators::None, Tier::Confidential),
        (Accelerators::Attested, Tier::Confidential),
        (Accelerators::NotAttested, Tier::Attested),
    ] {
        let peer = judge(&plain, Some(&made.chain), accelerators, &listed(), &roots).unwrap();
        assert_eq!((peer.tier(), peer.image_hash()), (tier, &image()));
        assert_eq!(peer.expires_at(), SNP_NOW + 3600);
        assert!(peer.tdx().is_none() && peer.snp().is_some());
    }
    // The chain travels in the certificate.
    let carrying = snp_certificate(&made.report, Some(made.chain.to_compact().unwrap()));
    let peer = judge(&carrying, None, Accelerators::None, &listed(), &roots).unwrap();
    assert_eq!(peer.tier(), Tier::Confidential);
    // Any image: genuine, and nobody vouches for it.
    let any = Policy {
        image_hashes: ImageRule::Any,
        ..Policy::default()
    };
    let peer = judge(&plain, Some(&made.chain), Accelerators::None, &any, &roots).unwrap();
    assert_eq!(peer.tier(), Tier::Open);
    // Another image, chosen by the host through its data.
    let other = self::made(&keys, |draft| {
        draft.put(offset::HOST_DATA, &[1]);
    });
    let found = judge(
        &snp_certificate(&other.report, None),
        Some(&other.chain),
        Accelerators::None,
        &listed(),
        &roots,
    );
    assert_eq!(found, Err(Refusal::ImageNotListed));
    // Nobody's policy.
    let nobody = judge(
        &plain,
        Some(&made.chain),
        Accelerators::None,
        &Policy::default(),
        &roots,
    );
    assert_eq!(nobody, Err(Refusal::ImageNotListed));
    // The maker's real roots know nothing of this chip.
    let stranger = judge(
        &plain,
        Some(&made.chain),
        Accelerators::None,
        &listed(),
        &Roots::makers(),
    );
    assert_eq!(stranger, Err(Refusal::Snp(SnpRefusal::UnknownRoot)));
}

#[test]
fn real_evidence_about_somebody_else_is_worth_nothing() {
    let chain = SnpChain {
        leaf: include_bytes!("../../../tests/evidence/snp/milan-vcek.der").to_vec(),
        intermediate: include_bytes!("../../../tests/evidence/snp/milan-ask.der").to_vec(),
        revocation_lists: Vec::new(),
    };
    let certificate = snp_certificate(REAL, None);
    let found = judge(
        &certificate,
        Some(&chain),
        Accelerators::None,
        &listed(),
        &Roots::makers(),
    );
    assert_eq!(found, Err(Refusal::ReportData));
    // Carried by the certificate it is as little about this key.
    let carrying = snp_certificate(REAL, Some(chain.to_compact().unwrap()));
    let found = judge(&carrying, None, Accelerators::None, &listed(), &Roots::makers());
    assert_eq!(found, Err(Refusal::ReportData));
}

#[test]
fn what_is_missing_or_of_another_kind_has_its_refusal() {
    let keys = SnpKeys::new();
    let made = made(&keys, |_| {});
    let roots = Roots::of_test_makers(&made.root, &[]);
    let refused = |certificate: &[u8], chain: Option<&SnpChain>| {
        judge(certificate, chain, Accelerators::None, &listed(), &roots).unwrap_err()
    };
    let plain = snp_certificate(&made.report, None);
    assert_eq!(refused(&plain, None), Refusal::CollateralMissing);
    let garbage = snp_certificate(&made.report, Some(vec![2, 0, 0]));
    assert_eq!(refused(&garbage, None), Refusal::CollateralMalformed);
    // Intel's form beside AMD's report.
    let intel =
        crate::tdx::Collateral::from_json(include_bytes!("../../../testdata/tdx/tdx_quote_collateral.json"))
            .unwrap();
    let mixed = snp_certificate(&made.report, Some(intel.to_compact().unwrap()));
    assert_eq!(refused(&mixed, None), Refusal::CollateralMissing);
    let unrevoked = SnpChain {
        revocation_lists: Vec::new(),
        ..made.chain.clone()
    };
    assert_eq!(
        refused(&plain, Some(&unrevoked)),
        Refusal::Snp(SnpRefusal::RevocationListMissing)
    );
    let debug = self::made(&keys, |draft| {
        draft.put(offset::POLICY, &0xb_0133_u64.to_le_bytes());
    });
    let found = refused(&snp_certificate(&debug.report, None), Some(&debug.chain));
    assert!(matches!(found, Refusal::Snp(_)), "{found:?}");
    assert!(found.to_string().contains("debug"), "{found}");
}

#[test]
fn a_development_root_makes_it_simulated_and_nothing_else() {
    const NAME: &str = "ARK DEVELOPMENT ONLY";
    let keys = SnpKeys::new();
    let made = made(&keys, |draft| {
        NAME.clone_into(&mut draft.root.subject);
        NAME.clone_into(&mut draft.root.issuer);
        NAME.clone_into(&mut draft.intermediate.issuer);
        if let Some(list) = &mut draft.list {
            NAME.clone_into(&mut list.issuer);
        }
    });
    let roots = Roots::makers().with_development_amd(&made.root).unwrap();
    let certificate = snp_certificate(&made.report, None);
    let verdict = |policy: &Policy, roots: &Roots| {
        judge(&certificate, Some(&made.chain), Accelerators::None, policy, roots)
    };
    let accepting = Policy {
        evidence: EvidenceRule::Required {
            simulated: Simulated::AcceptOnTestNetwork,
        },
        ..listed()
    };
    assert_eq!(verdict(&accepting, &roots).unwrap().tier(), Tier::Simulated);
    assert_eq!(verdict(&listed(), &roots), Err(Refusal::SimulatedEvidence));
    assert_eq!(
        verdict(&accepting, &Roots::makers()),
        Err(Refusal::Snp(SnpRefusal::UnknownRoot))
    );
    // A maker's own root is none of development.
    for root in Roots::makers().amd() {
        assert!(Roots::makers().with_development_amd(root).is_err());
    }
    let late = SNP_NOW + 200_000_000;
    let evidence = Evidence {
        certificate: &certificate,
        side: Side::Dialler,
        accelerators: Accelerators::None,
    };
    let expired = appraise(
        evidence,
        Some(Endorsements::Snp(&made.chain)),
        &accepting,
        &roots,
        late,
    );
    assert!(matches!(expired, Err(Refusal::Expired { .. })));
}
