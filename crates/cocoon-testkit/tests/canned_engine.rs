//! The worker's side of an engine (`cocoon-engine`, `cocoon-openai`) against the canned engine.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use cocoon_engine::{BuiltInEngine, BuiltInOptions, Engine, EngineKind, EngineOptions, Timers, detect};
use cocoon_openai::{Metered, RequestBody, UsageMeter};
use cocoon_testkit::canned::{CannedEngine, CannedFault, CannedOptions, Outcome, part_text};
use cocoon_types::{Endpoint, Fault, Refusal, Usage};
use serde_json::{Value, json};
use tokio::time::Instant;

async fn start() -> (CannedEngine, Engine) {
    start_with(CannedOptions::default()).await
}

async fn start_with(options: CannedOptions) -> (CannedEngine, Engine) {
    let canned = CannedEngine::start(options).await.unwrap();
    let timers = Timers {
        idle: Duration::from_secs(1),
        ..Timers::default()
    };
    let options = EngineOptions { key: None, timers };
    let engine = Engine::new(canned.url().parse().unwrap(), EngineKind::Vllm, &options);
    (canned, engine)
}

/// A chat request with these members besides.
fn chat(members: Value) -> RequestBody {
    let mut body =
        json!({"model": "any", "messages": [{"role": "user", "content": "five words are in this"}]});
    body.as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    RequestBody::parse(Endpoint::ChatCompletions, &body.to_string().into()).unwrap()
}

/// What a worker does: agrees, asks, meters; the caller's bytes and the end.
async fn ask(engine: &Engine, mut body: RequestBody) -> Result<(String, Metered), Refusal> {
    body.agree("canned", 100)?;
    let mut answer = engine
        .call(&body, Instant::now() + Duration::from_secs(20))
        .await?;
    assert_eq!(answer.status, 200);
    let mut meter = UsageMeter::for_content_type(answer.content_type, body.wants_usage_chunk());
    let mut passed = Vec::new();
    while let Some(piece) = answer.body.next().await {
        passed.extend_from_slice(&meter.push(piece?)?);
    }
    let metered = meter.finish()?;
    passed.extend_from_slice(&metered.rest);
    Ok((String::from_utf8_lossy(&passed).into_owned(), metered))
}

/// The data of every event of a stream.
fn events(stream: &str) -> Vec<Value> {
    let data = stream
        .split("\n\n")
        .filter_map(|event| event.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

fn usage(prompt: u64, completion: u64) -> Option<Usage> {
    Some(Usage::new(prompt, 0, completion, 0).unwrap())
}

#[tokio::test]
async fn a_stream_comes_whole_and_its_usage_is_counted() {
    let (canned, engine) = start().await;
    for (wants, options) in [
        (false, json!({})),
        (true, json!({"stream_options": {"include_usage": true}})),
    ] {
        let mut members = json!({"stream": true, "max_tokens": 5});
        members
            .as_object_mut()
            .unwrap()
            .extend(options.as_object().unwrap().clone());
        let (stream, metered) = ask(&engine, chat(members)).await.unwrap();
        assert_eq!(
            (metered.usage, metered.complete),
            (usage(5, 8), true),
            "the agreed limit is the one that holds"
        );
        assert!(stream.ends_with("data: [DONE]\n\n"));
        let events = events(&stream);
        let text: String = events
            .iter()
            .filter_map(|event| event["choices"][0]["delta"]["content"].as_str())
            .collect();
        assert_eq!(text, (0..8).map(part_text).collect::<String>());
        assert_eq!(events.iter().any(|event| event["usage"].is_object()), wants);
    }
    let sent = &canned.records()[0].json();
    assert_eq!(
        (&sent["model"], &sent["max_tokens"]),
        (&json!("canned"), &json!(100))
    );
    assert_eq!(sent["stream_options"], json!({"include_usage": true}));
}

#[tokio::test]
async fn running_usage_of_many_choices_ends_in_the_sum() {
    let (_canned, engine) = start().await;
    let members = json!({"stream": true, "n": 3, "stream_options": {"continuous_usage_stats": true}});
    let (stream, metered) = ask(&engine, chat(members)).await.unwrap();
    assert_eq!(metered.usage, usage(5, 24));
    assert!(
        events(&stream)
            .iter()
            .all(|event| !event["choices"].as_array().unwrap().is_empty())
    );
}

#[tokio::test]
async fn answers_in_one_piece_are_counted_for_every_endpoint() {
    let (_canned, engine) = start_with(CannedOptions {
        cached_tokens: 3,
        reasoning_tokens: 2,
        ..CannedOptions::default()
    })
    .await;
    let (text, metered) = ask(&engine, chat(json!({}))).await.unwrap();
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert_eq!(metered.usage, Some(Usage::new(5, 3, 8, 2).unwrap()));

    let completion = Bytes::from_static(b"{\"model\":\"any\",\"prompt\":[\"a b\",\"c\"],\"x_echo\":true}");
    let completion = RequestBody::parse(Endpoint::Completions, &completion).unwrap();
    let (text, metered) = ask(&engine, completion).await.unwrap();
    assert!(text.contains("c "));
    assert_eq!(metered.usage, Some(Usage::new(3, 3, 16, 2).unwrap()));

    let input =
        Bytes::from_static(b"{\"model\":\"any\",\"input\":[\"a b\",\"c\"],\"encoding_format\":\"base64\"}");
    let (text, metered) = ask(&engine, RequestBody::parse(Endpoint::Embeddings, &input).unwrap())
        .await
        .unwrap();
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (body["data"].as_array().unwrap().len(), metered.usage),
        (2, usage(3, 0))
    );
    assert!(body["data"][1]["embedding"].is_string());
}

#[tokio::test]
async fn tools_and_formats_are_answered() {
    let (_canned, engine) = start().await;
    let tools = json!([{"type": "function", "function": {"name": "look"}}]);
    let (text, _) = ask(&engine, chat(json!({"tools": tools, "tool_choice": "required"})))
        .await
        .unwrap();
    assert!(text.contains("\"tool_calls\"") && text.contains("\"name\":\"look\""));
    let named = json!({"tools": tools, "tool_choice": {"type": "function", "function": {"name": "look"}}, "stream": true});
    let (stream, _) = ask(&engine, chat(named)).await.unwrap();
    let calls: Vec<Value> = events(&stream)
        .iter()
        .map(|event| event["choices"][0]["delta"]["tool_calls"][0].clone())
        .collect();
    let arguments: String = calls
        .iter()
        .filter_map(|call| call["function"]["arguments"].as_str())
        .collect();
    assert_eq!(arguments, "{\"canned\": true}");
    let (text, _) = ask(&engine, chat(json!({"tools": tools, "tool_choice": "auto"})))
        .await
        .unwrap();
    assert!(!text.contains("tool_calls"));
    let (text, _) = ask(&engine, chat(json!({"response_format": {"type": "json_object"}})))
        .await
        .unwrap();
    assert!(text.contains(r#"{\"canned\": true}"#));
}

#[tokio::test]
async fn every_fault_is_told_from_an_answer() {
    let (canned, engine) = start().await;
    for stream in [true, false] {
        for (fault, expected) in [
            ("cut", Fault::EngineFailed),
            ("500", Fault::EngineFailed),
            ("503", Fault::Busy),
            ("hang-mid", Fault::Timeout),
        ] {
            let refusal = ask(&engine, chat(json!({"x_fault": fault, "stream": stream})))
                .await
                .unwrap_err();
            assert_eq!(refusal.fault, expected, "{fault} {stream}");
        }
    }
    for (fault, stream) in [("garbage", false), ("huge-line", true)] {
        let refusal = ask(&engine, chat(json!({"x_fault": fault, "stream": stream})))
            .await
            .unwrap_err();
        assert_eq!(refusal.fault, Fault::EngineFailed, "{fault}");
    }
    for (fault, stream) in [
        ("no-usage", true),
        ("no-usage", false),
        ("wrong-usage", true),
        ("wrong-usage", false),
    ] {
        let (_, metered) = ask(&engine, chat(json!({"x_fault": fault, "stream": stream})))
            .await
            .unwrap();
        assert_eq!((metered.usage, metered.complete), (None, true), "{fault}");
    }
    for fault in ["garbage", "no-done"] {
        let (stream, metered) = ask(&engine, chat(json!({"x_fault": fault, "stream": true})))
            .await
            .unwrap();
        assert!(!metered.complete && !stream.contains("[DONE]"), "{fault}");
    }
    let (_, metered) = ask(&engine, chat(json!({"x_fault": "error-event", "stream": true})))
        .await
        .unwrap();
    assert!(metered.engine_error);

    canned.set_fault(Some(CannedFault::Hang));
    let hanging = engine
        .call(
            &chat(json!({"model": "canned"})),
            Instant::now() + Duration::from_millis(200),
        )
        .await;
    assert_eq!(hanging.map(|_| ()).unwrap_err().fault, Fault::Timeout);
    canned
        .wait_until(|records| records.last().unwrap().outcome == Outcome::Dropped)
        .await
        .unwrap();
}

#[tokio::test]
async fn refusals_of_the_engine_are_answers() {
    let (_canned, engine) = start_with(CannedOptions {
        context_length: 4,
        ..CannedOptions::default()
    })
    .await;
    for (model, status) in [("canned", 400), ("other", 404), ("canned#418", 418)] {
        let words = if status == 400 {
            "one two three four five"
        } else {
            "one"
        };
        let body = chat(json!({"model": model, "messages": [{"role": "user", "content": words}]}));
        let answer = engine
            .call(&body, Instant::now() + Duration::from_secs(5))
            .await
            .unwrap();
        assert_eq!((answer.status, answer.content_type), (status, "application/json"));
        assert!(
            answer
                .body
                .collect(1000)
                .await
                .unwrap()
                .starts_with(b"{\"error\"")
        );
    }
}

#[tokio::test]
async fn an_answer_that_nobody_wants_any_more_stops_the_engine() {
    let (canned, engine) = start().await;
    for stream in [true, false] {
        let mut body = chat(json!({"stream": stream, "x_parts": 100, "x_pace_ms": 20}));
        body.agree("canned", 100).unwrap();
        if stream {
            let mut answer = engine
                .call(&body, Instant::now() + Duration::from_secs(20))
                .await
                .unwrap();
            assert!(answer.body.next().await.unwrap().is_ok());
        } else {
            let asked = engine.call(&body, Instant::now() + Duration::from_secs(20));
            assert!(
                tokio::time::timeout(Duration::from_millis(100), asked)
                    .await
                    .is_err()
            );
        }
        let records = canned
            .wait_until(|records| records.last().unwrap().outcome == Outcome::Dropped)
            .await
            .unwrap();
        assert!(records.last().unwrap().parts < 100);
    }
    assert_eq!(canned.running(), 0);
}

#[tokio::test]
async fn what_the_caller_sent_reaches_the_engine_byte_for_byte() {
    let (canned, engine) = start().await;
    let text = r#"{ "model":"any", "messages":[{"role":"user","content":"\u00e9 \"x\""}], "x_odd" : [1.50e+3, {"a":-0.0}] }"#;
    let body = RequestBody::parse(Endpoint::ChatCompletions, &Bytes::from_static(text.as_bytes())).unwrap();
    ask(&engine, body).await.unwrap();
    let expected = r#"{"model":"canned","messages":[{"role":"user","content":"\u00e9 \"x\""}],"x_odd":[1.50e+3, {"a":-0.0}],"max_tokens":100}"#;
    assert_eq!(canned.records()[0].body, expected);
}

#[tokio::test]
async fn a_killed_engine_breaks_its_streams_and_is_found_again() {
    let (canned, engine) = start().await;
    assert_eq!(
        detect(&canned.url().parse().unwrap(), &EngineOptions::default()).await,
        Some(EngineKind::Vllm)
    );
    assert!(engine.health().await);
    let models = engine.models().await.unwrap();
    assert_eq!(
        (models[0].id.as_str(), models[0].context_length),
        ("canned", Some(4096))
    );

    let mut body = chat(json!({"stream": true, "x_parts": 50, "x_pace_ms": 50}));
    body.agree("canned", 100).unwrap();
    let mut answer = engine
        .call(&body, Instant::now() + Duration::from_secs(20))
        .await
        .unwrap();
    assert!(answer.body.next().await.unwrap().is_ok());
    let listen = canned.addr();
    canned.kill().await;
    let last = loop {
        if let Err(refusal) = answer.body.next().await.expect("a cut stream ends in an error") {
            break refusal;
        }
    };
    assert_eq!(last.fault, Fault::EngineFailed);
    assert!(!engine.health().await);

    let again = CannedEngine::start(CannedOptions {
        listen,
        ..CannedOptions::default()
    });
    let _again = again.await.unwrap();
    assert!(ask(&engine, chat(json!({}))).await.is_ok());
}

/// The example, which Cargo builds beside the tests.
fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests
        .parent()
        .unwrap()
        .with_file_name("examples")
        .join("canned-engine");
    assert!(
        path.exists(),
        "{} is built by `cargo test -p cocoon-testkit`",
        path.display()
    );
    path
}

#[tokio::test]
async fn as_a_process_it_stands_in_for_the_built_in_engine() {
    let options = BuiltInOptions::new(program(), "/model.gguf", "canned");
    let built_in = BuiltInEngine::start(options);
    let ready = built_in
        .ready(Instant::now() + Duration::from_secs(20))
        .await
        .unwrap();
    assert_eq!((ready.model.as_str(), ready.context_length), ("canned", 4096));
    let engine = built_in.engine();
    let (stream, metered) = ask(&engine, chat(json!({"stream": true}))).await.unwrap();
    assert!(stream.contains("part7") && metered.usage == usage(5, 8));

    // It dies in the middle of a stream: the stream breaks, the engine comes back, the next request works.
    let mut body = chat(json!({"stream": true, "x_parts": 100, "x_pace_ms": 50}));
    body.agree("canned", 100).unwrap();
    let mut answer = engine
        .call(&body, Instant::now() + Duration::from_secs(20))
        .await
        .unwrap();
    assert!(answer.body.next().await.unwrap().is_ok());
    let killed = std::process::Command::new("kill")
        .args(["-9", &ready.pid.to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let mut last = Ok(Bytes::new());
    while let Some(piece) = answer.body.next().await {
        last = piece;
    }
    assert_eq!(last.unwrap_err().fault, Fault::EngineFailed);
    let mut state = built_in.state();
    state.wait_for(|state| !state.is_ready()).await.unwrap();
    assert!(ask(&engine, chat(json!({}))).await.is_ok());
    built_in.shutdown().await;
}
