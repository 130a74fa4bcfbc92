//! A POST that is sent again.

use std::{sync::Arc, time::Duration};

use cocoon_types::{Fault, Refusal};
use tokio::sync::Notify;

use crate::support::{CHAT, FakeProxy, Gateway, STREAM, eventually, parts, whole};

const KEY: &[(&str, &str)] = &[("idempotency-key", "k1")];

#[tokio::test]
async fn an_answer_is_given_again_and_not_made_again() {
    let proxy = FakeProxy::new(|serving, turn| whole(serving, 200, ["first", "second"][turn.min(1)])).await;
    let gateway = Gateway::to(&[&proxy]).await;
    let first = gateway.chat(KEY).await;
    let again = gateway.chat(KEY).await;
    assert_eq!((first.text().as_str(), again.text().as_str()), ("first", "first"));
    assert_eq!(
        (again.status, again.header("content-type")),
        (200, "application/json")
    );
    assert_eq!(again.header("x-cocoon-tier"), "simulated");
    assert_eq!(
        (
            first.header("idempotent-replayed"),
            again.header("idempotent-replayed")
        ),
        ("", "true")
    );
    assert_ne!(first.header("x-request-id"), again.header("x-request-id"));
    assert_eq!(proxy.count(), 1);
    assert_eq!(gateway.chat(&[("idempotency-key", "k2")]).await.text(), "second");
}

#[tokio::test]
async fn a_stream_is_given_again_as_it_was() {
    let events: &[&str] = &["data: 1\n\n", "data: [DONE]\n\n"];
    let proxy = FakeProxy::new(move |serving, _| parts(serving, Duration::from_millis(10), events)).await;
    let gateway = Gateway::to(&[&proxy]).await;
    let first = gateway.post("/v1/chat/completions", KEY, STREAM).await;
    let again = gateway.post("/v1/chat/completions", KEY, STREAM).await;
    assert_eq!(first.body, again.body);
    assert_eq!(again.header("content-type"), "text/event-stream");
    assert_eq!(proxy.count(), 1);
}

#[tokio::test]
async fn another_request_under_the_same_key_is_refused() {
    let proxy = FakeProxy::new(|serving, _| whole(serving, 200, "{}")).await;
    let gateway = Gateway::to(&[&proxy]).await;
    gateway.chat(KEY).await;
    let other = [("idempotency-key", "k1"), ("x-cocoon-timeout", "7")];
    for reply in [
        gateway.post("/v1/chat/completions", KEY, STREAM).await,
        gateway.chat(&other).await,
    ] {
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (409, "idempotency_conflict")
        );
    }
    assert_eq!(proxy.count(), 1);
}

#[tokio::test]
async fn a_request_that_still_runs_is_not_run_twice() {
    let go = Arc::new(Notify::new());
    let waits = Arc::clone(&go);
    let proxy = FakeProxy::new(move |serving, _| {
        let waits = Arc::clone(&waits);
        async move {
            waits.notified().await;
            whole(serving, 200, "{}").await;
        }
    })
    .await;
    let gateway = Gateway::to(&[&proxy]).await;
    let second = async {
        eventually(async || proxy.count() == 1).await;
        let reply = gateway.chat(KEY).await;
        go.notify_one();
        reply
    };
    let (first, second) = tokio::join!(gateway.chat(KEY), second);
    assert_eq!((first.status, second.status), (200, 409));
    assert_eq!(gateway.chat(KEY).await.header("idempotent-replayed"), "true");
}

#[tokio::test]
async fn what_failed_is_tried_again_and_what_was_wrong_is_not() {
    let proxy = FakeProxy::new(|serving, turn| async move {
        match turn {
            0 => drop(
                serving
                    .answer
                    .refuse(Refusal::new(Fault::EngineFailed, "no"))
                    .await,
            ),
            1 => whole(serving, 500, "{}").await,
            _ => whole(serving, 422, "{}").await,
        }
    })
    .await;
    let gateway = Gateway::to(&[&proxy]).await;
    let statuses = [502, 500, 422, 422];
    for status in statuses {
        assert_eq!(
            gateway.post("/v1/chat/completions", KEY, CHAT).await.status,
            status
        );
    }
    assert_eq!(proxy.count(), 3);
}

#[tokio::test]
async fn a_caller_that_goes_away_gives_its_key_free() {
    let proxy = FakeProxy::new(|serving, turn| async move {
        if turn == 0 {
            serving.answer.cancelled().await;
        } else {
            whole(serving, 200, "{}").await;
        }
    })
    .await;
    let gateway = Gateway::to(&[&proxy]).await;
    {
        let mut caller = gateway.caller().await;
        tokio::select! {
            _ = caller.begin("POST", "/v1/chat/completions", KEY, CHAT) => panic!("it was answered"),
            () = eventually(async || proxy.count() == 1) => {}
        }
    }
    eventually(async || gateway.chat(KEY).await.status == 200).await;
}
