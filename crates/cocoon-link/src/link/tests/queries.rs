use std::time::Duration;

use bytes::Bytes;
use cocoon_attest::Side;
use cocoon_tl::tcp;
use tokio::time::Instant;

use crate::testing::{Raw, noise, pair, soon};
use crate::{Inbox, Incoming, Link, QueryError};

const DEADLINE: Duration = Duration::from_secs(3);

async fn question(inbox: &mut Inbox) -> (i64, Bytes) {
    match soon(inbox.recv()).await {
        Some(Incoming::Query { id, question }) => (id, question),
        other => panic!("{other:?}"),
    }
}

async fn answer_one(link: &Link, inbox: &mut Inbox, answer: Result<Bytes, (i32, String)>) {
    let (id, _) = question(inbox).await;
    link.answer(id, answer).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn answers_come_back_to_their_questions() {
    let ((link, _inbox), (other, mut other_inbox)) = pair().await;
    let ask = async {
        let asked = (0..50_u64).map(|seed| link.query(noise(64, seed), DEADLINE));
        for (seed, answer) in (0..50).zip(futures_in_order(asked).await) {
            assert_eq!(answer.unwrap(), noise(64, seed));
        }
    };
    let serve = async {
        let mut questions = Vec::new();
        for _ in 0..50 {
            questions.push(question(&mut other_inbox).await);
        }
        // In another order than they came.
        for (id, question) in questions.into_iter().rev() {
            other.answer(id, Ok(question)).await.unwrap();
        }
    };
    tokio::join!(ask, serve);
}

/// Polls all, returns the results in the order of the futures.
async fn futures_in_order<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut pinned: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, result) in &mut pinned {
            if result.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(context)
            {
                *result = Some(output);
            }
        }
        if pinned.iter().all(|(_, result)| result.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    pinned.into_iter().map(|(_, result)| result.unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn errors_come_back_shortened_and_printable() {
    let ((link, _inbox), (other, mut other_inbox)) = pair().await;
    let text = format!("bad\n{}", "x".repeat(100_000));
    let (answer, ()) = tokio::join!(
        link.query(Bytes::from_static(b"what"), DEADLINE),
        answer_one(&other, &mut other_inbox, Err((602, text)))
    );
    match answer {
        Err(QueryError::Refused { code: 602, message }) => {
            assert!(message.starts_with("bad\u{fffd}xxx") && message.len() < 600);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_without_answer_ends_at_its_deadline_and_is_forgotten() {
    let ((link, _inbox), (other, mut other_inbox)) = pair().await;
    let start = Instant::now();
    let error = link
        .query(Bytes::from_static(b"what"), DEADLINE)
        .await
        .unwrap_err();
    assert_eq!(error, QueryError::Timeout(DEADLINE));
    assert_eq!(start.elapsed(), DEADLINE);
    assert!(link.core().pending.is_empty());
    // The late answer is ignored.
    answer_one(&other, &mut other_inbox, Ok(Bytes::new())).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!link.is_closed());
}

#[tokio::test(start_paused = true)]
async fn questions_on_a_dying_link_fail_at_once() {
    let ((link, _inbox), raw) = Raw::start(Side::Acceptor).await;
    let start = Instant::now();
    let (answer, ()) = tokio::join!(
        link.query(Bytes::from_static(b"what"), Duration::from_secs(300)),
        async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(raw);
        }
    );
    assert!(
        matches!(answer, Err(QueryError::Closed(closed)) if closed.reason == "the peer closed the connection")
    );
    assert_eq!(start.elapsed().as_secs(), 1);
    let later = link.query(Bytes::from_static(b"what"), DEADLINE).await;
    assert!(matches!(later, Err(QueryError::Closed(_))));
    assert_eq!(start.elapsed().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn answers_count_on_their_own_link_only() {
    let ((link, _inbox), mut raw) = Raw::start(Side::Acceptor).await;
    let ((other_link, _other_inbox), mut other_raw) = Raw::start(Side::Acceptor).await;
    let thief = async {
        let Some(tcp::Packet::Query(query)) = raw.recv().await else {
            panic!("no query");
        };
        let data = Bytes::from_static(b"stolen");
        let answer = tcp::Packet::QueryAnswer(tcp::QueryAnswer { id: query.id, data });
        other_raw.packet(&answer).await;
    };
    let (answer, ()) = tokio::join!(link.query(Bytes::from_static(b"what"), DEADLINE), thief);
    assert_eq!(answer.unwrap_err(), QueryError::Timeout(DEADLINE));
    assert!(!other_link.is_closed());
}

#[tokio::test(start_paused = true)]
async fn waiting_questions_are_bounded() {
    let ((link, _inbox), _raw) = Raw::start(Side::Acceptor).await;
    let asked = (0..1025).map(|_| link.query(Bytes::from_static(b"what"), DEADLINE));
    let answers = futures_in_order(asked).await;
    let refused = answers
        .iter()
        .filter(|answer| matches!(answer, Err(QueryError::TooMany)));
    assert_eq!(refused.count(), 1);
    assert!(link.core().pending.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_answer_comes_through_while_the_inbox_is_full_behind_it() {
    let ((link, inbox), (other, mut other_inbox)) = pair().await;
    let serve = async {
        let (id, _) = question(&mut other_inbox).await;
        other.answer(id, Ok(Bytes::from_static(b"yes"))).await.unwrap();
        for _ in 0..2000 {
            other.send(noise(1000, 1)).await.unwrap();
        }
    };
    let ask = async {
        let answer = link.query(Bytes::from_static(b"what"), DEADLINE).await;
        assert_eq!(answer.unwrap(), "yes");
        drop(inbox);
    };
    tokio::join!(serve, ask);
}
