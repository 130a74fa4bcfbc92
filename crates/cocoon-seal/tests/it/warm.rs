//! Warm sessions: later requests without public-key work.

use bytes::Bytes;
use cocoon_seal::*;

use crate::support::*;

/// The session that a first exchange with the first worker leaves.
fn session(world: &mut World) -> Session {
    let mut sealed = world.seal(BODY);
    let request = world.whole(0, &mut sealed);
    let (head, parts, _) = answer(world, 0, &request, &[b"x"]);
    let mut opener = sealed.pending.answer(head).unwrap();
    assert!(
        opener.take_session().is_none(),
        "not before the worker proved itself"
    );
    opener.part(&mut parts[0].clone()).unwrap();
    opener.take_session().unwrap()
}

fn seal_warm(world: &mut World, session: &Session, now: u64) -> SealedRequest {
    let spec = world.spec();
    let first = Candidate {
        key: &world.workers[0].public,
        session: Some(session),
    };
    let candidates = [first, cold(&world.workers[1].public)];
    seal_request(
        &spec,
        &candidates,
        Bytes::from_static(BODY),
        now,
        &mut world.random,
    )
    .unwrap()
}

#[test]
fn following_requests_are_small_and_work() {
    let mut world = world();
    let session = session(&mut world);
    assert_eq!(world.workers[0].keys.sessions(), 1);
    let mut wraps = Vec::new();
    for _ in 0..3 {
        let mut sealed = seal_warm(&mut world, &session, NOW + 1);
        assert!(sealed.wraps[0].len() < 120 && sealed.wraps[1].len() > 1000);
        wraps.push(sealed.wraps[0].clone());
        let request = world.whole(0, &mut sealed);
        assert_eq!(request.body(), BODY);
        let (head, parts, _) = answer(&mut world, 0, &request, &[b"warm"]);
        let mut opener = sealed.pending.answer(head).unwrap();
        let (contents, ended) = read(&mut opener, &parts).unwrap();
        assert_eq!((&contents[..], ended.is_some()), (&b"warm"[..], true));
        assert!(opener.take_session().is_none(), "the one there is goes on");
    }
    assert_ne!(
        wraps[0][17..],
        wraps[1][17..],
        "fresh randomness for each request"
    );
    assert_eq!(
        wraps[0][..17],
        wraps[1][..17],
        "what is linkable: kind and session"
    );
}

#[test]
fn a_warm_wrap_is_bound_to_its_head_and_its_request_id_is_served_once() {
    let mut world = world();
    let session = session(&mut world);
    let one = seal_warm(&mut world, &session, NOW);
    let mut two = seal_warm(&mut world, &session, NOW);
    world.open(0, &one).unwrap();
    assert_eq!(world.open(0, &one).unwrap_err(), Reason::Replayed);
    two.wraps[0] = one.wraps[0].clone();
    assert_eq!(world.open(0, &two).unwrap_err(), Reason::Unreadable);
}

#[test]
fn an_unknown_session_is_named_and_the_client_wraps_cold() {
    let mut world = world();
    let session = session(&mut world);
    let sealed = seal_warm(&mut world, &session, NOW);
    let worker = &mut world.workers[0];
    // As after a restart with another ring, or eviction.
    worker.keys = SealingKeys::new(*worker.signing.public(), Limits::default());
    worker.keys.advance(NOW, &mut fixed(101)).unwrap();
    let reason = world.open(0, &sealed).unwrap_err();
    assert_eq!(reason, Reason::UnknownSession);
    let worker = &world.workers[0];
    let refusal = SignedRefusal::sign(
        sealed.head.bytes(),
        worker.public.id(),
        reason,
        NOW,
        &worker.signing,
    );
    let refusal = SignedRefusal::decode(refusal.bytes().clone()).unwrap();
    refusal.verify(sealed.head.hash(), &worker.public).unwrap();
    assert_eq!(refusal.reason, Reason::UnknownSession);
    let sealed = world.seal(BODY);
    world.open(0, &sealed).unwrap();
}

#[test]
fn a_session_ends_with_its_key() {
    let mut world = world();
    let session = session(&mut world);
    let end = world.workers[0].public.not_after();
    assert!(session.lives_at(end - 1) && !session.lives_at(end));
    world.workers[0].keys.advance(NOW + 300, &mut fixed(8)).unwrap();
    let new = world.workers[0].keys.newest().unwrap().clone();
    // For another key of the same worker it is not used.
    let candidate = Candidate {
        key: &new,
        session: Some(&session),
    };
    let spec = world.spec();
    let sealed = seal_request(&spec, &[candidate], Bytes::new(), NOW + 310, &mut world.random).unwrap();
    assert!(sealed.wraps[0].len() > 1000);
    assert_eq!(world.workers[0].keys.sessions(), 1);
    world.workers[0].keys.erase(end);
    assert_eq!(world.workers[0].keys.sessions(), 0);
}

#[test]
fn the_table_is_bounded_and_forgets_the_oldest() {
    let mut world = world();
    let worker = &mut world.workers[0];
    let limits = Limits {
        requests: 100,
        sessions: 3,
    };
    worker.keys = SealingKeys::new(*worker.signing.public(), limits);
    worker.keys.advance(NOW, &mut fixed(101)).unwrap();
    let first = session(&mut world);
    for _ in 0..2 {
        session(&mut world);
    }
    let sealed = seal_warm(&mut world, &first, NOW);
    world.open(0, &sealed).unwrap();
    session(&mut world);
    assert_eq!(world.workers[0].keys.sessions(), 3);
    let sealed = seal_warm(&mut world, &first, NOW);
    assert_eq!(world.open(0, &sealed).unwrap_err(), Reason::UnknownSession);
}

#[test]
fn who_does_not_ask_is_not_remembered() {
    let mut world = world();
    let spec = RequestSpec {
        remember: false,
        ..world.spec()
    };
    let key = world.workers[0].public.clone();
    let mut sealed = seal_request(
        &spec,
        &[cold(&key)],
        Bytes::from_static(BODY),
        NOW,
        &mut world.random,
    )
    .unwrap();
    let request = world.whole(0, &mut sealed);
    assert_eq!(world.workers[0].keys.sessions(), 0);
    let (head, parts, _) = answer(&mut world, 0, &request, &[b"x"]);
    let mut opener = sealed.pending.answer(head).unwrap();
    read(&mut opener, &parts).unwrap();
    assert!(opener.take_session().is_none());
}

#[test]
fn a_clients_book_is_bounded_and_forgets_with_the_keys() {
    let mut world = world();
    let mut book = SessionBook::new(1);
    assert!(book.is_empty());
    book.keep(session(&mut world), NOW);
    let (first, end) = (world.workers[0].public.id(), world.workers[0].public.not_after());
    assert!(book.get(first, end - 1).is_some() && book.get(first, end).is_none());
    // A later key of the same worker: the one that ends first goes.
    let later = world.workers[0]
        .keys
        .advance(NOW + 300, &mut fixed(8))
        .unwrap()
        .unwrap();
    world.workers[0].public = later.clone();
    let spec = RequestSpec {
        deadline: NOW + 400,
        ..world.spec()
    };
    let mut sealed = seal_request(
        &spec,
        &[cold(&later)],
        Bytes::from_static(BODY),
        NOW + 300,
        &mut world.random,
    )
    .unwrap();
    let arrival = Arrival {
        head: sealed.head.bytes(),
        key_id: later.id(),
        wrap: &sealed.wraps[0],
        clear: None,
        now: NOW + 300,
    };
    let mut opened = world.workers[0].keys.open(&arrival).unwrap();
    feed(&mut opened, &pieces(&mut sealed.body)).unwrap();
    let request = opened.finish().unwrap();
    let (head, parts, _) = answer(&mut world, 0, &request, &[b"x"]);
    let mut opener = sealed.pending.answer(head).unwrap();
    read(&mut opener, &parts).unwrap();
    book.keep(opener.take_session().unwrap(), NOW + 300);
    assert_eq!(book.len(), 1);
    assert!(book.get(first, NOW + 300).is_none() && book.get(later.id(), NOW + 300).is_some());
    book.forget(later.id());
    assert!(book.is_empty());
}
