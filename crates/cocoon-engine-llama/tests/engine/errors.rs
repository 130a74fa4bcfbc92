use hyper::Method;
use serde_json::{Value, json};

use crate::{ALIAS, FRANCE, ask, harness::Engine};

#[track_caller]
fn check((status, answer): (u16, Value), expected: u16, code: &str, param: Value) {
    assert_eq!(status, expected, "{answer}");
    let error = &answer["error"];
    assert_eq!(
        (&error["code"], &error["param"]),
        (&json!(code), &param),
        "{answer}"
    );
    assert!(error["message"].is_string() && error["type"].is_string());
}

#[tokio::test]
async fn errors_are_openais_and_the_connection_lives_on() {
    let Some(engine) = Engine::start(&["--context", "512"]).await else {
        return;
    };
    let chat = "/v1/chat/completions";
    for path in [chat, "/v1/completions", "/v1/embeddings"] {
        check(
            engine.post(path, "{\"model\":").await,
            400,
            "invalid_value",
            Value::Null,
        );
        check(engine.post(path, "[]").await, 400, "invalid_value", Value::Null);
        check(
            engine.post(path, "{}").await,
            400,
            "invalid_value",
            json!("model"),
        );
        check(engine.get(path).await, 405, "method_not_allowed", Value::Null);
        let other = json!({"model": "other", "messages": [{"role": "user", "content": "x"}], "prompt": "x", "input": "x"});
        check(
            engine.post(path, other).await,
            404,
            "model_not_found",
            Value::Null,
        );
        check(
            engine.post(path, " ".repeat(5 << 20)).await,
            413,
            "request_too_large",
            Value::Null,
        );
    }
    check(engine.get("/v2").await, 404, "unknown_url", Value::Null);
    check(
        engine.get("/v1/models/other").await,
        404,
        "model_not_found",
        Value::Null,
    );
    check(
        engine.post(chat, ask("x", json!({"temperature": 9}))).await,
        400,
        "invalid_value",
        json!("temperature"),
    );
    check(
        engine
            .post(chat, ask("x", json!({"logit_bias": {"99999": 1}})))
            .await,
        400,
        "invalid_value",
        json!("logit_bias"),
    );
    let image = json!({"model": ALIAS, "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]});
    check(
        engine.post(chat, image).await,
        400,
        "unsupported_parameter",
        json!("messages[0].content[0]"),
    );
    let token = json!({"model": ALIAS, "prompt": [49152]});
    check(
        engine.post("/v1/completions", token).await,
        400,
        "invalid_value",
        Value::Null,
    );
    check(
        engine
            .post("/v1/completions", json!({"model": ALIAS, "prompt": ""}))
            .await,
        400,
        "invalid_value",
        Value::Null,
    );
    let long = engine.post(chat, ask(&"hello ".repeat(600), json!({}))).await;
    let message = long.1["error"]["message"].as_str().unwrap().to_owned();
    check(long, 400, "context_length_exceeded", Value::Null);
    assert!(
        message.contains("512 tokens") && message.contains("631 tokens"),
        "{message}"
    );
    let longer = engine.post(chat, ask(&"hello ".repeat(600_000), json!({}))).await;
    check(longer, 400, "context_length_exceeded", Value::Null);
    assert_eq!(
        engine.chat(ask(FRANCE, json!({}))).await["usage"]["total_tokens"],
        50
    );
}

#[tokio::test]
async fn models_and_health() {
    let Some(engine) = Engine::start(&[]).await else {
        return;
    };
    assert_eq!(engine.get("/health").await, (200, json!({"status": "ok"})));
    let (status, list) = engine.get("/v1/models").await;
    assert_eq!((status, &list["object"]), (200, &json!("list")));
    assert_eq!(
        (&list["data"][0]["id"], &list["data"][0]["max_model_len"]),
        (&json!(ALIAS), &json!(4096))
    );
    assert_eq!(engine.get(&format!("/v1/models/{ALIAS}")).await.1["id"], ALIAS);
}

#[tokio::test]
async fn browsers_stay_outside() {
    let Some(engine) = Engine::start(&[]).await else {
        return;
    };
    for (name, value) in [("host", "evil.example"), ("origin", "https://evil.example")] {
        let mut request = engine.request(
            Method::POST,
            "/v1/chat/completions",
            ask(FRANCE, json!({})).to_string(),
        );
        request.headers_mut().insert(name, value.parse().unwrap());
        assert_eq!(engine.send(request).await.status(), 403, "{name}");
    }
}
