//! Every way in which a stream ends, and what each side hears of it.

use std::time::Duration;

use bytes::Bytes;
use cocoon_tl::v3;
use cocoon_types::{Fault, Refusal};
use tokio::time::{Instant, sleep};

use super::{answer_end, answer_head, head, request, rest};
use crate::testing::{Raw, noise, sessions, soon};
use crate::{AnswerEvent, Session, StreamGone};

fn busy() -> Refusal {
    Refusal::new(Fault::Busy, "all workers are busy")
}

async fn settled(session: &Session) {
    sleep(Duration::from_secs(1)).await;
    assert_eq!(session.open_streams(), 0);
    assert!(!session.link().is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_arrives_instead_of_an_answer() {
    let ((session, _events), (other, mut other_events)) = sessions().await;
    let (_body, mut answer) = session.open(head(10)).await.unwrap().split();
    request(&mut other_events)
        .await
        .answer
        .refuse(busy())
        .await
        .unwrap();
    assert_eq!(answer.head().await.unwrap_err(), busy());
    assert_eq!(answer.next().await.unwrap_err(), busy());
    settled(&session).await;
    settled(&other).await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_in_the_middle_comes_after_what_was_sent() {
    let ((session, _events), (other, mut other_events)) = sessions().await;
    let (mut body, mut answer) = session.open(head(0)).await.unwrap().split();
    body.send(Bytes::new(), true).await.unwrap();
    let mut serving = request(&mut other_events).await;
    serving.answer.head(answer_head()).await.unwrap();
    serving.answer.part(noise(100_000, 0)).await.unwrap();
    let lost = Refusal::new(Fault::EngineFailed, "the engine died");
    serving.answer.refuse(lost.clone()).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    let mut received = 0;
    let error = loop {
        match soon(answer.next()).await {
            Ok(AnswerEvent::Part(part)) => received += part.len(),
            Ok(AnswerEvent::End(_)) => panic!("no end was sent"),
            Err(refusal) => break refusal,
        }
    };
    assert_eq!((received, error), (100_000, lost));
    settled(&other).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_dropped_unfinished_is_an_internal_fault() {
    let ((session, _events), (other, mut other_events)) = sessions().await;
    for has_head in [false, true] {
        let (mut body, mut answer) = session.open(head(0)).await.unwrap().split();
        body.send(Bytes::new(), true).await.unwrap();
        let mut serving = request(&mut other_events).await;
        if has_head {
            serving.answer.head(answer_head()).await.unwrap();
        }
        drop(serving);
        assert_eq!(rest(&mut answer).await.unwrap_err().fault, Fault::Internal);
    }
    // So is an end without a head: ours, not the peer's breach.
    let (_body, mut answer) = session.open(head(0)).await.unwrap().split();
    let serving = request(&mut other_events).await;
    assert_eq!(serving.answer.end(answer_end()).await, Err(StreamGone));
    assert_eq!(rest(&mut answer).await.unwrap_err().fault, Fault::Internal);
    settled(&session).await;
    settled(&other).await;
}

#[tokio::test(start_paused = true)]
async fn an_asker_that_goes_away_cancels() {
    let ((session, _events), (other, mut other_events)) = sessions().await;
    for what in ["exchange", "answer", "body"] {
        let exchange = session.open(head(1_000_000)).await.unwrap();
        let mut serving = request(&mut other_events).await;
        serving.answer.head(answer_head()).await.unwrap();
        let start = Instant::now();
        match what {
            "exchange" => drop(exchange),
            "answer" => {
                let (mut body, answer) = exchange.split();
                drop(answer);
                let error = body.send(noise(1_000_000, 0), true).await.unwrap_err();
                assert_eq!(error.fault, Fault::Cancelled);
            }
            _ => {
                let (body, mut answer) = exchange.split();
                drop(body);
                assert_eq!(rest(&mut answer).await.unwrap_err().fault, Fault::Cancelled);
            }
        }
        soon(serving.answer.cancelled()).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert_eq!(serving.answer.part(noise(10, 0)).await, Err(StreamGone));
        assert_eq!(
            soon(serving.body.next()).await.unwrap_err().fault,
            Fault::Cancelled
        );
        assert_eq!(serving.answer.end(answer_end()).await, Err(StreamGone));
    }
    settled(&session).await;
    settled(&other).await;
}

#[tokio::test(start_paused = true)]
async fn a_cancel_wakes_whoever_waits() {
    let ((session, _events), (_other, mut other_events)) = sessions().await;
    let exchange = session.open(head(10)).await.unwrap();
    let mut serving = request(&mut other_events).await;
    serving.answer.head(answer_head()).await.unwrap();
    let cancel = async {
        sleep(Duration::from_secs(1)).await;
        drop(exchange);
    };
    // One waits for the body; one for credit that never comes.
    let (body, sent, ()) = tokio::join!(
        serving.body.next(),
        serving.answer.part(noise(1_000_000, 0)),
        cancel
    );
    assert_eq!(body.unwrap_err().fault, Fault::Cancelled);
    assert_eq!(sent, Err(StreamGone));
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_end_before_the_body() {
    let ((session, _events), (_other, mut other_events)) = sessions().await;
    let (mut body, mut answer) = session.open(head(1_000_000)).await.unwrap().split();
    let serve = async {
        let mut serving = request(&mut other_events).await;
        serving.answer.head(answer_head()).await.unwrap();
        serving.answer.end(answer_end()).await.unwrap();
        assert!(serving.body.next().await.is_err());
    };
    let (sent, ()) = tokio::join!(soon(body.send(noise(1_000_000, 0), true)), serve);
    assert_eq!(sent.unwrap_err().fault, Fault::Cancelled);
    assert_eq!(rest(&mut answer).await.unwrap().1, answer_end());
    drop(body);
    settled(&session).await;
}

#[tokio::test(start_paused = true)]
async fn a_link_that_dies_ends_every_stream_at_once_by_the_role_s_word() {
    let ((session, _events), (other, mut other_events)) = sessions().await;
    let (mut body, mut answer) = session.open(head(0)).await.unwrap().split();
    body.send(Bytes::new(), true).await.unwrap();
    let (mut waiting_body, mut waiting) = session.open(head(1_000_000)).await.unwrap().split();
    let mut serving = request(&mut other_events).await;
    serving.answer.head(answer_head()).await.unwrap();
    serving.answer.part(noise(1000, 0)).await.unwrap();
    let start = Instant::now();
    let die = async {
        sleep(Duration::from_secs(1)).await;
        other.link().close("stopped");
    };
    let (sent, head, ()) = tokio::join!(waiting_body.send(noise(1_000_000, 0), true), waiting.head(), die);
    assert_eq!(sent.unwrap_err().fault, Fault::ProxyLost);
    assert_eq!(head.unwrap_err().fault, Fault::ProxyLost);
    assert_eq!(start.elapsed(), Duration::from_secs(1));
    assert_eq!(rest(&mut answer).await.unwrap_err().fault, Fault::ProxyLost);
    soon(serving.answer.cancelled()).await;
    assert!(session.open(super::head(0)).await.is_err());
    // The second request, then the end.
    let _second = request(&mut other_events).await;
    assert!(other_events.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn late_messages_for_streams_that_are_over_are_ignored() {
    let ((session, mut events), mut raw) = Raw::session().await;
    let _hello = events.recv().await;
    for stream in 1..=2 {
        raw.message(&super::hostile::request(stream)).await;
        request(&mut events).await.answer.refuse(busy()).await.unwrap();
    }
    let data = noise(10, 0);
    for stream in [1, 2] {
        raw.message(&v3::Body {
            stream,
            flags: 0,
            data: data.clone(),
        })
        .await;
        raw.message(&v3::Body {
            stream,
            flags: 1,
            data: data.clone(),
        })
        .await;
        raw.message(&v3::Credit { stream, bytes: 1000 }).await;
        raw.message(&v3::Cancel { stream }).await;
        raw.message(&v3::Cancel { stream }).await;
    }
    settled(&session).await;
}

#[tokio::test(start_paused = true)]
async fn the_peer_s_open_streams_are_limited() {
    let ((session, mut events), mut raw) = Raw::session().await;
    let _hello = events.recv().await;
    let mut servings = Vec::new();
    for stream in 1..=4096 {
        raw.message(&super::hostile::request(stream)).await;
        servings.push(request(&mut events).await);
    }
    raw.message(&super::hostile::request(4097)).await;
    match soon(raw.recv_message()).await {
        Some(v3::Message::Refuse(refuse)) => {
            assert_eq!((refuse.stream, refuse.code), (4097, Fault::Busy.wire_code()));
        }
        other => panic!("{other:?}"),
    }
    servings.pop();
    let _refused = soon(raw.recv_message()).await;
    raw.message(&super::hostile::request(4098)).await;
    let _serving = request(&mut events).await;
    assert!(!session.link().is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_body_announced_above_the_network_s_limit_is_refused() {
    let ((_session, mut events), mut raw) = Raw::session().await;
    let _hello = events.recv().await;
    let body_bytes = cocoon_types::MAX_BODY_BYTES as i64 + 1;
    raw.message(&v3::Request {
        body_bytes,
        ..super::hostile::request(1)
    })
    .await;
    match soon(raw.recv_message()).await {
        Some(v3::Message::Refuse(refuse)) => assert_eq!(refuse.code, Fault::BodyTooLarge.wire_code()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_takes_no_more_events_turns_requests_away() {
    let ((session, _events), (other, other_events)) = sessions().await;
    drop(other_events);
    let (_body, mut answer) = session.open(head(0)).await.unwrap().split();
    assert_eq!(rest(&mut answer).await.unwrap_err().fault, Fault::Draining);
    settled(&session).await;
    settled(&other).await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_differs_from_its_announcement_never_leaves() {
    let ((session, _events), (other, _other_events)) = sessions().await;
    for (pieces, announced) in [(vec![5, 6], 10), (vec![5], 10), (vec![11], 10)] {
        let (mut body, mut answer) = session.open(head(announced)).await.unwrap().split();
        let last = pieces.len() - 1;
        let mut result = Ok(());
        for (index, size) in pieces.into_iter().enumerate() {
            result = body.send(noise(size, 0), index == last).await;
        }
        assert_eq!(result.unwrap_err().fault, Fault::Internal);
        assert_eq!(rest(&mut answer).await.unwrap_err().fault, Fault::Internal);
    }
    settled(&session).await;
    assert!(!other.link().is_closed());
}

#[tokio::test(start_paused = true)]
async fn collecting_stops_at_the_limit() {
    let ((session, _events), (_other, mut other_events)) = sessions().await;
    let (mut body, _answer) = session.open(head(1000)).await.unwrap().split();
    body.send(noise(1000, 0), true).await.unwrap();
    let serving = request(&mut other_events).await;
    assert_eq!(
        serving.body.collect(999).await.unwrap_err().fault,
        Fault::BodyTooLarge
    );
}

#[tokio::test(start_paused = true)]
async fn an_engine_s_odd_head_is_made_fit_to_travel() {
    let ((session, _events), (_other, mut other_events)) = sessions().await;
    for content_type in ["", "text/plain\r\nX: y", "ü", &"x".repeat(129)] {
        let (_body, mut answer) = session.open(head(0)).await.unwrap().split();
        let mut serving = request(&mut other_events).await;
        let odd = crate::AnswerHead {
            status: 700,
            content_type: content_type.into(),
            ..answer_head()
        };
        serving.answer.head(odd).await.unwrap();
        let head = soon(answer.head()).await.unwrap();
        assert_eq!(
            (head.status, head.content_type.as_str()),
            (502, "application/octet-stream")
        );
    }
}
