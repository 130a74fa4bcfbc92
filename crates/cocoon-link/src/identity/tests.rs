use cocoon_attest::{EvidenceRule, ImageRule, Policy, Refusal, Side, Simulated, appraise_certificate};
use cocoon_types::Tier;

use super::*;

const NOW: u64 = 1_790_000_000;

fn verdict(identity: &Identity, now: u64) -> Result<Tier, Refusal> {
    let policy = Policy {
        evidence: EvidenceRule::Optional {
            simulated: Simulated::AcceptOnTestNetwork,
        },
        image_hashes: ImageRule::Any,
        ..Policy::default()
    };
    let [dialler, acceptor] = [Side::Dialler, Side::Acceptor].map(|side| {
        let peer = appraise_certificate(identity.certificate_der(), side, &policy, now)?;
        assert_eq!(peer.key(), identity.public_key());
        Ok(peer.tier())
    });
    assert_eq!(dialler, acceptor);
    dialler
}

#[test]
fn what_is_made_is_accepted_for_a_day() {
    for (identity, tier) in [
        (Identity::simulated(NOW).unwrap(), Tier::Simulated),
        (Identity::without_evidence(NOW).unwrap(), Tier::Open),
    ] {
        assert_eq!(verdict(&identity, NOW), Ok(tier));
        // A peer whose clock is a minute slow.
        assert_eq!(verdict(&identity, NOW - 60), Ok(tier));
        assert_eq!(
            verdict(&identity, NOW - 61),
            Err(Refusal::NotYetValid { not_before: NOW - 60 })
        );
        assert_eq!(verdict(&identity, NOW + 86_400), Ok(tier));
        assert_eq!(
            verdict(&identity, NOW + 86_401),
            Err(Refusal::Expired {
                not_after: NOW + 86_400
            })
        );
        assert_eq!(identity.expires_at(), NOW + 86_400);
    }
}

#[test]
fn every_identity_has_its_own_key() {
    let one = Identity::simulated(NOW).unwrap();
    let two = one.renewed(NOW).unwrap();
    assert_ne!(one.public_key(), two.public_key());
    assert_ne!(one.certificate_der(), two.certificate_der());
}

#[tokio::test]
async fn renewed_in_time_and_of_the_same_kind() {
    for (identity, tier) in [
        (Identity::simulated(NOW).unwrap(), Tier::Simulated),
        (Identity::without_evidence(NOW).unwrap(), Tier::Open),
    ] {
        let due = identity.renew_at();
        assert_eq!(due, NOW + 57_600);
        let current = CurrentIdentity::new(identity);
        let shared = current.clone();
        let first = *current.get().public_key();
        assert!(!current.renew_if_due(due - 1).await.unwrap());
        assert_eq!(*shared.get().public_key(), first);
        assert!(current.renew_if_due(due).await.unwrap());
        assert_ne!(*shared.get().public_key(), first);
        assert_eq!(verdict(&shared.get(), due + 86_400), Ok(tier));
        assert!(!current.renew_if_due(due).await.unwrap());
    }
}

#[tokio::test]
async fn what_is_altered_is_signed() {
    let v1 = Identity::altered(NOW, |draft| draft.is_v3 = false).unwrap();
    assert_eq!(verdict(&v1, NOW), Ok(Tier::Simulated));
    let late = Identity::altered(NOW, |draft| draft.not_after = NOW + 5).unwrap();
    assert_eq!(late.expires_at(), NOW + 5);
    assert_eq!(verdict(&late, NOW + 5), Ok(Tier::Simulated));
    let current = CurrentIdentity::new(late);
    assert!(!current.renew_if_due(NOW + 100_000).await.unwrap());
}

#[test]
fn debug_shows_no_key() {
    let identity = Identity::simulated(NOW).unwrap();
    let shown = format!(
        "{:?} {:?}",
        identity,
        CurrentIdentity::new(identity.renewed(NOW).unwrap())
    );
    assert!(!shown.contains("certified") && shown.len() < 300, "{shown}");
}

#[tokio::test]
async fn what_has_changed_beside_the_key_makes_a_new_identity_though_none_is_due() {
    let current = CurrentIdentity::new(Identity::simulated(NOW).unwrap());
    let mut changes = current.subscribe();
    let before = *current.get().public_key();
    current.renew(NOW + 1).await.unwrap();
    assert!(changes.has_changed().unwrap());
    let after = changes.borrow_and_update().clone();
    assert_ne!(*after.public_key(), before);
    assert_eq!(verdict(&after, NOW + 1), Ok(Tier::Simulated));
}

#[test]
fn evidence_is_had_over_other_bytes_too() {
    let simulated = Identity::simulated(NOW).unwrap();
    let presented = simulated.evidence(&[7; 64], NOW).unwrap().unwrap();
    assert_eq!(presented.quote, [7; 64]);
    assert!(simulated.has_evidence());
    let bare = Identity::without_evidence(NOW).unwrap();
    assert!(!bare.has_evidence() && bare.evidence(&[7; 64], NOW).unwrap().is_none());
}
