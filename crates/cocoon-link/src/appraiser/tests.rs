use cocoon_attest::{EvidenceRule, ImageRule, Measurements, Simulated};
use cocoon_tee::Tee;
use cocoon_tee::development::DevelopmentTee;
use cocoon_types::Tier;

use super::*;
use crate::Identity;

const NOW: u64 = 1_795_400_000;

fn policy(images: ImageRule) -> Policy {
    Policy {
        evidence: EvidenceRule::Required {
            simulated: Simulated::AcceptOnTestNetwork,
        },
        image_hashes: images,
        ..Policy::default()
    }
}

/// Of a development TEE, and a certificate with its quote.
fn made() -> (Appraiser, Vec<u8>) {
    let tee = Arc::new(DevelopmentTee::new(NOW).unwrap());
    let appraiser = Appraiser::new(policy(ImageRule::Any), tee.roots().unwrap());
    let tee = Tee::Development(tee, Box::new(Measurements::ZERO));
    let identity = Identity::attested(Arc::new(tee), NOW).unwrap();
    (appraiser, identity.certificate_der().to_vec())
}

fn remembered(appraiser: &Appraiser) -> usize {
    appraiser.cache().len()
}

#[test]
fn a_success_is_remembered_for_its_side_until_its_end() {
    let (appraiser, certificate) = made();
    let peer = appraiser.appraise(&certificate, Side::Dialler, NOW).unwrap();
    assert_eq!(peer.tier(), Tier::Simulated);
    assert_eq!(remembered(&appraiser), 1);
    assert_eq!(
        appraiser.appraise(&certificate, Side::Dialler, NOW + 5),
        Ok(peer.clone())
    );
    assert_eq!(remembered(&appraiser), 1);
    assert!(appraiser.appraise(&certificate, Side::Acceptor, NOW).is_ok());
    assert_eq!(remembered(&appraiser), 2);
    // Its last second, and the next.
    let last = peer.expires_at();
    assert!(appraiser.appraise(&certificate, Side::Dialler, last).is_ok());
    assert_eq!(
        appraiser.appraise(&certificate, Side::Dialler, last + 1),
        Err(Refusal::Expired { not_after: last })
    );
    assert_eq!(remembered(&appraiser), 1);
    // A clock that was turned back gets no answer out of the future.
    assert!(matches!(
        appraiser.appraise(&certificate, Side::Acceptor, NOW - 100),
        Err(Refusal::NotYetValid { .. })
    ));
}

#[test]
fn refusals_and_cheap_peers_are_not_remembered() {
    let (appraiser, certificate) = made();
    let mut altered = certificate.clone();
    let last = altered.len() - 1;
    altered[last] ^= 1;
    assert_eq!(
        appraiser.appraise(&altered, Side::Dialler, NOW),
        Err(Refusal::SelfSignature)
    );
    let simulated = Identity::simulated(NOW).unwrap();
    assert!(
        appraiser
            .appraise(simulated.certificate_der(), Side::Dialler, NOW)
            .is_ok()
    );
    assert_eq!(remembered(&appraiser), 0);
}

#[test]
fn a_change_forgets_everything_and_counts_at_once() {
    let (appraiser, certificate) = made();
    assert!(appraiser.appraise(&certificate, Side::Dialler, NOW).is_ok());
    assert!(
        !appraiser.replace_policy(policy(ImageRule::Any)),
        "it is the same"
    );
    assert_eq!((appraiser.generation(), remembered(&appraiser)), (0, 1));
    assert!(appraiser.replace_policy(policy(ImageRule::Listed(vec![[1; 32]]))));
    assert_eq!((appraiser.generation(), remembered(&appraiser)), (1, 0));
    assert_eq!(
        appraiser.appraise(&certificate, Side::Dialler, NOW),
        Err(Refusal::ImageNotListed)
    );
    assert!(appraiser.replace_policy(policy(ImageRule::Any)));
    assert!(appraiser.appraise(&certificate, Side::Dialler, NOW).is_ok());
    assert!(appraiser.replace_roots(Roots::makers()));
    assert!(appraiser.appraise(&certificate, Side::Dialler, NOW).is_err());
    appraiser.forget();
    assert_eq!(appraiser.generation(), 4);
}

#[test]
fn what_was_judged_by_old_rules_is_not_kept_under_new_ones() {
    let (appraiser, certificate) = made();
    let old = appraiser.rules();
    appraiser.replace_policy(policy(ImageRule::Listed(Vec::new())));
    // An appraisal that began before the change ends after it.
    assert!(appraiser.judge(&old, &certificate, Side::Dialler, NOW).is_ok());
    assert_eq!(remembered(&appraiser), 0);
    assert_eq!(
        appraiser.appraise(&certificate, Side::Dialler, NOW),
        Err(Refusal::ImageNotListed)
    );
}

#[test]
fn a_full_memory_forgets_what_nobody_asks_for() {
    let (appraiser, certificate) = made();
    let peer = appraiser.appraise(&certificate, Side::Dialler, NOW).unwrap();
    let mut cache = Cache::with_room_for(8);
    let digest = |number: u8| Digest::of(&[number], Side::Dialler);
    for number in 0..8 {
        cache.keep(digest(number), 0, NOW, &peer);
    }
    assert!(cache.find(&digest(0), 0, NOW).is_some());
    for number in 8..200 {
        cache.keep(digest(number), 0, NOW, &peer);
        assert!(cache.len() <= 8);
        assert!(cache.find(&digest(0), 0, NOW).is_some(), "it is asked for");
    }
    assert!(cache.find(&digest(1), 0, NOW).is_none());
    // All have ended by then.
    cache.keep(digest(201), 0, peer.expires_at() + 1, &peer);
    assert!(cache.find(&digest(201), 1, NOW).is_none(), "other rules");
}
