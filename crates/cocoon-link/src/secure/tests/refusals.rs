//! Who is refused, who learns it, and how it is named.

use cocoon_attest::Refusal;

use super::*;

fn a_day_later() -> u64 {
    NOW + 86_401
}

fn altered(alter: impl FnOnce(&mut cocoon_attest::Draft)) -> Identity {
    Identity::altered(NOW, alter).unwrap()
}

/// The acceptor refuses; the dialler learns it, with the reason, in the place of a greeting.
async fn acceptor_refuses(dialler: &LinkOptions, acceptor: &LinkOptions) -> Refusal {
    let (listener, addr) = listener().await;
    let load = PowLoad::new(acceptor.handshakes);
    let addr = addr.to_string();
    let (dialled, accepted) = tokio::join!(crate::dial(&addr, dialler), async {
        let (tcp, _) = listener.accept().await.unwrap();
        accept(tcp, acceptor, &load).await
    });
    let refusal = match accepted.unwrap_err() {
        AcceptError::Stream(StreamError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    };
    match dialled.unwrap_err() {
        DialError::Stream(StreamError::RefusedBecause(reason)) => assert_eq!(reason, refusal.to_string()),
        other => panic!("{other:?}"),
    }
    refusal
}

/// The dialler refuses; the acceptor learns it during the handshake.
async fn dialler_refuses(dialler: &LinkOptions, acceptor: &LinkOptions) -> Refusal {
    let (dialled, accepted) = meet(dialler, acceptor).await;
    let learnt = accepted.unwrap_err();
    assert!(
        matches!(learnt, AcceptError::Stream(StreamError::RefusedByPeer(_))),
        "{learnt:?}"
    );
    match dialled.unwrap_err() {
        DialError::Stream(StreamError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn by_policy() {
    let open = || options(Identity::without_evidence(NOW).unwrap(), simulated());
    assert_eq!(acceptor_refuses(&open(), &good()).await, Refusal::EvidenceMissing);
    assert_eq!(dialler_refuses(&good(), &open()).await, Refusal::EvidenceMissing);

    let strict = || options(Identity::simulated(NOW).unwrap(), Policy::default());
    assert_eq!(
        acceptor_refuses(&good(), &strict()).await,
        Refusal::SimulatedEvidence
    );
    assert_eq!(
        dialler_refuses(&strict(), &good()).await,
        Refusal::SimulatedEvidence
    );
}

#[tokio::test]
async fn by_the_clock() {
    let late = || {
        let lasting = altered(|draft| draft.not_after += 86_400);
        LinkOptions::new(lasting, simulated(), a_day_later).with_pow(PowOptions::NONE)
    };
    let expired = Refusal::Expired {
        not_after: NOW + 86_400,
    };
    assert_eq!(acceptor_refuses(&good(), &late()).await, expired);
    assert_eq!(dialler_refuses(&late(), &good()).await, expired);
}

#[tokio::test]
async fn by_the_name_and_only_at_the_dialler() {
    let nameless = || {
        let identity = altered(|draft| {
            draft.extensions.pop();
        });
        options(identity, simulated())
    };
    assert_eq!(dialler_refuses(&good(), &nameless()).await, Refusal::Name);
    let (dialled, accepted) = meet(&nameless(), &good()).await;
    assert!(dialled.is_ok() && accepted.is_ok());
}

#[tokio::test]
async fn nobody_is_refused_for_a_certificate_like_the_originals() {
    let old = || options(altered(|draft| draft.is_v3 = false), simulated());
    let (dialled, accepted) = meet(&old(), &good()).await;
    assert!(dialled.is_ok() && accepted.is_ok());
    let (dialled, accepted) = meet(&good(), &old()).await;
    assert!(dialled.is_ok() && accepted.is_ok());
}

#[tokio::test]
async fn without_evidence_where_the_policy_allows_it() {
    let optional = Policy {
        evidence: EvidenceRule::Optional {
            simulated: Simulated::Refuse,
        },
        image_hashes: ImageRule::Any,
        ..Policy::default()
    };
    let acceptor = options(Identity::simulated(NOW).unwrap(), optional);
    let dialler = options(Identity::without_evidence(NOW).unwrap(), simulated());
    let (dialled, accepted) = meet(&dialler, &acceptor).await;
    assert_eq!(dialled.unwrap().1.peer.tier(), Tier::Simulated);
    assert_eq!(accepted.unwrap().1.peer.tier(), Tier::Open);
}

#[tokio::test]
async fn a_stolen_certificate_is_worth_nothing() {
    let victim = Identity::simulated(NOW).unwrap();
    let thief = || {
        let own = Identity::simulated(NOW).unwrap();
        options(own.under_stolen_certificate(&victim), simulated())
    };
    // The certificate itself is good: it is CertificateVerify that fails.
    let (dialled, accepted) = meet(&thief(), &good()).await;
    let refused = accepted.unwrap_err();
    assert!(
        matches!(refused, AcceptError::Stream(StreamError::Tls(_))),
        "{refused:?}"
    );
    let learnt = after_handshake(dialled.unwrap().0).await;
    assert!(matches!(learnt, StreamError::RefusedByPeer(_)), "{learnt:?}");

    let (dialled, accepted) = meet(&good(), &thief()).await;
    let refused = dialled.unwrap_err();
    assert!(
        matches!(refused, DialError::Stream(StreamError::Tls(_))),
        "{refused:?}"
    );
    assert!(accepted.is_err());
}

#[tokio::test]
async fn a_replaced_identity_is_presented_to_new_connections() {
    let current = CurrentIdentity::new(Identity::simulated(NOW).unwrap());
    let acceptor = options(current.clone(), simulated());
    let dialler = good();
    let (dialled, accepted) = meet(&dialler, &acceptor).await;
    let (mut near, first) = dialled.unwrap();
    let (mut far, _) = accepted.unwrap();

    current.replace(Identity::simulated(NOW).unwrap());
    let (dialled, _accepted) = meet(&dialler, &acceptor).await;
    let (_, second) = dialled.unwrap();
    assert_ne!(first.peer.key(), second.peer.key());
    assert_eq!(second.peer.key(), current.get().public_key());

    // The connection under the old identity goes on.
    far.write_u8(7).await.unwrap();
    assert_eq!(near.read_u8().await.unwrap(), 7);
}
