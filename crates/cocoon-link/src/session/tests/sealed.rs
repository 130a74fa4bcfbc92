//! Sealed streams: what is said arrives unchanged, and each piece as it was sealed.

use std::time::Duration;

use bytes::Bytes;
use cocoon_seal::{Digest, EncodedHead, Head, MAX_WRAP, Receipt, SEALED_OVERHEAD, SignedRefusal};
use cocoon_tl::{TlObject, tcp, v3};
use cocoon_types::{Coefficient, Endpoint, Fault, ModelName, Refusal, RequestId, Tier, TierPolicy};
use tokio::time::sleep;

use super::{answer_end, head, request as next_request, rest};
use crate::testing::{Raw, noise, sessions, soon};
use crate::{AnswerEnd, AnswerEvent, AnswerHead, Event, RequestHead, SealedAnswer, SealedHead};

const TIMEOUT: Duration = Duration::from_secs(9);

pub(super) fn encoded(candidates: u8, body_bytes: u64) -> EncodedHead {
    let head = Head {
        request_id: RequestId([7; 32]),
        endpoint: Endpoint::Completions,
        model: ModelName::new("model").unwrap(),
        max_tokens: 5,
        tier: TierPolicy::at_least(Tier::Open).and_simulated(),
        padded: true,
        max_coefficient: Coefficient::DEFAULT_LIMIT,
        deadline: 1,
        body_bytes,
        offer: Digest([1; 32]),
        candidates: (0..candidates).map(|number| Digest([number; 32])).collect(),
    };
    head.encode().unwrap()
}

fn sealed(candidates: u8, body_bytes: u64) -> RequestHead {
    let sealed = SealedHead {
        head: encoded(candidates, body_bytes),
        candidate: 0,
        wraps: (0..candidates)
            .map(|number| noise(MAX_WRAP, number.into()))
            .collect(),
    };
    RequestHead::of_sealed(sealed, TIMEOUT)
}

/// The clear half of an answer's head, as `cocoon-seal` writes it; nothing of it is checked here but its form.
fn answer_bytes(status: u16, content_type: &str) -> Bytes {
    let mut bytes = b"cocoon seal v1: answer head\0".to_vec();
    bytes.extend_from_slice(&[3; 96]);
    bytes.extend_from_slice(&status.to_be_bytes());
    bytes.push(3);
    bytes.extend_from_slice(&1000_u32.to_be_bytes());
    bytes.extend_from_slice(&u16::try_from(content_type.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(content_type.as_bytes());
    bytes.into()
}

fn sealed_answer(skipped: Vec<Bytes>) -> AnswerHead {
    let head = answer_bytes(200, "text/event-stream");
    AnswerHead {
        status: 200,
        content_type: "text/event-stream".into(),
        tier: Tier::Simulated,
        coefficient: Coefficient::ONE,
        sealed: Some(SealedAnswer { head, skipped }),
    }
}

#[tokio::test(start_paused = true)]
async fn a_sealed_exchange_arrives_unchanged() {
    let ((session, _events), (_other, mut other_events)) = sessions().await;
    let asked = sealed(8, 256);
    let (mut body, mut answer) = session.open(asked.clone()).await.unwrap().split();
    let piece = noise(256 + SEALED_OVERHEAD, 1);
    body.send(piece.clone(), true).await.unwrap();
    let mut serving = next_request(&mut other_events).await;
    assert_eq!(serving.head, asked);
    assert_eq!(serving.body.next().await.unwrap(), Some(piece));
    assert_eq!(serving.body.next().await.unwrap(), None);
    let skipped = vec![noise(SignedRefusal::BYTES, 3), Bytes::new()];
    let answered = sealed_answer(skipped);
    serving.answer.head(answered.clone()).await.unwrap();
    let part = noise(30, 2);
    serving.answer.part(part.clone()).await.unwrap();
    let ended = AnswerEnd {
        receipt: Some(noise(Receipt::BYTES, 4)),
        ..answer_end()
    };
    serving.answer.end(ended.clone()).await.unwrap();
    assert_eq!(answer.head().await.unwrap(), answered);
    assert_eq!(rest(&mut answer).await.unwrap(), (part, ended));
}

/// Whatever waits, is late or is out of credit: what comes out are the pieces that went in.
#[tokio::test(start_paused = true)]
async fn boundaries_are_kept_both_ways() {
    let mut random = fastrand::Rng::with_seed(5);
    let sizes: Vec<usize> = (0..400)
        .map(|_| match random.u8(0..4) {
            0 => SEALED_OVERHEAD + 1,
            1 => random.usize(20..2000),
            2 => random.usize(2000..65_536),
            _ => 65_536,
        })
        .collect();
    let text: usize = sizes.iter().map(|size| size - SEALED_OVERHEAD).sum();
    let bucket = 1_u64 << 24;
    let last = usize::try_from(bucket).unwrap() - text;
    let last = (last / 65_000, last % 65_000);
    let mut sizes = sizes;
    sizes.extend(std::iter::repeat_n(65_000 + SEALED_OVERHEAD, last.0));
    sizes.push(last.1 + SEALED_OVERHEAD);
    let pieces: Vec<Bytes> = sizes
        .iter()
        .zip(0..)
        .map(|(size, seed)| noise(*size, seed))
        .collect();

    let ((session, _events), (_other, mut other_events)) = sessions().await;
    let (mut body, mut answer) = session.open(sealed(1, bucket)).await.unwrap().split();
    let mut serving = next_request(&mut other_events).await;
    let send = async {
        for (at, piece) in pieces.iter().enumerate() {
            body.send(piece.clone(), at + 1 == pieces.len()).await.unwrap();
        }
    };
    let mut pace = fastrand::Rng::with_seed(6);
    let turn_back = async {
        serving.answer.head(sealed_answer(Vec::new())).await.unwrap();
        while let Some(piece) = serving.body.next().await.unwrap() {
            if pace.u8(0..4) == 0 {
                sleep(Duration::from_millis(3)).await;
            }
            serving.answer.part(piece).await.unwrap();
        }
        serving.answer.end(answer_end()).await.unwrap();
    };
    let mut late = fastrand::Rng::with_seed(7);
    let take = async {
        for (at, piece) in pieces.iter().enumerate() {
            if late.u8(0..3) == 0 {
                sleep(Duration::from_millis(4)).await;
            }
            match answer.next().await.unwrap() {
                AnswerEvent::Part(part) => assert!(part == *piece, "piece {at}"),
                AnswerEvent::End(_) => panic!("the end at piece {at}"),
            }
        }
        assert!(matches!(answer.next().await.unwrap(), AnswerEvent::End(_)));
    };
    tokio::join!(send, turn_back, take);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_brings_what_was_signed() {
    let ((session, _events), (_other, mut other_events)) = sessions().await;
    let (_body, mut answer) = session.open(sealed(2, 256)).await.unwrap().split();
    let serving = next_request(&mut other_events).await;
    let skipped = vec![Bytes::new(), noise(SignedRefusal::BYTES, 1)];
    let refusal = Refusal::new(Fault::Busy, "busy");
    serving
        .answer
        .refuse_sealed(refusal.clone(), skipped.clone())
        .await
        .unwrap();
    assert!(answer.skipped().is_empty());
    assert_eq!(soon(answer.head()).await.unwrap_err(), refusal);
    assert_eq!(answer.skipped(), skipped);

    let (_body, mut answer) = session.open(sealed(2, 256)).await.unwrap().split();
    let serving = next_request(&mut other_events).await;
    serving.answer.refuse(refusal.clone()).await.unwrap();
    assert_eq!(
        soon(answer.head()).await.unwrap_err(),
        refusal,
        "a plain refusal will do"
    );
    assert!(answer.skipped().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_sealed_does_not_go_into_a_sealed_stream() {
    let ((session, _events), (_other, mut other_events)) = sessions().await;
    let (mut body, _answer) = session.open(sealed(1, 256)).await.unwrap().split();
    let mut serving = next_request(&mut other_events).await;
    let clear = AnswerHead {
        sealed: None,
        ..sealed_answer(Vec::new())
    };
    serving.answer.head(clear).await.unwrap_err();
    serving.answer.head(sealed_answer(Vec::new())).await.unwrap();
    assert!(
        serving.answer.part(noise(65_537, 0)).await.is_err(),
        "it cannot go whole"
    );
    assert!(
        body.send(noise(256, 0), true).await.is_err(),
        "a body without its overhead"
    );

    let (_body, _answer) = session.open(head(0)).await.unwrap().split();
    let mut serving = next_request(&mut other_events).await;
    serving.answer.head(sealed_answer(Vec::new())).await.unwrap_err();
}

fn raw_request(stream: i64) -> v3::SealedRequest {
    v3::SealedRequest {
        stream,
        head: encoded(2, 256).bytes().clone(),
        candidate: 0,
        wraps: vec![noise(98, 0), noise(MAX_WRAP, 1)],
        timeout_ms: 1000,
    }
}

async fn ends_with(asks: bool, messages: Vec<Bytes>, expected: &str) {
    let ((session, mut events), mut raw) = Raw::session().await;
    let _open = if asks {
        let exchange = session.open(sealed(1, 256)).await.unwrap();
        let clear = session.open(head(0)).await.unwrap();
        Some((exchange, clear))
    } else {
        None
    };
    for data in messages {
        raw.packet(&tcp::Packet::Packet(tcp::PacketData { data })).await;
    }
    let mut servings = Vec::new();
    while let Some(event) = soon(events.recv()).await {
        servings.push(event);
    }
    let reason = soon(session.link().closed()).await;
    assert!(reason.contains(expected), "{reason:?} should say {expected:?}");
    for event in servings {
        if let Event::Request(serving) = event {
            soon(serving.answer.cancelled()).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn breaches_of_a_sealed_asker() {
    let with = |change: &dyn Fn(&mut v3::SealedRequest)| {
        let mut request = raw_request(1);
        change(&mut request);
        vec![request.to_boxed()]
    };
    let with_head = |at: usize, to: u8| {
        with(&|request: &mut v3::SealedRequest| {
            let mut head = request.head.to_vec();
            head[at] = to;
            request.head = head.into();
        })
    };
    let body = |size: usize, flags: u32| {
        let data = noise(size, 0);
        v3::Body {
            stream: 1,
            flags,
            data,
        }
        .to_boxed()
    };
    let after = |more: Vec<Bytes>| [vec![raw_request(1).to_boxed()], more].concat();
    let text = SEALED_OVERHEAD;
    let cases: Vec<(Vec<Bytes>, &str)> = vec![
        (
            with(&|request| request.wraps.clear()),
            "0 wraps from candidate 0 on, of 2",
        ),
        (
            with(&|request| request.wraps = vec![noise(98, 0); 3]),
            "3 wraps from candidate 0 on, of 2",
        ),
        (
            with(&|request| request.candidate = 1),
            "2 wraps from candidate 1 on",
        ),
        (with(&|request| request.candidate = -1), "from candidate -1 on"),
        (with(&|request| request.candidate = 300), "from candidate 300 on"),
        (
            with(&|request| request.candidate = i32::MIN),
            "wraps from candidate",
        ),
        (
            with(&|request| request.wraps[0] = noise(MAX_WRAP + 1, 0)),
            "a wrap of 1171 bytes",
        ),
        (
            with(&|request| request.timeout_ms = -1),
            "timeout_ms out of range",
        ),
        (
            with(&|request| request.head = noise(EncodedHead::MAX_BYTES + 1, 0)),
            "malformed request head: too long",
        ),
        (
            with(&|request| request.head = Bytes::new()),
            "malformed request head",
        ),
        (with_head(0, b'C'), "malformed request head"),
        (with_head(28 + 32 + 3, b'!'), "malformed endpoint"),
        (with(&|request| request.stream = 0), "do not count up"),
        (after(vec![raw_request(1).to_boxed()]), "do not count up"),
        (after(vec![body(65_537, 0)]), "a body longer than announced"),
        (after(vec![body(text, 0)]), "a sealed piece of 17 bytes"),
        (after(vec![body(0, 0)]), "a sealed piece of 0 bytes"),
        (after(vec![body(16, 1)]), "a sealed piece of 16 bytes"),
        (after(vec![body(text + 257, 1)]), "a body longer than announced"),
        (after(vec![body(text + 255, 1)]), "a body shorter than announced"),
        (
            after(vec![body(text + 256, 1), body(text, 1)]),
            "a piece after the last",
        ),
        (
            after(vec![
                v3::SealedAnswer {
                    stream: 1,
                    head: answer_bytes(200, "a/b"),
                    skipped: Vec::new(),
                }
                .to_boxed(),
            ]),
            "cocoon.sealedAnswer from the wrong side",
        ),
        (
            after(vec![
                v3::Receipt {
                    stream: 1,
                    receipt: noise(Receipt::BYTES, 0),
                }
                .to_boxed(),
            ]),
            "cocoon.receipt from the wrong side",
        ),
        (
            after(vec![refuse(1, Vec::new())]),
            "cocoon.sealedRefuse from the wrong side",
        ),
    ];
    for (messages, expected) in cases {
        ends_with(false, messages, expected).await;
    }
}

fn refuse(stream: i64, skipped: Vec<Bytes>) -> Bytes {
    let message = "no".to_owned().into();
    v3::SealedRefuse {
        stream,
        code: 13,
        message,
        skipped,
    }
    .to_boxed()
}

/// Stream 1 is sealed, stream 2 is not.
#[tokio::test(start_paused = true)]
async fn breaches_of_a_sealed_answerer() {
    let answer = |stream: i64, head: Bytes, skipped: Vec<Bytes>| {
        v3::SealedAnswer {
            stream,
            head,
            skipped,
        }
        .to_boxed()
    };
    let good = || answer(1, answer_bytes(200, "a/b"), Vec::new());
    let receipt = |stream: i64, size: usize| {
        let receipt = noise(size, 0);
        v3::Receipt { stream, receipt }.to_boxed()
    };
    let part = |size: usize| {
        let data = noise(size, 0);
        v3::Part { stream: 1, data }.to_boxed()
    };
    let clear = v3::Answer {
        stream: 1,
        status: 200,
        content_type: "a/b".to_owned().into(),
        tier: 2,
        coefficient: 1000,
    };
    let good_receipt = || receipt(1, Receipt::BYTES);
    let reason = || noise(SignedRefusal::BYTES, 0);
    let cases: Vec<(Vec<Bytes>, &str)> = vec![
        (
            vec![clear.to_boxed()],
            "cocoon.answer on a stream of the other kind",
        ),
        (
            vec![answer(2, answer_bytes(200, "a/b"), Vec::new())],
            "cocoon.sealedAnswer on a stream of the other kind",
        ),
        (vec![good(), good()], "a second cocoon.answer"),
        (vec![answer(1, Bytes::new(), Vec::new())], "malformed answer head"),
        (
            vec![answer(1, noise(513, 0), Vec::new())],
            "size of an answer's head out of range",
        ),
        (
            vec![answer(1, answer_bytes(700, "a/b"), Vec::new())],
            "status out of range",
        ),
        (
            vec![answer(1, answer_bytes(200, ""), Vec::new())],
            "bad content type",
        ),
        (
            vec![answer(1, answer_bytes(200, "a/b"), vec![Bytes::new(); 9])],
            "reasons for skipped candidates",
        ),
        (
            vec![answer(1, answer_bytes(200, "a/b"), vec![noise(10, 0)])],
            "reasons for skipped candidates",
        ),
        (vec![good(), part(65_537)], "a piece of 65537 bytes"),
        (vec![good(), part(SEALED_OVERHEAD)], "a sealed piece of 17 bytes"),
        (vec![good(), part(0)], "a sealed piece of 0 bytes"),
        (vec![part(30)], "cocoon.part before cocoon.answer"),
        (vec![good_receipt()], "cocoon.receipt before cocoon.answer"),
        (
            vec![good(), good_receipt(), good_receipt()],
            "a second cocoon.receipt",
        ),
        (vec![good(), receipt(1, 10)], "size of a receipt"),
        (vec![good(), receipt(1, 100_000)], "size of a receipt"),
        (
            vec![receipt(2, Receipt::BYTES)],
            "cocoon.receipt on a stream of the other kind",
        ),
        (
            vec![refuse(2, vec![reason()])],
            "cocoon.sealedRefuse on a stream of the other kind",
        ),
        (
            vec![refuse(1, vec![reason(); 9])],
            "reasons for skipped candidates",
        ),
        (
            vec![refuse(1, vec![noise(7, 0)])],
            "reasons for skipped candidates",
        ),
        (vec![refuse(9, Vec::new())], "never opened"),
    ];
    for (messages, expected) in cases {
        ends_with(true, messages, expected).await;
    }
}

/// Small pieces between large messages: each would keep a read buffer alive if it were kept as it came.
#[tokio::test(start_paused = true)]
async fn many_small_pieces_hold_little() {
    let ((session, mut events), mut raw) = Raw::session().await;
    let _hello = events.recv().await;
    let mut head = raw_request(1);
    head.head = encoded(2, 1 << 24).bytes().clone();
    raw.message(&head).await;
    let mut serving = next_request(&mut events).await;
    let small = noise(SEALED_OVERHEAD + 1, 0);
    for _ in 0..10_000 {
        let data = small.clone();
        raw.message(&v3::Body {
            stream: 1,
            flags: 0,
            data,
        })
        .await;
    }
    sleep(Duration::from_secs(1)).await;
    let held = session.held_bytes();
    assert!((180_000..600_000).contains(&held), "{held}");
    for _ in 0..10_000 {
        assert_eq!(soon(serving.body.next()).await.unwrap().as_ref(), Some(&small));
    }
}
