use std::time::Duration;

use bytes::Bytes;
use cocoon_types::{Fault, Private, Tier};

use super::{Answers, Begin, MAX_ANSWER_BYTES, MAX_BYTES, Stored, TIME_TO_LIVE};

fn stored(body: impl Into<Bytes>) -> Stored {
    Stored {
        status: 200,
        content_type: "application/json".into(),
        tier: Tier::Open,
        receipt: None,
        body: Private::new(body.into()),
    }
}

async fn serve(answers: &Answers, key: &str, body: &[u8]) -> super::Running {
    match answers.begin(b"", key.as_bytes(), &[body]).await.unwrap() {
        Begin::Serve(running) => running,
        Begin::Replay(_) => panic!("replayed"),
    }
}

async fn replayed(answers: &Answers, key: &str, body: &[u8]) -> bool {
    matches!(
        answers.begin(b"", key.as_bytes(), &[body]).await,
        Ok(Begin::Replay(_))
    )
}

#[tokio::test]
async fn the_same_request_gets_the_same_answer_and_another_one_is_refused() {
    let answers = Answers::new(TIME_TO_LIVE);
    serve(&answers, "k", b"body").await.keep(stored("answer")).await;
    assert!(replayed(&answers, "k", b"body").await);
    let Err(refusal) = answers.begin(b"", b"k", &[b"other"]).await else {
        panic!("another body was accepted")
    };
    assert_eq!(refusal.fault, Fault::IdempotencyConflict);
    assert!(!replayed(&answers, "k2", b"body").await);
    // Another caller's key of the same name is another key.
    assert!(matches!(
        answers.begin(b"someone", b"k", &[b"body"]).await,
        Ok(Begin::Serve(_))
    ));
}

#[tokio::test]
async fn one_at_a_time_and_what_failed_may_be_tried_again() {
    let answers = Answers::new(TIME_TO_LIVE);
    let running = serve(&answers, "k", b"body").await;
    for body in [&b"body"[..], b"other"] {
        let Err(refusal) = answers.begin(b"", b"k", &[body]).await else {
            panic!("served twice at once")
        };
        assert_eq!(refusal.fault, Fault::IdempotencyConflict);
    }
    drop(running);
    drop(serve(&answers, "k", b"other").await);
    assert!(answers.running.lock().unwrap().is_empty());
}

#[tokio::test]
async fn memory_is_bounded_in_bytes_and_time() {
    let answers = Answers::new(Duration::from_millis(100));
    serve(&answers, "large", b"")
        .await
        .keep(stored(vec![0; MAX_ANSWER_BYTES + 1]))
        .await;
    assert!(!replayed(&answers, "large", b"").await);
    for key in 0..40 {
        serve(&answers, &key.to_string(), b"")
            .await
            .keep(stored(vec![0; MAX_ANSWER_BYTES]))
            .await;
    }
    answers.done.run_pending_tasks().await;
    assert!(
        answers.done.weighted_size() <= MAX_BYTES,
        "{}",
        answers.done.weighted_size()
    );
    assert!(
        replayed(&answers, "39", b"").await,
        "the newest answer was not kept"
    );
    assert!(!replayed(&answers, "0", b"").await);
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert!(!replayed(&answers, "39", b"").await);
}

#[tokio::test]
async fn keys_that_are_none_are_refused() {
    let answers = Answers::new(TIME_TO_LIVE);
    for key in [&b""[..], &[b'a'; 256]] {
        assert!(
            matches!(answers.begin(b"", key, &[]).await, Err(refusal) if refusal.fault == Fault::InvalidRequest)
        );
    }
}

#[test]
fn parts_cannot_be_shifted_into_each_other() {
    assert_ne!(
        super::digest(b"d", &[b"ab", b"c"]),
        super::digest(b"d", &[b"a", b"bc"])
    );
}
