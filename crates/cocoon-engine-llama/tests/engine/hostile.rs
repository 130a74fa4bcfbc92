use serde_json::{Value, json};

use crate::{ALIAS, FRANCE, ask, harness::Engine};

/// Whatever a text holds, it is answered or refused.
#[tokio::test]
async fn no_text_ends_the_process() {
    let Some(engine) = Engine::start(&["--context", "256"]).await else {
        return;
    };
    let texts = [
        String::new(),
        "\0\0\0".into(),
        "<|im_start|><|im_end|><|endoftext|>".repeat(30),
        " ".repeat(40_000),
        "a".repeat(60_000),
        "9".repeat(200),
        "\u{1F980}\u{200D}\u{FE0F}".repeat(15),
        "\n\t\r\u{85}\u{2028}".repeat(30),
        "'s'S\u{130}\u{df}".repeat(25),
        "\u{fffd}\u{ffff}\u{10ffff}".repeat(15),
    ];
    for text in &texts {
        let (status, answer) = engine
            .post("/v1/chat/completions", ask(text, json!({"max_tokens": 2})))
            .await;
        assert!(status == 200 || status == 400, "{status} {answer}");
        let (status, _) = engine
            .post("/v1/embeddings", json!({"model": ALIAS, "input": text}))
            .await;
        assert!(status == 200 || status == 400);
    }
    assert_lives(&engine).await;
}

async fn assert_lives(engine: &Engine) {
    let answer = engine.chat(ask(FRANCE, json!({}))).await;
    assert_eq!(
        answer["choices"][0]["message"]["content"],
        "The capital of France is Paris."
    );
}

/// Whatever the other members hold, likewise.
#[tokio::test]
async fn no_parameter_ends_the_process() {
    let Some(engine) = Engine::start(&["--context", "256"]).await else {
        return;
    };
    let all_tokens: Value = (0..60).map(|i| i * 800).collect::<Vec<i32>>().into();
    for more in [
        json!({"prompt": all_tokens}),
        json!({"prompt": [0], "max_tokens": 2_000_000_000, "ignore_eos": true}),
        json!({"prompt": [2], "temperature": 1e-30}),
        json!({"prompt": "x", "temperature": 2, "top_p": 0, "top_k": 1, "min_p": 1, "seed": i64::MIN}),
        json!({"prompt": "x", "temperature": 2, "top_p": 1, "top_k": -1, "min_p": 0, "seed": i64::MAX}),
        json!({"prompt": "x", "repetition_penalty": 0.01, "frequency_penalty": -2, "presence_penalty": -2}),
        json!({"prompt": "x", "repetition_penalty": 10, "frequency_penalty": 2, "presence_penalty": 2}),
        json!({"prompt": "x", "logprobs": 20, "n": 16}),
        json!({"prompt": "x", "stop": ["\u{1F980}", "\0", " "], "logit_bias": {"0": -100, "2": 100, "49151": 100}}),
        json!({"prompt": ["", "x"]}),
        json!({"prompt": [-1]}),
        json!({"prompt": [2_147_483_648_i64]}),
    ] {
        let mut body = json!({"model": ALIAS, "max_tokens": 3});
        if let (Value::Object(body), Value::Object(more)) = (&mut body, more.clone()) {
            body.extend(more);
        }
        let (status, answer) = engine.post("/v1/completions", body).await;
        assert!(status == 200 || status == 400, "{more}: {status} {answer}");
    }
    // Everything that the grammar admits is banned, and the end as well.
    let bias: Value = (0..1000)
        .map(|token| (token.to_string(), json!(-100)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let format = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": {"const": {"a": 1}}}});
    for temperature in [0, 1] {
        let more = json!({"response_format": format, "logit_bias": bias, "ignore_eos": true, "max_tokens": 30, "temperature": temperature});
        let answer = engine.chat(ask("x", more)).await;
        assert!(
            answer["choices"][0]["message"]["content"]
                .as_str()
                .unwrap()
                .starts_with("{\"a\": 1}"),
            "{answer}"
        );
    }
    assert_lives(&engine).await;
}

/// A context filled to its last token ends with `length`, and the slot serves the next request.
#[tokio::test]
async fn a_full_context_ends_with_length() {
    let Some(engine) = Engine::start(&["--context", "256", "--parallel", "1"]).await else {
        return;
    };
    for _ in 0..2 {
        let body = json!({"model": ALIAS, "prompt": "Once", "max_tokens": 100_000, "ignore_eos": true, "temperature": 0});
        let (status, answer) = engine.post("/v1/completions", body).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["choices"][0]["finish_reason"], "length");
        let usage = &answer["usage"];
        assert_eq!(
            usage["total_tokens"], 257,
            "the last token is drawn, not computed"
        );
    }
}
