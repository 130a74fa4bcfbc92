//! What a request carries, what an answer looks like, and when it arrives.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use cocoon_types::{Coefficient, Endpoint, Fault, Refusal, Tier, TierPolicy};
use http_body_util::BodyExt as _;
use tokio::{sync::Notify, time::timeout};

use crate::support::{CHAT, FakeProxy, Gateway, STREAM, end, eventually, head, parts, whole};

const ANSWER: &str = r#"{"id":"x","object":"chat.completion"}"#;
const EVENTS: &[&str] = &["data: {\"a\":1}\n\n", "data: {\"a\":2}\n\n", "data: [DONE]\n\n"];

#[tokio::test]
async fn unknown_members_survive_byte_for_byte_and_only_the_body_travels() {
    let proxy = FakeProxy::new(|serving, _| whole(serving, 200, ANSWER)).await;
    let gateway = Gateway::to(&[&proxy]).await;
    let kept = r#""messages":[{"role":"user","content":"h\u00e9 \ud83d\ude00"}],"x_new":{"a" : 1.0e+2,"b":[ ]},"seed":12345678901234567890"#;
    let body = format!(
        "{{ \"model\" : \"m\", {kept} , \"cocoon\" : {{\"timeout\": 5, \"max_coefficient\": 1500}} }}"
    );
    let headers = [
        ("authorization", "Bearer sk-planted"),
        ("cookie", "planted=1"),
        ("x-cocoon-tier", "simulated"),
        ("user-agent", "planted"),
    ];
    let reply = gateway
        .post("/v1/chat/completions?planted=1", &headers, &body)
        .await;
    assert_eq!((reply.status, reply.text().as_str()), (200, ANSWER));
    assert_eq!(reply.header("content-length"), ANSWER.len().to_string());
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.header("x-cocoon-tier"), "simulated");
    assert!(reply.header("x-request-id").starts_with("req_"));
    let (head, sent) = proxy.requests().pop().unwrap();
    assert_eq!(sent, format!("{{\"model\":\"m\",{kept}}}"));
    assert_eq!(head.body_bytes, sent.len() as u64);
    assert_eq!(
        (head.endpoint, head.model.as_str()),
        (Endpoint::ChatCompletions, "m")
    );
    assert_eq!(head.tier, TierPolicy::at_least(Tier::Simulated));
    assert_eq!(head.max_coefficient, Coefficient::new(1500).unwrap());
    assert_eq!(head.max_tokens, 1024);
    assert!(head.timeout <= Duration::from_secs(5) && head.timeout > Duration::from_secs(3));
    assert_ne!(
        head.request_id.to_string(),
        reply.header("x-request-id"),
        "each leg has its own id"
    );
    assert!(!format!("{head:?}").contains("planted"));
}

#[tokio::test]
async fn large_bodies_arrive_whole() {
    let proxy = FakeProxy::new(|serving, _| whole(serving, 200, ANSWER)).await;
    let gateway = Gateway::to(&[&proxy]).await;
    let body = format!(r#"{{"model":"m","input":"{}"}}"#, "x".repeat(5_000_000));
    assert_eq!(gateway.post("/v1/embeddings", &[], &body).await.status, 200);
    assert_eq!(proxy.requests()[0].1, body);
    assert_eq!(proxy.requests()[0].0.max_tokens, 0);
}

#[tokio::test]
async fn an_engines_error_passes_through() {
    let proxy = FakeProxy::new(|serving, _| whole(serving, 400, r#"{"error":{"message":"too long"}}"#)).await;
    let gateway = Gateway::to(&[&proxy]).await;
    for body in [CHAT, STREAM] {
        let reply = gateway.post("/v1/chat/completions", &[], body).await;
        assert_eq!(
            (reply.status, reply.text().as_str()),
            (400, r#"{"error":{"message":"too long"}}"#)
        );
        assert_eq!(reply.header("x-cocoon-tier"), "simulated");
    }
}

#[tokio::test]
async fn each_part_of_a_stream_arrives_before_the_next_is_made() {
    let read = Arc::new(Notify::new());
    let wait = Arc::clone(&read);
    let proxy = FakeProxy::new(move |serving, _| {
        let wait = Arc::clone(&wait);
        async move {
            let mut answer = serving.answer;
            answer.head(head(200, "text/event-stream")).await.unwrap();
            for event in EVENTS {
                answer.part(Bytes::from_static(event.as_bytes())).await.unwrap();
                // The last says that it is the last, and waits for the end.
                if !event.contains("[DONE]") {
                    wait.notified().await;
                }
            }
            answer.end(end()).await.unwrap();
        }
    })
    .await;
    let gateway = Gateway::to(&[&proxy]).await;
    let mut caller = gateway.caller().await;
    let mut answer = caller.begin("POST", "/v1/chat/completions", &[], STREAM).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert!(answer.headers().contains_key("x-request-id"));
    for event in EVENTS {
        let frame = timeout(Duration::from_secs(5), answer.frame())
            .await
            .expect("a part was held back");
        assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), event.as_bytes());
        read.notify_one();
    }
    assert!(answer.frame().await.is_none());
    assert!(
        gateway
            .metric("cocoon_client_model_tokens_total{kind=\"completion\"}")
            .await
            >= 5.0
    );
}

#[tokio::test]
async fn a_caller_that_goes_away_cancels_the_request() {
    let gone = Arc::new(Notify::new());
    let seen = Arc::clone(&gone);
    let proxy = FakeProxy::new(move |serving, turn| {
        let seen = Arc::clone(&seen);
        async move {
            let mut answer = serving.answer;
            if turn > 0 {
                answer.head(head(200, "text/event-stream")).await.unwrap();
                answer.part(Bytes::from_static(b"data: {}\n\n")).await.unwrap();
            }
            answer.cancelled().await;
            seen.notify_one();
        }
    })
    .await;
    let gateway = Gateway::to(&[&proxy]).await;
    // Before the answer.
    {
        let mut caller = gateway.caller().await;
        tokio::select! {
            _ = caller.begin("POST", "/v1/chat/completions", &[], CHAT) => panic!("it was answered"),
            () = eventually(async || proxy.count() == 1) => {}
        }
    }
    timeout(Duration::from_secs(5), gone.notified())
        .await
        .expect("the proxy was not told");
    // In the middle of it.
    {
        let mut caller = gateway.caller().await;
        let mut answer = caller.begin("POST", "/v1/chat/completions", &[], STREAM).await;
        answer.frame().await.unwrap().unwrap();
    }
    timeout(Duration::from_secs(5), gone.notified())
        .await
        .expect("the proxy was not told");
    eventually(async || gateway.metric("cocoon_client_open_requests").await <= 1.0).await;
    let line =
        "cocoon_client_requests_total{endpoint=\"/v1/chat/completions\",status=\"499\",fault=\"cancelled\"}";
    eventually(async || gateway.metric(line).await >= 2.0).await;
}

#[tokio::test]
async fn a_stream_that_breaks_off_ends_in_an_error_event_and_no_done() {
    let proxy = FakeProxy::new(|serving, turn| async move {
        let mut answer = serving.answer;
        answer
            .head(head(200, "text/event-stream; charset=utf-8"))
            .await
            .unwrap();
        answer
            .part(Bytes::from_static(b"data: {\"a\":1}\n\n"))
            .await
            .unwrap();
        if turn == 1 {
            answer.part(Bytes::from_static(b"data: {\"a\"")).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        let _ = answer
            .refuse(Refusal::new(Fault::WorkerLost, "the worker is gone"))
            .await;
    })
    .await;
    let gateway = Gateway::to(&[&proxy]).await;
    for cut in [false, true] {
        let reply = gateway.post("/v1/chat/completions", &[], STREAM).await;
        assert!(reply.complete && reply.status == 200);
        let text = reply.text();
        let events: Vec<_> = text.split_terminator("\n\n").collect();
        // Half an event is nothing that anybody could read: it does not go out.
        assert_eq!(events.len(), 2, "{cut}: {text}");
        assert_eq!(events[0], "data: {\"a\":1}");
        let error: serde_json::Value = serde_json::from_str(&events.last().unwrap()[6..]).unwrap();
        assert_eq!(error["error"]["code"], "worker_lost");
        assert_eq!(error["error"]["request_id"], reply.header("x-request-id"));
        assert!(!text.contains("[DONE]"));
    }
    assert_eq!(proxy.count(), 2, "nothing is tried again after the first byte");
}

#[tokio::test]
async fn an_answer_that_is_not_streamed_fails_as_a_whole() {
    let proxy = FakeProxy::new(|serving, turn| async move {
        let mut answer = serving.answer;
        answer.head(head(200, "application/json")).await.unwrap();
        let size = if turn == 0 { 1000 } else { 6_000_000 };
        answer.part(Bytes::from(vec![b'x'; size])).await.unwrap();
        let _ = answer
            .refuse(Refusal::new(Fault::EngineFailed, "the engine died"))
            .await;
    })
    .await;
    let gateway = Gateway::to(&[&proxy]).await;
    let reply = gateway.chat(&[]).await;
    assert_eq!((reply.status, reply.code().as_str()), (502, "engine_failed"));
    // Too large to be waited for: its connection is cut, so that it never looks whole.
    let reply = gateway.chat(&[]).await;
    assert_eq!(reply.status, 200);
    assert!(!reply.complete && reply.header("content-length").is_empty());
}

#[tokio::test]
async fn a_large_answer_arrives_whole() {
    let proxy = FakeProxy::new(|serving, _| async move {
        let mut answer = serving.answer;
        answer.head(head(200, "application/json")).await.unwrap();
        answer.part(Bytes::from(vec![b'x'; 9_000_000])).await.unwrap();
        answer.end(end()).await.unwrap();
    })
    .await;
    let gateway = Gateway::to(&[&proxy]).await;
    let reply = gateway.chat(&[]).await;
    assert!(reply.complete && reply.body.len() == 9_000_000);
}

#[tokio::test]
async fn the_deadline_holds_before_and_after_the_first_byte() {
    let proxy = FakeProxy::new(|serving, _| async move {
        let mut answer = serving.answer;
        if serving.head.endpoint == Endpoint::Completions {
            answer.head(head(200, "text/event-stream")).await.unwrap();
            answer.part(Bytes::from_static(b"data: {}\n\n")).await.unwrap();
        }
        answer.cancelled().await;
    })
    .await;
    let gateway = Gateway::to(&[&proxy]).await;
    let begun = Instant::now();
    let reply = gateway.chat(&[("x-cocoon-timeout", "0.3")]).await;
    assert_eq!((reply.status, reply.code().as_str()), (504, "timeout"));
    let body = r#"{"model":"m","prompt":"x","stream":true,"cocoon":{"timeout":0.3}}"#;
    let reply = gateway.post("/v1/completions", &[], body).await;
    assert!(reply.text().contains("\"code\":\"timeout\"") && !reply.text().contains("[DONE]"));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn models_are_listed_over_all_proxies() {
    let manner = |workers: &[(&'static str, i32)]| crate::support::proxy::Manner {
        workers: workers.to_vec(),
        ..Default::default()
    };
    let one = FakeProxy::with(manner(&[("a/b", 2000), ("c", 1000)]), |serving, _| {
        whole(serving, 200, "{}")
    })
    .await;
    let two = FakeProxy::with(manner(&[("a/b", 1500)]), |serving, _| whole(serving, 200, "{}")).await;
    let gateway = Gateway::to(&[&one, &two]).await;
    let list = gateway.get("/v1/models").await.json();
    assert_eq!(list["object"], "list");
    assert_eq!(list["data"][0]["id"], "a/b");
    assert_eq!(list["data"][0]["object"], "model");
    assert_eq!(list["data"][0]["cocoon"]["workers"], 2);
    assert_eq!(list["data"][0]["cocoon"]["min_coefficient"], 1500);
    assert_eq!(list["data"][1]["id"], "c");
    for path in ["/v1/models/a/b", "/v1/models/a%2Fb"] {
        assert_eq!(gateway.get(path).await.json()["id"], "a/b");
    }
    let reply = gateway.get("/v1/models/nothing").await;
    assert_eq!((reply.status, reply.code().as_str()), (404, "model_not_found"));
}

#[tokio::test]
async fn shutdown_lets_a_running_answer_end() {
    let pause = Duration::from_millis(300);
    let proxy = FakeProxy::new(move |serving, _| parts(serving, pause, EVENTS)).await;
    let mut gateway = Gateway::to(&[&proxy]).await;
    let mut caller = gateway.caller().await;
    let answer = caller.begin("POST", "/v1/chat/completions", &[], STREAM).await;
    gateway.shutdown.cancel();
    let reply = crate::support::caller::collect(answer).await;
    assert!(reply.complete && reply.text().ends_with("data: [DONE]\n\n"));
    timeout(Duration::from_secs(5), gateway.tasks.join_next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}
