//! Flow control: a slow reader slows its own stream, and nothing grows.

use std::time::Duration;

use bytes::Bytes;
use cocoon_tl::v3;
use tokio::time::{Instant, sleep, timeout};

use super::{answer_end, answer_head, head, request, rest};
use crate::testing::{Raw, noise, sessions, soon};
use crate::{AnswerEvent, Event};

#[tokio::test(start_paused = true)]
async fn a_stalled_stream_stops_at_its_window_and_another_runs_on() {
    let ((session, _events), (_other, mut other_events)) = sessions().await;
    let (mut slow_body, mut slow) = session.open(head(0)).await.unwrap().split();
    slow_body.send(Bytes::new(), true).await.unwrap();
    let mut slow_serving = request(&mut other_events).await;
    let (mut fast_body, mut fast) = session.open(head(0)).await.unwrap().split();
    fast_body.send(Bytes::new(), true).await.unwrap();
    let mut fast_serving = request(&mut other_events).await;

    slow_serving.answer.head(answer_head()).await.unwrap();
    fast_serving.answer.head(answer_head()).await.unwrap();
    let large = noise(64 << 20, 1);
    let stalled = async {
        let mut sent = 0;
        for at in (0..large.len()).step_by(1000) {
            let part = large.slice(at..(at + 1000).min(large.len()));
            let wait = timeout(Duration::from_secs(30), slow_serving.answer.part(part));
            match wait.await {
                Ok(result) => result.unwrap(),
                Err(_) => break,
            }
            sent = at + 1000;
        }
        sent
    };
    let start = Instant::now();
    let serve_fast = async {
        fast_serving.answer.part(large.clone()).await.unwrap();
        fast_serving.answer.end(answer_end()).await.unwrap();
        start.elapsed()
    };
    let read_fast = async {
        let (bytes, _) = rest(&mut fast).await.unwrap();
        assert!(bytes == large);
    };
    let (sent, fast_time, ()) = tokio::join!(stalled, serve_fast, read_fast);
    // The last, cut piece used up the rest of the window.
    assert_eq!(sent, v3::INITIAL_WINDOW as usize / 1000 * 1000);
    assert_eq!(fast_time, Duration::ZERO, "nothing waited for the slow one");

    // It was not lost: the slow reader gets the very bytes, when it comes.
    let mut received = Vec::new();
    while received.len() < v3::INITIAL_WINDOW as usize {
        match soon(slow.next()).await.unwrap() {
            AnswerEvent::Part(part) => received.extend_from_slice(&part),
            AnswerEvent::End(_) => panic!("not ended"),
        }
    }
    assert!(received == large[..received.len()]);
}

#[tokio::test(start_paused = true)]
async fn a_stalled_body_stops_at_its_window() {
    let ((session, _events), (_other, mut other_events)) = sessions().await;
    let (mut body, _answer) = session.open(head(1 << 20)).await.unwrap().split();
    let serving = request(&mut other_events).await;
    let sent = timeout(Duration::from_secs(30), body.send(noise(1 << 20, 0), true)).await;
    assert!(sent.is_err(), "waits for credit");
    drop(serving);
}

#[tokio::test(start_paused = true)]
async fn credit_goes_back_in_few_messages_and_only_for_what_was_taken() {
    let ((session, _events), mut raw) = Raw::session().await;
    let (mut body, mut answer) = session.open(head(0)).await.unwrap().split();
    body.send(Bytes::new(), true).await.unwrap();
    raw.message(&v3::Answer {
        stream: 1,
        status: 200,
        content_type: "a/b".to_owned().into(),
        tier: 0,
        coefficient: 1000,
    })
    .await;
    for seed in 0..256 {
        raw.message(&v3::Part {
            stream: 1,
            data: noise(1024, seed),
        })
        .await;
    }
    assert!(matches!(raw.recv_message().await, Some(v3::Message::Request(_))));
    assert!(matches!(raw.recv_message().await, Some(v3::Message::Body(_))));
    // Nobody has taken anything: no credit.
    assert!(timeout(Duration::from_secs(1), raw.recv_message()).await.is_err());

    let mut taken = 0;
    while taken < 256 * 1024 {
        match soon(answer.next()).await.unwrap() {
            AnswerEvent::Part(part) => taken += part.len(),
            AnswerEvent::End(_) => panic!("not ended"),
        }
    }
    // What the last call gave is not used yet; asking again says that it is.
    assert!(timeout(Duration::from_secs(1), answer.next()).await.is_err());
    let mut credit = 0;
    let mut messages = 0;
    while let Ok(Some(v3::Message::Credit(message))) =
        timeout(Duration::from_secs(1), raw.recv_message()).await
    {
        credit += message.bytes;
        messages += 1;
    }
    assert_eq!(credit, 256 * 1024);
    assert!(messages <= 2, "{messages}");
}

#[tokio::test(start_paused = true)]
async fn small_credit_makes_small_pieces() {
    let ((_session, mut events), mut raw) = Raw::session().await;
    assert!(matches!(soon(events.recv()).await, Some(Event::Hello(_))));
    raw.message(&super::hostile::request(1)).await;
    let mut serving = request(&mut events).await;
    serving.answer.head(answer_head()).await.unwrap();
    let data = noise(300_000, 0);
    let send = async {
        serving.answer.part(data.clone()).await.unwrap();
        serving.answer.end(answer_end()).await.unwrap();
    };
    let receive = async {
        let mut received = Vec::new();
        let mut sizes = Vec::new();
        loop {
            match soon(raw.recv_message()).await {
                Some(v3::Message::Part(part)) => {
                    sizes.push(part.data.len());
                    received.extend_from_slice(&part.data);
                    if received.len() >= 256 * 1024 && received.len() < data.len() {
                        raw.message(&v3::Credit {
                            stream: 1,
                            bytes: 10_000,
                        })
                        .await;
                    }
                }
                Some(v3::Message::End(_)) => break,
                Some(_) => {}
                None => panic!("closed"),
            }
        }
        assert!(received == data);
        assert_eq!(sizes[..5], [65_536, 65_536, 65_536, 65_536, 10_000]);
    };
    tokio::join!(send, receive);
}

#[tokio::test(start_paused = true)]
async fn many_stalled_streams_hold_no_more_than_their_windows() {
    let ((session, _events), (_other, mut other_events)) = sessions().await;
    let mut halves = Vec::new();
    for _ in 0..50 {
        halves.push(session.open(head(0)).await.unwrap().split());
        let mut serving = request(&mut other_events).await;
        serving.answer.head(answer_head()).await.unwrap();
        // Tiny parts: the worst case for whoever keeps them.
        let mut sent = 0;
        while timeout(Duration::from_millis(1), serving.answer.part(noise(100, 0)))
            .await
            .is_ok()
        {
            sent += 100;
        }
        assert!(sent <= v3::INITIAL_WINDOW as usize);
        halves.last_mut().unwrap().1.head().await.unwrap();
        std::mem::forget(serving);
    }
    sleep(Duration::from_secs(1)).await;
    let held: usize = session.held_bytes();
    assert!(held <= 50 * 2 * v3::INITIAL_WINDOW as usize, "{held}");
}
