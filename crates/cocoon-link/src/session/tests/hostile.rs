//! Each breach of protocol 3 ends the link, with its name; every open stream hears of it.

use std::time::Duration;

use bytes::Bytes;
use cocoon_tl::{TlObject, v3};
use cocoon_types::Fault;

use super::{answer_head, head, request as next_request, rest};
use crate::testing::{Raw, hello, noise, raw_hello, soon};
use crate::{Event, Session};

pub(super) fn request(stream: i64) -> v3::Request {
    v3::Request {
        stream,
        request_id: [1; 32],
        endpoint: "/v1/completions".to_owned().into(),
        model: "model".to_owned().into(),
        max_tokens: 10,
        floor: 2,
        flags: 0,
        max_coefficient: 1000,
        timeout_ms: 1000,
        body_bytes: 500_000,
    }
}

fn body(flags: u32, size: usize) -> v3::Body {
    v3::Body {
        stream: 1,
        flags,
        data: noise(size, 0),
    }
}

fn part(size: usize) -> v3::Part {
    v3::Part {
        stream: 1,
        data: noise(size, 0),
    }
}

fn answer() -> v3::Answer {
    v3::Answer {
        stream: 1,
        status: 200,
        content_type: "text/plain".to_owned().into(),
        tier: 2,
        coefficient: 1000,
    }
}

fn end() -> v3::End {
    v3::End {
        stream: 1,
        prompt_tokens: 10,
        cached_tokens: 1,
        completion_tokens: 5,
        reasoning_tokens: 0,
        engine_ms: 3,
    }
}

fn refuse(stream: i64) -> v3::Refuse {
    v3::Refuse {
        stream,
        code: 13,
        message: "no".to_owned().into(),
    }
}

async fn ends_with(session: &Session, raw: &mut Raw, messages: Vec<Bytes>, expected: &str) {
    for message in messages {
        let data = message;
        raw.packet(&cocoon_tl::tcp::Packet::Packet(cocoon_tl::tcp::PacketData {
            data,
        }))
        .await;
    }
    let reason = tokio::time::timeout(Duration::from_secs(1), session.link().closed()).await;
    let reason = reason.unwrap_or_else(|_| panic!("the link lives, expected: {expected}"));
    assert!(
        reason.starts_with("the peer broke protocol 3: ") && reason.contains(expected),
        "{reason:?} should say {expected:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn breaches_of_an_asker() {
    let text = |text: &str| text.to_owned().into();
    let request_with = |change: fn(&mut v3::Request)| {
        let mut message = request(1);
        change(&mut message);
        vec![message.to_boxed()]
    };
    let after_request = |more: Vec<Bytes>| [vec![request(1).to_boxed()], more].concat();
    let mut cut = request(1).to_boxed();
    cut.truncate(40);
    let cases: Vec<(Vec<Bytes>, &str)> = vec![
        (vec![cut], "a message does not parse"),
        (vec![raw_hello().to_boxed()], "a second cocoon.hello"),
        (
            vec![
                v3::Request {
                    endpoint: text("/v1/files"),
                    ..request(1)
                }
                .to_boxed(),
            ],
            "unknown endpoint",
        ),
        (
            vec![
                v3::Request {
                    model: text("a\"b"),
                    ..request(1)
                }
                .to_boxed(),
            ],
            "bad model name",
        ),
        (request_with(|request| request.floor = 4), "unknown tier"),
        (request_with(|request| request.floor = 3), "unknown tier"),
        (request_with(|request| request.floor = -1), "unknown tier"),
        (
            request_with(|request| request.max_tokens = -1),
            "max_tokens out of range",
        ),
        (
            request_with(|request| request.max_coefficient = -1),
            "max_coefficient out of range",
        ),
        (
            request_with(|request| request.max_coefficient = 1_000_000_000),
            "max_coefficient out of range",
        ),
        (
            request_with(|request| request.timeout_ms = -5),
            "timeout_ms out of range",
        ),
        (
            request_with(|request| request.body_bytes = -1),
            "body_bytes out of range",
        ),
        (request_with(|request| request.stream = 0), "do not count up"),
        (request_with(|request| request.stream = -7), "do not count up"),
        (after_request(vec![request(1).to_boxed()]), "do not count up"),
        (
            vec![request(5).to_boxed(), request(4).to_boxed()],
            "do not count up",
        ),
        (
            vec![body(0, 10).to_boxed()],
            "cocoon.body for a stream that was never opened",
        ),
        (
            vec![v3::Cancel { stream: 1 }.to_boxed()],
            "cocoon.cancel for a stream that was never opened",
        ),
        (
            after_request(vec![v3::Cancel { stream: 2 }.to_boxed()]),
            "never opened",
        ),
        (
            after_request(vec![v3::Credit { stream: 9, bytes: 1 }.to_boxed()]),
            "never opened",
        ),
        (
            after_request(vec![v3::Credit { stream: 1, bytes: 0 }.to_boxed()]),
            "credit out of range",
        ),
        (
            after_request(vec![v3::Credit { stream: 1, bytes: -9 }.to_boxed()]),
            "credit out of range",
        ),
        (
            after_request(vec![
                v3::Credit {
                    stream: 1,
                    bytes: i32::MAX,
                }
                .to_boxed(),
            ]),
            "more credit",
        ),
        (
            after_request(vec![body(0, 65_537).to_boxed()]),
            "a piece of 65537 bytes",
        ),
        (
            after_request(vec![body(0, 65_536).to_boxed(); 5]),
            "overruns the window",
        ),
        (
            after_request(vec![body(1, 10).to_boxed()]),
            "a body shorter than announced",
        ),
        (
            vec![
                v3::Request {
                    body_bytes: 9,
                    ..request(1)
                }
                .to_boxed(),
                body(0, 10).to_boxed(),
            ],
            "a body longer than announced",
        ),
        (
            vec![
                v3::Request {
                    body_bytes: 10,
                    ..request(1)
                }
                .to_boxed(),
                body(1, 10).to_boxed(),
                body(0, 0).to_boxed(),
            ],
            "a piece after the last",
        ),
        (
            after_request(vec![answer().to_boxed()]),
            "cocoon.answer from the wrong side",
        ),
        (
            after_request(vec![part(1).to_boxed()]),
            "cocoon.part from the wrong side",
        ),
        (
            after_request(vec![end().to_boxed()]),
            "cocoon.end from the wrong side",
        ),
        (
            after_request(vec![refuse(1).to_boxed()]),
            "cocoon.refuse from the wrong side",
        ),
    ];
    for (messages, expected) in cases {
        let ((session, mut events), mut raw) = Raw::session().await;
        let held = async {
            let mut servings = Vec::new();
            while let Some(event) = events.recv().await {
                servings.push(event);
            }
            servings
        };
        let (servings, ()) = tokio::join!(held, ends_with(&session, &mut raw, messages, expected));
        for event in servings {
            if let Event::Request(serving) = event {
                soon(serving.answer.cancelled()).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn breaches_of_an_answerer() {
    let answered = |more: Vec<Bytes>| [vec![answer().to_boxed()], more].concat();
    let answer_with = |change: fn(&mut v3::Answer)| {
        let mut message = answer();
        change(&mut message);
        vec![message.to_boxed()]
    };
    let end_with = |change: fn(&mut v3::End)| {
        let mut message = end();
        change(&mut message);
        vec![answer().to_boxed(), message.to_boxed()]
    };
    let cases: Vec<(Vec<Bytes>, &str)> = vec![
        (vec![part(1).to_boxed()], "cocoon.part before cocoon.answer"),
        (vec![end().to_boxed()], "cocoon.end before cocoon.answer"),
        (answered(vec![answer().to_boxed()]), "a second cocoon.answer"),
        (answered(vec![part(65_537).to_boxed()]), "a piece of 65537 bytes"),
        (
            answered(vec![part(65_536).to_boxed(); 5]),
            "a piece of 65536 bytes overruns the window, 0 were left",
        ),
        (answer_with(|answer| answer.tier = 4), "unknown tier"),
        (answer_with(|answer| answer.status = 99), "status out of range"),
        (answer_with(|answer| answer.status = 600), "status out of range"),
        (answer_with(|answer| answer.status = -200), "status out of range"),
        (
            answer_with(|answer| answer.content_type = "a\r\nb: c".to_owned().into()),
            "bad content type",
        ),
        (
            answer_with(|answer| answer.content_type = "x".repeat(129).into()),
            "bad content type",
        ),
        (
            answer_with(|answer| answer.stream = 2),
            "cocoon.answer for a stream that was never opened",
        ),
        (
            end_with(|end| end.cached_tokens = 11),
            "usage that cannot be true",
        ),
        (
            end_with(|end| end.reasoning_tokens = 6),
            "usage that cannot be true",
        ),
        (
            end_with(|end| end.prompt_tokens = i64::MAX),
            "usage that cannot be true",
        ),
        (
            end_with(|end| end.completion_tokens = -1),
            "completion_tokens out of range",
        ),
        (end_with(|end| end.engine_ms = -1), "engine_ms out of range"),
        (vec![body(0, 1).to_boxed()], "cocoon.body from the wrong side"),
        (
            vec![v3::Cancel { stream: 1 }.to_boxed()],
            "cocoon.cancel from the wrong side",
        ),
        (vec![request(2).to_boxed()], "both sides ask"),
        (
            vec![refuse(0).to_boxed()],
            "cocoon.refuse for a stream that was never opened",
        ),
    ];
    for (messages, expected) in cases {
        let ((session, _events), mut raw) = Raw::session().await;
        let (mut sender, mut receiver) = session.open(head(0)).await.unwrap().split();
        sender.send(Bytes::new(), true).await.unwrap();
        ends_with(&session, &mut raw, messages, expected).await;
        let refusal = rest(&mut receiver).await.unwrap_err();
        assert!(
            matches!(refusal.fault, Fault::WorkerLost | Fault::ProtocolViolation),
            "{expected}: {refusal}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_message_must_be_hello() {
    for message in [request(1).to_boxed(), Bytes::from_static(b"else"), Bytes::new()] {
        let ((link, inbox), mut raw) = Raw::start(cocoon_attest::Side::Acceptor).await;
        let (session, _events) = Session::start(link, inbox, hello(), Fault::WorkerLost);
        ends_with(
            &session,
            &mut raw,
            vec![message],
            "the first message is not cocoon.hello",
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_breach_before_the_session_starts_is_found_when_it_starts() {
    let ((link, inbox), mut raw) = Raw::start(cocoon_attest::Side::Acceptor).await;
    raw.message(&request(1)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (session, mut events) = Session::start(link, inbox, hello(), Fault::WorkerLost);
    assert!(session.link().is_closed());
    assert!(events.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_hello_is_read_with_care() {
    let ((_session, mut events), mut raw) = Raw::start_session_with(v3::Hello {
        capabilities: vec!["c".repeat(1000).into(); 1000],
        software: "bad\nname".repeat(100).into(),
        engine: 77,
        ..raw_hello()
    })
    .await;
    match soon(events.recv()).await {
        Some(Event::Hello(hello)) => {
            assert_eq!(hello.capabilities.len(), 64);
            assert!(hello.capabilities[0].len() < 100 && hello.software.len() < 500);
            assert!(!hello.software.contains('\n'));
            assert_eq!(hello.engine, crate::EnginePlace::Outside);
            assert_eq!(
                hello.endpoints,
                [cocoon_types::Endpoint::Embeddings],
                "unknown ones are left out"
            );
        }
        other => panic!("{other:?}"),
    }
    raw.message(&request(1)).await;
    let _serving = next_request(&mut events).await;
}

#[tokio::test(start_paused = true)]
async fn empty_pieces_take_no_place() {
    let ((session, mut events), mut raw) = Raw::session().await;
    let _hello = events.recv().await;
    raw.message(&request(1)).await;
    let mut serving = next_request(&mut events).await;
    for _ in 0..10_000 {
        raw.message(&body(0, 0)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(session.held_bytes(), 0);
    serving.answer.head(answer_head()).await.unwrap();
    raw.message(&v3::Body {
        stream: 1,
        flags: 0,
        data: Bytes::from_static(b"real"),
    })
    .await;
    assert_eq!(soon(serving.body.next()).await.unwrap().unwrap(), "real");
}

#[tokio::test(start_paused = true)]
async fn requests_opened_and_cancelled_in_a_flood_stay_bounded() {
    let ((session, events), mut raw) = Raw::session().await;
    let flood = async {
        for stream in 1.. {
            let mut frames = bytes::BytesMut::new();
            cocoon_tl::frame::write_packet(&mut frames, raw.seqno, &request(stream)).unwrap();
            cocoon_tl::frame::write_packet(&mut frames, raw.seqno + 1, &v3::Cancel { stream }).unwrap();
            raw.seqno += 2;
            if tokio::io::AsyncWriteExt::write_all(&mut raw.io, &frames)
                .await
                .is_err()
            {
                return stream;
            }
        }
        0
    };
    // Nobody reads the events: the flood stands still, and after a minute the link ends.
    let (flooded, reason) = tokio::join!(flood, session.link().closed());
    assert_eq!(reason, "nobody read the inbox for 60s");
    assert!(flooded < 10_000, "{flooded}");
    drop(events);
}
