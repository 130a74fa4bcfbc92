//! Whole exchanges, and everything that a proxy or a worker can do to them.

use crate::support::*;
use bytes::Bytes;
use cocoon_seal::*;
use cocoon_types::{Coefficient, Endpoint, RequestId, Tier, TierPolicy};
use proptest::prelude::*;

#[test]
fn a_request_and_its_answer_through_either_candidate() {
    for at in 0..2 {
        let mut world = world();
        let mut sealed = world.seal(BODY);
        let request = world.whole(at, &mut sealed);
        assert_eq!(request.body(), BODY);
        assert_eq!(request.request_hash(), sealed.pending.request_hash());
        let (head, parts, receipt) = answer(&mut world, at, &request, &[b"Hello", b"", b" world"]);
        assert!(parts.iter().all(|part| (part.len() - 17) % 64 == 0));
        let mut opener = sealed.pending.answer(head).unwrap();
        assert_eq!(opener.closed(), Err(AnswerError::Cut));
        let (contents, ended) = read(&mut opener, &parts).unwrap();
        assert_eq!(contents, b"Hello world");
        assert_eq!(ended.unwrap().receipt, receipt);
        assert_eq!(opener.closed(), Ok(()));
        assert_eq!((receipt.parts, receipt.bytes), (3, 11));
    }
}

#[test]
fn who_is_no_candidate_opens_nothing() {
    let mut world = world();
    let mut sealed = world.seal(BODY);
    sealed.wraps.push(sealed.wraps[0].clone());
    assert_eq!(world.open(2, &sealed).unwrap_err(), Reason::NotACandidate);
    // A head that names the third instead: the wrap was made for another head.
    let mut head = sealed.head.head().clone();
    head.candidates[1] = world.workers[2].public.id();
    sealed.head = head.encode().unwrap();
    assert_eq!(world.open(2, &sealed).unwrap_err(), Reason::Unreadable);
    assert_eq!(world.open(0, &sealed).unwrap_err(), Reason::Unreadable);
}

#[test]
fn every_clear_field_is_bound() {
    let changes: [fn(&mut Head); 10] = [
        |head| head.request_id = RequestId([0; 32]),
        |head| head.endpoint = Endpoint::Completions,
        |head| head.model = cocoon_types::ModelName::new("other").unwrap(),
        |head| head.max_tokens += 1,
        |head| head.tier = TierPolicy::at_least(Tier::Open),
        |head| head.padded = false,
        |head| head.max_coefficient = Coefficient::ONE,
        |head| head.deadline += 1,
        |head| head.offer = Digest([7; 32]),
        |head| head.candidates.reverse(),
    ];
    for change in changes {
        let mut world = world();
        let mut sealed = world.seal(BODY);
        let mut head = sealed.head.head().clone();
        change(&mut head);
        sealed.head = head.encode().unwrap();
        assert_eq!(world.open(0, &sealed).unwrap_err(), Reason::Unreadable);
    }
}

#[test]
fn a_copy_beside_the_head_must_say_the_same() {
    let mut world = world();
    let sealed = world.seal(BODY);
    let head = sealed.head.head().clone();
    let copy = ClearCopy {
        request_id: head.request_id,
        endpoint: head.endpoint,
        model: head.model.as_str(),
        max_tokens: head.max_tokens,
        tier: head.tier,
        max_coefficient: head.max_coefficient,
    };
    assert_eq!(head.differs_from(&copy), None);
    let wrong = [
        (
            ClearCopy {
                request_id: RequestId([1; 32]),
                ..copy
            },
            "request id",
        ),
        (
            ClearCopy {
                endpoint: Endpoint::Embeddings,
                ..copy
            },
            "endpoint",
        ),
        (ClearCopy { model: "n", ..copy }, "model"),
        (
            ClearCopy {
                max_tokens: 1,
                ..copy
            },
            "max tokens",
        ),
        (
            ClearCopy {
                tier: TierPolicy::at_least(Tier::Open),
                ..copy
            },
            "tier",
        ),
        (
            ClearCopy {
                max_coefficient: Coefficient::ONE,
                ..copy
            },
            "price limit",
        ),
    ];
    for (copy, field) in wrong {
        assert_eq!(head.differs_from(&copy), Some(field));
        let key_id = world.workers[0].public.id();
        let arrival = Arrival {
            head: sealed.head.bytes(),
            key_id,
            wrap: &sealed.wraps[0],
            clear: Some(copy),
            now: NOW,
        };
        assert_eq!(
            world.workers[0].keys.open(&arrival).unwrap_err(),
            Reason::ClearMismatch
        );
    }
}

#[test]
fn a_request_id_is_served_once_and_nobody_else_uses_it_up() {
    let mut world = world();
    let sealed = world.seal(BODY);
    let mut spoiled = world.seal(BODY);
    spoiled.head = sealed.head.clone();
    assert_eq!(world.open(0, &spoiled).unwrap_err(), Reason::Unreadable);
    world.open(0, &sealed).unwrap();
    assert_eq!(world.open(0, &sealed).unwrap_err(), Reason::Replayed);
    // The other candidate is another matter: the proxy may have lost the first.
    world.open(1, &sealed).unwrap();
}

#[test]
fn the_replay_window_is_bounded_and_forgets_nothing() {
    let mut world = world();
    let signing = *world.workers[0].signing.public();
    let mut keys = SealingKeys::new(
        signing,
        Limits {
            requests: 2,
            sessions: 4,
        },
    );
    let public = keys.advance(NOW, &mut fixed(5)).unwrap().unwrap();
    let spec = world.spec();
    let sealed: Vec<_> = (0..3)
        .map(|_| {
            seal_request(
                &spec,
                &[cold(&public)],
                Bytes::from_static(BODY),
                NOW,
                &mut world.random,
            )
            .unwrap()
        })
        .collect();
    let mut open = |at: usize, now| {
        let sealed: &SealedRequest = &sealed[at];
        let arrival = Arrival {
            head: sealed.head.bytes(),
            key_id: public.id(),
            wrap: &sealed.wraps[0],
            clear: None,
            now,
        };
        keys.open(&arrival).map(|_| ())
    };
    assert_eq!(open(0, NOW), Ok(()));
    assert_eq!(open(1, NOW), Ok(()));
    assert_eq!(open(2, NOW), Err(Reason::Busy));
    assert_eq!(open(0, NOW), Err(Reason::Replayed));
    assert_eq!(open(2, NOW + 121), Err(Reason::Deadline));
    assert_eq!(open(2, NOW + 600), Err(Reason::UnknownKey));
    assert_eq!(
        open(2, NOW),
        Err(Reason::UnknownKey),
        "a clock that goes back revives nothing"
    );
}

#[test]
fn deadlines_are_near() {
    let mut world = world();
    for (deadline, expected) in [
        (NOW - 1, Err(Reason::Deadline)),
        (NOW, Ok(())),
        (NOW + 600, Ok(())),
        (NOW + 601, Err(Reason::Deadline)),
    ] {
        let spec = RequestSpec {
            deadline,
            ..world.spec()
        };
        let key = world.workers[0].public.clone();
        let sealed = seal_request(
            &spec,
            &[cold(&key)],
            Bytes::from_static(BODY),
            NOW,
            &mut world.random,
        )
        .unwrap();
        assert_eq!(world.open(0, &sealed).map(|_| ()), expected);
    }
}

#[test]
fn pieces_in_another_order_number_or_of_another_request() {
    let body = vec![b'x'; 200_000];
    let mut world = world();
    let mut sealed = world.seal(&body);
    let right = pieces(&mut sealed.body);
    assert_eq!(right.len(), 4);
    assert!(right.iter().all(|piece| piece.len() <= MAX_SEALED));
    let mut other = world.seal(&body);
    let foreign = pieces(&mut other.body);
    let pick = |order: &[usize]| order.iter().map(|at| right[*at].clone()).collect::<Vec<_>>();
    let wrong = [
        pick(&[1]),
        pick(&[0, 2]),
        pick(&[0, 0]),
        pick(&[0, 1, 3]),
        pick(&[3]),
        pick(&[0, 1, 2, 3, 3]),
        [pick(&[0]), vec![foreign[1].clone()]].concat(),
        vec![vec![]],
        vec![vec![0]],
        vec![vec![0; MAX_SEALED + 1]],
    ];
    for wrong in wrong {
        let worker = &mut world.workers[0];
        let mut fresh = SealingKeys::new(*worker.signing.public(), Limits::default());
        fresh.advance(NOW, &mut fixed(101)).unwrap();
        worker.keys = fresh;
        let mut opened = world.open(0, &sealed).unwrap();
        assert_eq!(feed(&mut opened, &wrong), Err(Reason::Unreadable));
        assert_eq!(
            opened.piece(&mut right[0].clone()),
            Err(Reason::Unreadable),
            "broken stays broken"
        );
        assert_eq!(opened.finish().unwrap_err(), Reason::Unreadable);
    }
    // Cut before the last piece.
    let mut opened = world.open(1, &sealed).unwrap();
    assert_eq!(feed(&mut opened, &right[..3]), Ok(false));
    assert_eq!(opened.finish().unwrap_err(), Reason::Unreadable);
}

#[test]
fn parts_changed_moved_dropped_cut_or_of_another_answer() {
    let mut world = world();
    let mut sealed = world.seal(BODY);
    let request = world.whole(0, &mut sealed);
    let (head, right, _) = answer(&mut world, 0, &request, &[b"one", b"two", b"three"]);
    let (other_head, foreign, _) = answer(&mut world, 0, &request, &[b"one", b"two", b"three"]);
    assert_ne!(head, other_head, "a nonce for each answer");
    let opener = |world: &mut World, head: &Bytes| {
        // Seals the same request once more: same randomness, same request.
        world.random = fixed(1);
        world.seal(BODY).pending.answer(head.clone())
    };
    let pick = |order: &[usize]| order.iter().map(|at| right[*at].clone()).collect::<Vec<_>>();
    let mut last_as_content = pick(&[0, 1, 2]);
    last_as_content[2][0] = 1;
    let mut content_as_refusal = pick(&[0]);
    content_as_refusal[0][0] = 2;
    let wrong = [
        pick(&[1]),
        pick(&[0, 2]),
        pick(&[0, 0]),
        pick(&[3]),
        pick(&[0, 1, 3]),
        last_as_content,
        content_as_refusal,
        vec![right[0].clone(), foreign[1].clone()],
        vec![foreign[0].clone()],
        vec![vec![]],
        vec![vec![0; MAX_SEALED + 1]],
    ];
    for wrong in wrong {
        let mut opener = opener(&mut world, &head).unwrap();
        assert_eq!(read(&mut opener, &wrong).unwrap_err(), AnswerError::NotAuthentic);
        assert_eq!(opener.part(&mut right[0].clone()).unwrap_err(), AnswerError::Over);
    }
    // Cut anywhere: never an end. After the end: nothing.
    for length in 0..right.len() {
        let mut opener = opener(&mut world, &head).unwrap();
        let (_, ended) = read(&mut opener, &right[..length]).unwrap();
        assert!(ended.is_none());
        assert_eq!(opener.closed(), Err(AnswerError::Cut));
    }
    let mut whole = opener(&mut world, &head).unwrap();
    read(&mut whole, &right).unwrap();
    assert_eq!(whole.part(&mut right[0].clone()).unwrap_err(), AnswerError::Over);
}

#[test]
fn the_clear_head_of_an_answer_is_bound() {
    let mut world = world();
    let mut sealed = world.seal(BODY);
    let request = world.whole(0, &mut sealed);
    let (head, parts, _) = answer(&mut world, 0, &request, &[b"one"]);
    let said = AnswerHead::decode(&head).unwrap();
    for at in 0..head.len() {
        world.random = fixed(1);
        let pending = world.seal(BODY).pending;
        let mut changed = head.to_vec();
        changed[at] ^= 1;
        let Ok(mut opener) = pending.answer(changed.into()) else {
            continue;
        };
        assert_eq!(
            read(&mut opener, &parts).unwrap_err(),
            AnswerError::NotAuthentic,
            "byte {at}"
        );
        assert!(
            opener.take_session().is_none(),
            "no session of a worker that proved nothing"
        );
    }
    let refused = |change: &dyn Fn(&mut Vec<u8>)| {
        world.random = fixed(1);
        let mut changed = head.to_vec();
        change(&mut changed);
        world.seal(BODY).pending.answer(changed.into()).unwrap_err()
    };
    let mut refused = refused;
    let find = |needle: &[u8]| {
        head.windows(needle.len())
            .position(|window| window == needle)
            .unwrap()
    };
    let (request_at, key_at) = (find(&said.request_hash.0), find(&said.key_id.0));
    assert_eq!(refused(&|head| head[request_at] ^= 1), AnswerError::OtherRequest);
    assert_eq!(refused(&|head| head[key_at] ^= 1), AnswerError::NotACandidate);
    let tier_at = head.len() - said.content_type.len() - 7;
    assert_eq!(refused(&|head| head[tier_at] = 2), AnswerError::Tier);
    assert_eq!(refused(&|head| head[tier_at + 1] = 1), AnswerError::Price);
}

#[test]
fn one_candidate_cannot_answer_in_the_name_of_another() {
    let mut world = world();
    let mut sealed = world.seal(BODY);
    let request = world.whole(0, &mut sealed);
    let (head, parts, _) = answer(&mut world, 0, &request, &[b"one"]);
    let said = AnswerHead::decode(&head).unwrap();
    let at = head
        .windows(32)
        .position(|window| window == said.key_id.0)
        .unwrap();
    let mut forged = head.to_vec();
    forged[at..at + 32].copy_from_slice(&world.workers[1].public.id().0);
    let mut opener = sealed.pending.answer(forged.into()).unwrap();
    assert_eq!(read(&mut opener, &parts).unwrap_err(), AnswerError::NotAuthentic);
}

#[test]
fn a_worker_breaks_off_and_nobody_else_can() {
    let mut world = world();
    let mut sealed = world.seal(BODY);
    let request = world.whole(0, &mut sealed);
    let mut sealer = AnswerSealer::new(&request, answer_spec(), &mut world.random).unwrap();
    let head = sealer.head().clone();
    let mut parts = [Vec::new(), Vec::new()];
    sealer.part(b"one", &mut parts[0]).unwrap();
    sealer
        .refuse(Reason::Engine, "the engine died", &mut parts[1])
        .unwrap();
    let mut opener = sealed.pending.answer(head).unwrap();
    opener.part(&mut parts[0]).unwrap();
    let refused = opener.part(&mut parts[1]).unwrap();
    assert_eq!(
        refused,
        Opened::Refused {
            reason: Reason::Engine,
            message: "the engine died".into()
        }
    );
    assert_eq!(opener.part(&mut parts[1].clone()).unwrap_err(), AnswerError::Over);
}

#[test]
fn too_large_is_refused_before_it_is_sealed() {
    let mut world = world();
    let key = world.workers[0].public.clone();
    let spec = world.spec();
    let body = Bytes::from(vec![0; cocoon_types::MAX_BODY_BYTES + 1]);
    let sealed = seal_request(&spec, &[cold(&key)], body, NOW, &mut world.random);
    assert_eq!(sealed.unwrap_err(), SealError::TooLarge);
    let late = seal_request(&spec, &[cold(&key)], Bytes::new(), NOW + 600, &mut world.random);
    assert_eq!(late.unwrap_err(), SealError::KeyNotAlive(0));
    let twice = seal_request(
        &spec,
        &[cold(&key), cold(&key)],
        Bytes::new(),
        NOW,
        &mut world.random,
    );
    assert_eq!(
        twice.unwrap_err(),
        SealError::Malformed(Malformed("candidates: one twice"))
    );
    let none = seal_request(&spec, &[], Bytes::new(), NOW, &mut world.random);
    assert_eq!(none.unwrap_err(), SealError::Malformed(Malformed("candidates")));

    let mut sealed = world.seal(BODY);
    let request = world.whole(0, &mut sealed);
    let mut sealer = AnswerSealer::new(&request, answer_spec(), &mut world.random).unwrap();
    let mut out = b"before".to_vec();
    assert_eq!(
        sealer.part(&vec![0; MAX_CONTENT + 1], &mut out),
        Err(SealError::TooLarge)
    );
    assert_eq!(out, b"before");
    sealer.part(&vec![0; MAX_CONTENT], &mut out).unwrap();
    assert!(out.len() - 6 <= MAX_SEALED);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn any_body_and_any_parts_arrive(
        body in prop::collection::vec(any::<u8>(), 0..140_000),
        contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..6),
        padded: bool,
    ) {
        let mut world = world();
        let spec = RequestSpec { padded, ..world.spec() };
        let key = world.workers[0].public.clone();
        let mut sealed = seal_request(&spec, &[cold(&key)], body.clone().into(), NOW, &mut world.random).unwrap();
        let request = world.whole(0, &mut sealed);
        prop_assert_eq!(&request.body()[..], &body[..]);
        let contents: Vec<_> = contents.iter().map(Vec::as_slice).collect();
        let (head, parts, _) = answer(&mut world, 0, &request, &contents);
        let mut opener = sealed.pending.answer(head).unwrap();
        let (read, ended) = read(&mut opener, &parts).unwrap();
        prop_assert_eq!(read, contents.concat());
        prop_assert!(ended.is_some());
    }

    #[test]
    fn no_byte_of_a_wrap_piece_or_part_can_be_changed(at: prop::sample::Index, bit in 0_u8..8) {
        let mut world = world();
        let mut sealed = world.seal(BODY);
        let mut piece = pieces(&mut sealed.body).remove(0);
        let right = sealed.wraps[0].clone();
        let mut wrap = right.to_vec();
        let changed = at.index(wrap.len());
        wrap[changed] ^= 1 << bit;
        sealed.wraps[0] = wrap.into();
        let refused = world.open(0, &sealed).unwrap_err();
        prop_assert!(matches!(refused, Reason::Unreadable | Reason::UnknownSession));
        sealed.wraps[0] = right;
        let mut opened = world.open(0, &sealed).unwrap();
        let changed = at.index(piece.len());
        piece[changed] ^= 1 << bit;
        prop_assert_eq!(opened.piece(&mut piece), Err(Reason::Unreadable));
    }
}
