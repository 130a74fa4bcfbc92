//! From a certificate with a development quote in it to a tier.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use cocoon_attest::{
    Accelerators, Draft, Endorsements, Evidence, EvidenceRule, ImageRule, Policy, Refusal, Side, Simulated,
    VerifiedPeer, appraise, appraise_certificate, report_data,
};
use cocoon_types::Tier;

use super::*;

fn certificate(tee: &DevelopmentTee, format: QuoteFormat) -> Vec<u8> {
    certificate_with(tee, format, None)
}

fn certificate_with(tee: &DevelopmentTee, format: QuoteFormat, carried: Option<Vec<u8>>) -> Vec<u8> {
    let key = Ed25519KeyPair::from_seed_unchecked(&[42; 32]).unwrap();
    let public: [u8; 32] = key.public_key().as_ref().try_into().unwrap();
    let quote = tee.quote(format, &report_data(&public), &image()).unwrap();
    let mut draft = Draft::new(&public, Some(&quote), [5; 16], NOW - 10..=NOW + 86_400).unwrap();
    if let Some(compact) = carried {
        draft = draft.with_collateral(compact);
    }
    let signed = draft.to_be_signed().unwrap();
    Draft::finish(&signed, key.sign(&signed).as_ref()).unwrap()
}

fn evidence(certificate: &[u8], accelerators: Accelerators) -> Evidence<'_> {
    Evidence {
        certificate,
        side: Side::Dialler,
        accelerators,
    }
}

fn policy(simulated: Simulated, image_hashes: ImageRule) -> Policy {
    Policy {
        evidence: EvidenceRule::Required { simulated },
        image_hashes,
        ..Policy::default()
    }
}

fn listed() -> ImageRule {
    ImageRule::Listed(vec![[9; 32], image().image_hash()])
}

fn appraise_with(tee: &DevelopmentTee, policy: &Policy, roots: &Roots) -> Result<VerifiedPeer, Refusal> {
    let certificate = certificate(tee, QuoteFormat::V5);
    let collateral = tee.collateral(NOW).unwrap();
    appraise(
        evidence(&certificate, Accelerators::None),
        Some(Endorsements::Tdx(&collateral)),
        policy,
        roots,
        NOW,
    )
}

#[test]
fn development_evidence_is_simulated_whatever_else_holds() {
    let tee = DevelopmentTee::new(NOW).unwrap();
    let collateral = tee.collateral(NOW).unwrap();
    let policy = policy(Simulated::AcceptOnTestNetwork, listed());
    for format in FORMATS {
        for accelerators in [
            Accelerators::None,
            Accelerators::Attested,
            Accelerators::NotAttested,
        ] {
            let certificate = certificate(&tee, format);
            let peer = appraise(
                evidence(&certificate, accelerators),
                Some(Endorsements::Tdx(&collateral)),
                &policy,
                &tee.roots().unwrap(),
                NOW,
            )
            .unwrap();
            assert_eq!(peer.tier(), Tier::Simulated);
            assert_eq!(peer.image_hash(), &image().image_hash());
            // The certificate is first to end.
            assert_eq!(peer.expires_at(), NOW + 86_400);
            assert_eq!(peer.tdx().unwrap().measurements, image());
        }
    }
}

#[test]
fn it_is_refused_where_it_is_not_accepted_by_name() {
    let tee = DevelopmentTee::new(NOW).unwrap();
    let roots = tee.roots().unwrap();
    let refusal = |policy: &Policy, roots: &Roots| appraise_with(&tee, policy, roots).unwrap_err();
    // The root is there, the network is none for tests.
    let production = policy(Simulated::Refuse, listed());
    assert_eq!(refusal(&production, &roots), Refusal::SimulatedEvidence);
    assert_eq!(refusal(&Policy::default(), &roots), Refusal::SimulatedEvidence);
    // The network is for tests, the root is not there: then it is Intel's evidence, and bad.
    let test = policy(Simulated::AcceptOnTestNetwork, listed());
    assert_eq!(
        refusal(&test, &Roots::makers()),
        Refusal::Tdx(TdxRefusal::Issuer(Item::RootCrl))
    );
    // Somebody else's development root has the same name and another key.
    let other = DevelopmentTee::new(NOW).unwrap().roots().unwrap();
    assert_eq!(
        refusal(&test, &other),
        Refusal::Tdx(TdxRefusal::Signature(Item::RootCrl))
    );
    // Another image.
    let strangers = policy(Simulated::AcceptOnTestNetwork, ImageRule::Listed(vec![[9; 32]]));
    assert_eq!(refusal(&strangers, &roots), Refusal::ImageNotListed);
    let nobody = policy(Simulated::AcceptOnTestNetwork, ImageRule::default());
    assert_eq!(refusal(&nobody, &roots), Refusal::ImageNotListed);
}

#[test]
fn without_collateral_a_quote_is_refused() {
    let tee = DevelopmentTee::new(NOW).unwrap();
    let certificate = certificate(&tee, QuoteFormat::V4);
    let policy = policy(Simulated::AcceptOnTestNetwork, listed());
    assert_eq!(
        appraise_certificate(&certificate, Side::Dialler, &policy, NOW),
        Err(Refusal::CollateralMissing)
    );
}

#[test]
fn a_quote_about_somebody_else_is_refused() {
    let tee = DevelopmentTee::with_fault(NOW, Fault::Domain(DomainFault::ReportData)).unwrap();
    let policy = policy(Simulated::AcceptOnTestNetwork, listed());
    let found = appraise_with(&tee, &policy, &tee.roots().unwrap());
    assert_eq!(found, Err(Refusal::ReportData));
}

#[test]
fn a_refused_quote_keeps_its_reason() {
    let tee = DevelopmentTee::with_fault(NOW, Fault::Domain(DomainFault::Debug)).unwrap();
    let policy = policy(Simulated::AcceptOnTestNetwork, listed());
    let refusal = appraise_with(&tee, &policy, &tee.roots().unwrap()).unwrap_err();
    assert_eq!(refusal, Refusal::Tdx(TdxRefusal::Debug));
    assert_eq!(refusal.to_string(), "the trust domain is in debug mode");
}

#[test]
fn evidence_that_ends_before_the_certificate_ends_the_peer() {
    let tee = DevelopmentTee::new(NOW).unwrap();
    let certificate = certificate(&tee, QuoteFormat::V4);
    // Collateral that was made long ago ends in an hour.
    let old = tee.collateral(NOW - 30 * 86_400 + 3600);
    let peer = appraise(
        evidence(&certificate, Accelerators::None),
        Some(Endorsements::Tdx(&old.unwrap())),
        &policy(Simulated::AcceptOnTestNetwork, listed()),
        &tee.roots().unwrap(),
        NOW,
    );
    assert_eq!(peer.unwrap().expires_at(), NOW + 3599);
}

#[test]
fn collateral_in_the_certificate_serves_who_has_none() {
    let tee = DevelopmentTee::new(NOW).unwrap();
    let roots = tee.roots().unwrap();
    let policy = policy(Simulated::AcceptOnTestNetwork, listed());
    let compact = tee.collateral(NOW).unwrap().to_compact().unwrap();
    assert!(compact.len() < 8192, "{}", compact.len());
    let judge = |carried: Vec<u8>, own: Option<&Collateral>, now| {
        let certificate = certificate_with(&tee, QuoteFormat::V4, Some(carried));
        let endorsements = own.map(Endorsements::Tdx);
        appraise(
            evidence(&certificate, Accelerators::None),
            endorsements,
            &policy,
            &roots,
            now,
        )
    };
    let peer = judge(compact.clone(), None, NOW).unwrap();
    assert_eq!(peer.tier(), Tier::Simulated);
    // Somebody else's, an altered one, no one at all, one that is too long.
    let foreign = DevelopmentTee::new(NOW)
        .unwrap()
        .collateral(NOW)
        .unwrap()
        .to_compact()
        .unwrap();
    assert_eq!(
        judge(foreign.clone(), None, NOW),
        Err(Refusal::Tdx(TdxRefusal::Signature(Item::RootCrl)))
    );
    assert_eq!(
        judge(compact[..compact.len() - 1].to_vec(), None, NOW),
        Err(Refusal::CollateralMalformed)
    );
    assert_eq!(judge(Vec::new(), None, NOW), Err(Refusal::CollateralMalformed));
    assert_eq!(
        judge(vec![1; 24 * 1024 + 1], None, NOW),
        Err(Refusal::CollateralTooLong)
    );
    // The verifier's own counts where it has some, whatever the peer brings.
    let own = tee.collateral(NOW).unwrap();
    assert!(judge(foreign.clone(), Some(&own), NOW).is_ok());
    let foreign = Collateral::from_compact(&foreign).unwrap();
    assert!(judge(compact.clone(), Some(&foreign), NOW).is_err());
    // It ends with the evidence.
    assert!(matches!(
        judge(compact, None, NOW + 31 * 86_400),
        Err(Refusal::Expired { .. })
    ));
}
