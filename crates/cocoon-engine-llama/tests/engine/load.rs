use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http_body_util::BodyExt as _;
use hyper::Method;
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{FRANCE, ask, harness::Engine};

#[tokio::test]
async fn many_at_once_get_the_answers_they_would_get_alone() {
    let Some(engine) = Engine::start(&[]).await else {
        return;
    };
    let questions = [
        FRANCE,
        "What is 7+5? Answer in one sentence.",
        "Name a colour.",
        "Who wrote Hamlet? Answer in one sentence.",
        "What is the opposite of hot?",
        "Say hello in one word.",
    ];
    let body = |question: &&str| ask(question, json!({"max_tokens": 24}));
    let together = join_all(questions.iter().map(|question| engine.chat(body(question)))).await;
    for (question, answer) in questions.iter().zip(&together) {
        let alone = engine.chat(body(question)).await;
        assert_eq!(alone["usage"]["prompt_tokens"], answer["usage"]["prompt_tokens"]);
        let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
        assert!(!text.is_empty());
        if *question == FRANCE {
            assert!(text.contains("Paris"), "{text}");
        }
    }
}

/// Several answers to one long prompt: it is computed once and its memory copied from slot to slot.
#[tokio::test]
async fn copied_beginnings_answer_as_computed_ones_do() {
    let Some(engine) = Engine::start(&[]).await else {
        return;
    };
    let question = format!("{}\n{FRANCE}", "Some words to begin with. ".repeat(60));
    let body = |n: u32| ask(&question, json!({"n": n, "max_tokens": 12}));
    let four = engine.chat(body(4)).await;
    let (prompt, cached) = (
        four["usage"]["prompt_tokens"].as_u64().unwrap(),
        four["usage"]["prompt_tokens_details"]["cached_tokens"]
            .as_u64()
            .unwrap(),
    );
    assert!(prompt > 300 && cached == 0, "{four}");
    for choice in 0..4 {
        assert_eq!(four["choices"][choice]["message"], four["choices"][0]["message"]);
    }
    let text = four["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(text.contains("Paris"), "{text}");
    // Another caller with the same beginning finds it, in whichever slot.
    let other = ask(&format!("{question} Say it twice."), json!({"max_tokens": 2}));
    let other = engine.chat(other).await;
    let found = &other["usage"]["prompt_tokens_details"]["cached_tokens"];
    assert!(found.as_u64().unwrap() > 300, "{other}");
}

#[tokio::test]
async fn who_hangs_up_frees_the_engine_at_once() {
    let Some(engine) = Engine::start(&["--parallel", "1"]).await else {
        return;
    };
    let endless = || {
        ask(
            "Write a long story.",
            json!({"max_tokens": 4000, "ignore_eos": true}),
        )
    };
    // Streamed: dropped after the first chunk.
    let mut stream = engine.stream("/v1/chat/completions", endless()).await.into_body();
    stream.frame().await.unwrap().unwrap();
    drop(stream);
    // Not streamed: dropped while it is computed.
    let request = engine.request(Method::POST, "/v1/chat/completions", endless().to_string());
    assert!(
        timeout(Duration::from_millis(500), engine.send(request))
            .await
            .is_err()
    );
    let begun = Instant::now();
    let answer = engine.chat(ask(FRANCE, json!({}))).await;
    assert_eq!(answer["usage"]["completion_tokens"], 8);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_full_line_says_503_and_empties_again() {
    let Some(engine) = Engine::start(&["--parallel", "1"]).await else {
        return;
    };
    let body = ask(
        "Write a long story.",
        json!({"max_tokens": 4000, "ignore_eos": true}),
    )
    .to_string();
    let engine = std::sync::Arc::new(engine);
    let mut callers = JoinSet::new();
    for _ in 0..65 {
        let (engine, body) = (engine.clone(), body.clone());
        callers.spawn(async move {
            engine
                .send(engine.request(Method::POST, "/v1/chat/completions", body))
                .await
        });
    }
    let mut refused = None;
    for _ in 0..100 {
        sleep(Duration::from_millis(50)).await;
        let (status, answer) = engine
            .post("/v1/chat/completions", ask(FRANCE, json!({"max_tokens": 1})))
            .await;
        if status == 503 {
            refused = Some(answer);
            break;
        }
    }
    assert_eq!(
        refused.expect("the line never filled")["error"]["code"],
        "workers_busy"
    );
    callers.shutdown().await;
    let mut status = 503;
    for _ in 0..100 {
        if status == 200 {
            break;
        }
        sleep(Duration::from_millis(50)).await;
        status = engine
            .post("/v1/chat/completions", ask(FRANCE, json!({})))
            .await
            .0;
    }
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_reader_that_stops_reading_does_not_hold_up_others() {
    let Some(engine) = Engine::start(&["--parallel", "2"]).await else {
        return;
    };
    let endless = ask(
        "Write a long story.",
        json!({"max_tokens": 3000, "ignore_eos": true}),
    );
    let _unread = engine.stream("/v1/chat/completions", endless).await;
    let answer = engine.chat(ask(FRANCE, json!({}))).await;
    assert_eq!(answer["usage"]["completion_tokens"], 8);
}
