//! What a proxy or client can do to a worker with sealed requests, and what becomes of keys.

use cocoon_seal::{Candidate, RequestSpec, SealedRequest, SealingPublic, seal_request};
use cocoon_trust::{StatedEngine, Statement};
use cocoon_types::{Coefficient, Endpoint, ModelName, Tier, TierPolicy};

use super::*;

const NOW: u64 = 1_000_000;
const CERTIFICATE: &[u8] = b"certificate";

fn evidence(key: &[u8], model: u8) -> StatedEvidence {
    let statement = Statement {
        key: [1; 32],
        block: cocoon_trust::Block {
            seqno: 7,
            id: [7; 32],
            time: NOW,
        },
        accelerators: 0,
        gpu_evidence: None,
        engine: StatedEngine::OfImage,
        model: Some([model; 32]),
        engine_digest: None,
        valid_from: NOW,
        valid_until: NOW + 3600,
        sealing_key: key.to_vec(),
    };
    StatedEvidence {
        statement: statement.encode().unwrap().into(),
        quote: Bytes::from_static(b"quote"),
        endorsements: Bytes::new(),
        gpu_evidence: Bytes::new(),
    }
}

/// A worker that has stated its first key.
fn worker() -> (Sealing, SealingPublic) {
    let sealing = Sealing::new().unwrap();
    let key = next_key(&sealing, NOW, 1);
    (sealing, key)
}

fn next_key(sealing: &Sealing, now: u64, model: u8) -> SealingPublic {
    let (made, _) = sealing.advance(now);
    let bytes = made.expect("a key is due");
    assert!(
        sealing
            .stated(&evidence(&bytes, model), CERTIFICATE, now)
            .is_none()
    );
    SealingPublic::decode(bytes).unwrap()
}

fn request(keys: &[&SealingPublic], now: u64) -> SealedRequest {
    let spec = RequestSpec {
        endpoint: Endpoint::ChatCompletions,
        model: ModelName::new("model").unwrap(),
        max_tokens: 5,
        tier: TierPolicy::at_least(Tier::Open),
        padded: false,
        max_coefficient: Coefficient::ONE,
        deadline: now + 60,
        offer: Digest([9; 32]),
        remember: true,
    };
    let candidates: Vec<_> = keys.iter().map(|key| Candidate { key, session: None }).collect();
    seal_request(&spec, &candidates, Bytes::from_static(b"{}"), now, &mut random).unwrap()
}

fn open(sealing: &Sealing, request: &SealedRequest, key: &SealingPublic, now: u64) -> Result<Named, Reason> {
    let head = request.head.bytes();
    sealing
        .open(head, key.id(), &request.wraps[0], now)
        .map(|(_, named)| named)
}

#[test]
fn a_request_is_opened_once() {
    let (sealing, key) = worker();
    let asked = request(&[&key], NOW);
    assert_eq!(open(&sealing, &asked, &key, NOW).unwrap().key_id, key.id());
    assert_eq!(open(&sealing, &asked, &key, NOW), Err(Reason::Replayed));
}

#[test]
fn a_client_that_wraps_to_a_worker_that_did_not_offer_itself_is_refused() {
    let (sealing, _) = worker();
    let (_, other) = worker();
    let asked = request(&[&other], NOW);
    assert_eq!(open(&sealing, &asked, &other, NOW), Err(Reason::UnknownKey));
}

#[test]
fn a_proxy_that_swaps_candidates_or_clear_fields_is_refused() {
    let (sealing, key) = worker();
    let (_, other) = worker();
    // Another candidate's wrap.
    let both = request(&[&other, &key], NOW);
    assert_eq!(open(&sealing, &both, &key, NOW), Err(Reason::Unreadable));
    // A head that does not name this worker.
    let head = request(&[&other], NOW);
    let wrap = request(&[&key], NOW).wraps.remove(0);
    let refused = sealing.open(head.head.bytes(), key.id(), &wrap, NOW);
    assert_eq!(refused.unwrap_err(), Reason::NotACandidate);
    // More tokens than were asked for.
    let asked = request(&[&key], NOW);
    let mut head = asked.head.head().clone();
    head.max_tokens += 1;
    let changed = head.encode().unwrap();
    let refused = sealing.open(changed.bytes(), key.id(), &asked.wraps[0], NOW);
    assert_eq!(refused.unwrap_err(), Reason::Unreadable);
    assert!(
        open(&sealing, &asked, &key, NOW).is_ok(),
        "none of that used its id up"
    );
}

#[test]
fn pieces_of_another_request_do_not_open() {
    let (sealing, key) = worker();
    let asked = request(&[&key], NOW);
    let mut other = request(&[&key], NOW);
    let (mut opened, _) = sealing
        .open(asked.head.bytes(), key.id(), &asked.wraps[0], NOW)
        .unwrap();
    let piece = other.body.next_piece().unwrap().unwrap();
    assert_eq!(opened.piece(&mut piece.to_vec()), Err(Reason::Unreadable));
}

#[test]
fn keys_are_gone_after_their_life() {
    let (sealing, first) = worker();
    let asked = request(&[&first], NOW);
    let second = next_key(&sealing, NOW + SealingKeys::NEXT_AFTER, 1);
    let late = request(&[&first], NOW + 599);
    assert!(open(&sealing, &late, &first, NOW + 599).is_ok(), "they overlap");
    sealing.advance(NOW + 600);
    assert_eq!(open(&sealing, &asked, &first, NOW + 600), Err(Reason::UnknownKey));
    {
        let inner = sealing.lock();
        assert!(inner.keys.living().all(|key| key.id() != first.id()), "erased");
        assert!(inner.named.iter().all(|named| named.key_id != first.id()));
    }
    let asked = request(&[&second], NOW + 600);
    assert!(open(&sealing, &asked, &second, NOW + 600).is_ok());
}

#[test]
fn a_key_without_a_statement_serves_nobody() {
    let sealing = Sealing::new().unwrap();
    let (made, _) = sealing.advance(NOW);
    let key = SealingPublic::decode(made.unwrap()).unwrap();
    let asked = request(&[&key], NOW);
    assert_eq!(open(&sealing, &asked, &key, NOW), Err(Reason::UnknownKey));
}

#[test]
fn what_is_no_longer_stated_takes_its_keys_along() {
    let (sealing, first) = worker();
    // The same key in another statement: a receipt could mean either.
    let changed = sealing.stated(&evidence(first.bytes(), 2), CERTIFICATE, NOW + 1);
    let second = SealingPublic::decode(changed.expect("another key")).unwrap();
    let asked = request(&[&first], NOW + 1);
    assert_eq!(open(&sealing, &asked, &first, NOW + 1), Err(Reason::UnknownKey));
    assert!(
        sealing
            .stated(&evidence(second.bytes(), 2), CERTIFICATE, NOW + 2)
            .is_none()
    );
    let asked = request(&[&second], NOW + 2);
    assert!(open(&sealing, &asked, &second, NOW + 2).is_ok());
    // The very same statement again is no other.
    assert!(
        sealing
            .stated(&evidence(second.bytes(), 2), CERTIFICATE, NOW + 3)
            .is_none()
    );
    // Another certificate is other evidence.
    assert!(
        sealing
            .stated(&evidence(second.bytes(), 2), b"other", NOW + 4)
            .is_some()
    );
}

#[test]
fn a_renewed_certificate_has_a_key_of_its_own_and_those_before_serve_on() {
    let (sealing, first) = worker();
    let second = SealingPublic::decode(sealing.renew(NOW + 10).unwrap()).unwrap();
    let before = request(&[&second], NOW + 10);
    assert_eq!(
        open(&sealing, &before, &second, NOW + 10),
        Err(Reason::UnknownKey)
    );
    let stated = sealing.stated(&evidence(second.bytes(), 1), b"renewed", NOW + 11);
    assert!(stated.is_none(), "nothing that was said has changed");
    for key in [&first, &second] {
        let asked = request(&[key], NOW + 12);
        assert_eq!(open(&sealing, &asked, key, NOW + 12).unwrap().key_id, key.id());
    }
    // However often it is renewed, few keys live.
    for at in 13..30 {
        sealing.renew(NOW + at);
    }
    assert_eq!(sealing.lock().keys.living().count(), 3);
    assert_eq!(
        open(&sealing, &request(&[&first], NOW + 30), &first, NOW + 30),
        Err(Reason::UnknownKey)
    );
}

#[test]
fn a_refusal_is_this_worker_s_word() {
    let (sealing, key) = worker();
    let asked = request(&[&key], NOW);
    let signed = sealing.refuse(asked.head.bytes(), key.id(), Reason::Busy, NOW);
    let signed = SignedRefusal::decode(signed).unwrap();
    assert!(signed.verify(asked.head.hash(), &key).is_ok());
}
