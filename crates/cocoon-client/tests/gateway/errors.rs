//! Bad input: a clear error in OpenAI's shape, and the connection lives on.

use std::time::Duration;

use cocoon_types::{Fault, Refusal};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::support::{CHAT, Caller, FakeProxy, Gateway, options, whole};

async fn works(caller: &mut Caller) {
    let reply = caller.send("POST", "/v1/chat/completions", &[], CHAT).await;
    assert_eq!((reply.status, reply.text().as_str()), (200, "{}"));
}

#[tokio::test]
async fn each_error_has_its_status_and_code_and_the_connection_lives_on() {
    let proxy = FakeProxy::new(|serving, _| whole(serving, 200, "{}")).await;
    let gateway = Gateway::to(&[&proxy]).await;
    let mut caller = gateway.caller().await;
    let chat = "/v1/chat/completions";
    type Headers = &'static [(&'static str, &'static str)];
    let cases: &[(&str, &str, Headers, &str, u16, &str)] = &[
        ("POST", chat, &[], "{", 400, "invalid_value"),
        ("POST", chat, &[], "", 400, "invalid_value"),
        ("POST", chat, &[], "[1]", 400, "invalid_value"),
        ("POST", chat, &[], r#"{"model":"m"}"#, 400, "invalid_value"),
        ("POST", chat, &[], r#"{"messages":[]}"#, 400, "invalid_value"),
        (
            "POST",
            chat,
            &[],
            r#"{"model":"m","messages":[],"max_tokens":0}"#,
            400,
            "invalid_value",
        ),
        (
            "POST",
            chat,
            &[],
            r#"{"model":"a b","messages":[]}"#,
            404,
            "model_not_found",
        ),
        (
            "POST",
            chat,
            &[],
            r#"{"model":"m","messages":[],"cocoon":{"teir":"open"}}"#,
            400,
            "invalid_value",
        ),
        (
            "POST",
            chat,
            &[("x-cocoon-tier", "best")],
            CHAT,
            400,
            "invalid_value",
        ),
        (
            "POST",
            chat,
            &[("x-cocoon-timeout", "1e9")],
            CHAT,
            400,
            "invalid_value",
        ),
        (
            "POST",
            chat,
            &[("idempotency-key", "")],
            CHAT,
            400,
            "invalid_value",
        ),
        (
            "POST",
            chat,
            &[("content-encoding", "gzip")],
            CHAT,
            400,
            "invalid_value",
        ),
        (
            "POST",
            chat,
            &[("x-cocoon-tier", "confidential")],
            r#"{"model":"m","messages":[],"cocoon":{"tier":"open"}}"#,
            400,
            "invalid_value",
        ),
        ("POST", "/v1/nothing", &[], CHAT, 404, "unknown_url"),
        ("POST", "/v1/chat/completions/", &[], CHAT, 404, "unknown_url"),
        ("GET", "/", &[], "", 404, "unknown_url"),
        ("GET", chat, &[], "", 405, "method_not_allowed"),
        ("DELETE", "/v1/models", &[], "", 405, "method_not_allowed"),
        ("OPTIONS", chat, &[], "", 405, "method_not_allowed"),
    ];
    for (method, path, headers, body, status, code) in cases {
        let reply = caller.send(method, path, headers, body).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (*status, *code),
            "{method} {path} {body}"
        );
        assert!(!reply.header("x-request-id").is_empty());
        if *status == 405 {
            let allow = if *path == chat { "POST" } else { "GET, HEAD" };
            assert_eq!(reply.header("allow"), allow);
        }
        works(&mut caller).await;
    }
    assert_eq!(proxy.count(), cases.len());
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_and_the_connection_lives_on() {
    let proxy = FakeProxy::new(|serving, _| whole(serving, 200, "{}")).await;
    let mut options = options(&[&proxy]);
    options.max_body_bytes = Some(100_000);
    let gateway = Gateway::with(options).await;
    gateway.linked(1).await;
    let mut caller = gateway.caller().await;
    let reply = caller
        .send("POST", "/v1/chat/completions", &[], &" ".repeat(100_001))
        .await;
    assert_eq!((reply.status, reply.code().as_str()), (413, "request_too_large"));
    works(&mut caller).await;
    // A length that is absurd is refused before anything of it is sent.
    let mut stream = TcpStream::connect(gateway.addr).await.unwrap();
    stream
        .write_all(b"POST /v1/embeddings HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999999\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    timeout(Duration::from_secs(5), stream.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 413") && answer.contains("connection: close"),
        "{answer}"
    );
}

#[tokio::test]
async fn garbage_after_a_request_ends_that_connection_only() {
    let proxy = FakeProxy::new(|serving, _| whole(serving, 200, "{}")).await;
    let gateway = Gateway::to(&[&proxy]).await;
    let mut other = gateway.caller().await;
    works(&mut other).await;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
        CHAT.len()
    );
    // Two requests in a row are both answered; what follows them is not HTTP.
    let bytes = format!("{head}{CHAT}{head}{CHAT}\x00GARBAGE\r\n\r\n");
    let mut stream = TcpStream::connect(gateway.addr).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(5), stream.read_to_end(&mut answer))
        .await
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&answer).matches("HTTP/1.1 200").count(),
        2
    );
    works(&mut other).await;
}

#[tokio::test]
async fn a_peers_refusal_becomes_an_error_of_the_table() {
    let faults = [
        (Fault::InvalidRequest, 400, "invalid_value"),
        (Fault::UnsupportedField, 400, "unsupported_parameter"),
        (Fault::ContextTooLong, 400, "context_length_exceeded"),
        (Fault::UnknownModel, 404, "model_not_found"),
        (Fault::PriceTooLow, 503, "price_too_low"),
        (Fault::Busy, 503, "workers_busy"),
        (Fault::NoWorker, 503, "no_worker"),
        (Fault::EngineFailed, 502, "engine_failed"),
        (Fault::Draining, 503, "shutting_down"),
        // A proxy has no keys of ours to judge.
        (Fault::Unauthorized, 502, "protocol_violation"),
    ];
    let proxy = FakeProxy::new(move |serving, turn| async move {
        let _ = serving.answer.refuse(Refusal::new(faults[turn].0, "words")).await;
    })
    .await;
    let gateway = Gateway::to(&[&proxy]).await;
    for (_, status, code) in faults {
        let reply = gateway.chat(&[]).await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code));
        assert_eq!(reply.header("retry-after").is_empty(), status != 503);
        assert_eq!(reply.json()["error"]["message"], "words");
    }
}

#[tokio::test]
async fn without_a_proxy_requests_are_refused_with_a_hint() {
    let proxy = FakeProxy::new(|serving, _| whole(serving, 200, "{}")).await;
    let mut options = options(&[]);
    options.proxies = vec!["127.0.0.1:1".into()];
    let gateway = Gateway::with(options).await;
    let reply = gateway.chat(&[]).await;
    assert_eq!((reply.status, reply.code().as_str()), (503, "no_worker"));
    assert!(reply.text().contains("hint"));
    assert_eq!(gateway.get("/health").await.status, 503);
    assert_eq!(
        gateway.get("/v1/models").await.json()["data"],
        serde_json::json!([])
    );
    assert_eq!(proxy.count(), 0);
}
