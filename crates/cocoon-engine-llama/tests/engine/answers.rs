use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::{ALIAS, FRANCE, ask, harness::Engine};

#[tokio::test]
async fn the_capital_of_france_with_exact_usage() {
    let Some(engine) = Engine::start(&[]).await else {
        return;
    };
    assert_eq!(
        (
            engine.ready["model"].as_str(),
            engine.ready["context_length"].as_u64()
        ),
        (Some(ALIAS), Some(4096))
    );
    let answer = engine.chat(ask(FRANCE, json!({}))).await;
    let message = &answer["choices"][0]["message"];
    assert_eq!(message["content"], "The capital of France is Paris.");
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert_eq!(
        (&answer["object"], &answer["model"]),
        (&json!("chat.completion"), &json!(ALIAS))
    );
    let usage = json!({
        "prompt_tokens": 42, "completion_tokens": 8, "total_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    });
    assert_eq!(answer["usage"], usage);
    // The same again: all of the prompt but its last token is still in the slot, and the answer is the same.
    let again = engine.chat(ask(FRANCE, json!({}))).await;
    assert_eq!(again["choices"], answer["choices"]);
    assert_eq!(again["usage"]["prompt_tokens_details"]["cached_tokens"], 41);
    assert_ne!(again["id"], answer["id"]);
    // A conversation that goes on finds prompt and answer in the slot.
    let next = engine
        .chat(
            json!({"model": ALIAS, "temperature": 0, "max_tokens": 4, "messages": [
                {"role": "user", "content": FRANCE},
                {"role": "assistant", "content": message["content"]},
                {"role": "user", "content": "And of Italy?"},
            ]}),
        )
        .await;
    assert_eq!(next["usage"]["prompt_tokens_details"]["cached_tokens"], 49);
}

#[tokio::test]
async fn a_stream_has_the_shape_of_openai() {
    let Some(engine) = Engine::start(&[]).await else {
        return;
    };
    let body = ask(FRANCE, json!({"stream_options": {"include_usage": true}}));
    let events = engine.events("/v1/chat/completions", body).await;
    assert_eq!(
        events[0]["choices"][0]["delta"],
        json!({"role": "assistant", "content": "", "refusal": null})
    );
    let (last, chunks) = events.split_last().unwrap();
    let text: String = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert_eq!(text, "The capital of France is Paris.");
    assert_eq!(chunks.len(), 1 + 7 + 1, "role, one chunk per token, finish");
    for (index, chunk) in chunks.iter().enumerate() {
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert_eq!(chunk["id"], events[0]["id"]);
        assert!(chunk["usage"].is_null() && chunk.get("usage").is_some());
        let finish = &chunk["choices"][0]["finish_reason"];
        assert_eq!(*finish, if index == 8 { json!("stop") } else { Value::Null });
    }
    assert_eq!(chunks[8]["choices"][0]["delta"], json!({}));
    assert_eq!(last["choices"], json!([]));
    assert_eq!(
        (
            last["usage"]["prompt_tokens"].as_u64(),
            last["usage"]["completion_tokens"].as_u64()
        ),
        (Some(42), Some(8))
    );
    // Without the option there is no usage anywhere.
    let plain = engine
        .events("/v1/chat/completions", ask(FRANCE, json!({})))
        .await;
    assert!(plain.iter().all(|chunk| chunk.get("usage").is_none()));
    assert_eq!(plain.len(), 9);
}

#[tokio::test]
async fn chunks_come_as_they_are_made() {
    let Some(engine) = Engine::start(&[]).await else {
        return;
    };
    let body = ask("Count.", json!({"max_tokens": 60, "ignore_eos": true}));
    let mut response = engine.stream("/v1/chat/completions", body).await.into_body();
    let (begun, mut arrivals) = (Instant::now(), Vec::new());
    while let Some(frame) = response.frame().await {
        if frame
            .unwrap()
            .data_ref()
            .is_some_and(|data| data.starts_with(b"data"))
        {
            arrivals.push(begun.elapsed());
        }
    }
    let spread = *arrivals.last().unwrap() - arrivals[0];
    assert!(arrivals.len() > 30, "{} pieces", arrivals.len());
    assert!(spread > Duration::from_millis(50), "{spread:?}");
}

#[tokio::test]
async fn limits_stops_seeds_and_several_answers() {
    let Some(engine) = Engine::start(&[]).await else {
        return;
    };
    let limited = engine
        .chat(ask(FRANCE, json!({"max_completion_tokens": 3})))
        .await;
    assert_eq!(limited["choices"][0]["message"]["content"], "The capital of");
    assert_eq!(limited["choices"][0]["finish_reason"], "length");
    assert_eq!(limited["usage"]["completion_tokens"], 3);
    // "France" is one token with its blank: the stop string ends inside it, and the blank is sent.
    let stopped = engine
        .chat(ask(FRANCE, json!({"stop": ["rance is", "nowhere"]})))
        .await;
    assert_eq!(stopped["choices"][0]["message"]["content"], "The capital of F");
    assert_eq!(stopped["choices"][0]["finish_reason"], "stop");
    let streamed = engine
        .events("/v1/chat/completions", ask(FRANCE, json!({"stop": "rance is"})))
        .await;
    let text: String = streamed
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert_eq!(text, "The capital of F");
    let story = |seed: u32, n: u32| {
        ask(
            "Tell me a story.",
            json!({"temperature": 1, "seed": seed, "n": n, "max_tokens": 12}),
        )
    };
    let two = engine.chat(story(7, 2)).await;
    assert_eq!(two["choices"][1]["index"], 1);
    assert_ne!(two["choices"][0]["message"], two["choices"][1]["message"]);
    assert_eq!(two["usage"]["completion_tokens"], 24);
    assert_eq!(
        two["usage"]["prompt_tokens"],
        engine.chat(story(8, 1)).await["usage"]["prompt_tokens"]
    );
    let same = engine.chat(story(7, 1)).await;
    assert_eq!(
        same["choices"][0]["message"], two["choices"][0]["message"],
        "a seed repeats its answer"
    );
    let banned = engine
        .chat(ask(
            FRANCE,
            json!({"logit_bias": {"504": -100, "1": 0}, "max_tokens": 8}),
        ))
        .await;
    assert_eq!(banned["usage"]["prompt_tokens"], 42);
    let penalised = ask(
        "Repeat: a a a a",
        json!({"frequency_penalty": 2, "presence_penalty": 2, "max_tokens": 8}),
    );
    assert_eq!(
        engine.chat(penalised).await["usage"]["completion_tokens"]
            .as_u64()
            .unwrap()
            .min(8),
        8
    );
}

#[tokio::test]
async fn text_completions_and_logprobs() {
    let Some(engine) = Engine::start(&[]).await else {
        return;
    };
    let body = json!({"model": ALIAS, "prompt": "The capital of France is", "max_tokens": 2, "temperature": 0, "logprobs": 2});
    let (status, answer) = engine.post("/v1/completions", body).await;
    assert_eq!(status, 200, "{answer}");
    let choice = &answer["choices"][0];
    assert!(choice["text"].as_str().unwrap().starts_with(" Paris"), "{choice}");
    assert_eq!(choice["logprobs"]["tokens"].as_array().unwrap().len(), 2);
    assert_eq!(choice["logprobs"]["text_offset"], json!([0, 6]));
    assert_eq!(
        (&answer["object"], &answer["usage"]["prompt_tokens"]),
        (&json!("text_completion"), &json!(5))
    );
    // Two prompts, one of them as token ids, streamed.
    let body = json!({"model": ALIAS, "prompt": [[504, 3575], [504]], "max_tokens": 3, "temperature": 0,
        "stream_options": {"include_usage": true}});
    let events = engine.events("/v1/completions", body).await;
    let finished: Vec<_> = events
        .iter()
        .filter(|event| event["choices"][0]["finish_reason"].is_string())
        .collect();
    assert_eq!(finished.len(), 2);
    assert_eq!(events.last().unwrap()["usage"]["prompt_tokens"], 3);
    assert_eq!(events.last().unwrap()["usage"]["completion_tokens"], 6);
    let chat = engine
        .chat(ask(FRANCE, json!({"logprobs": true, "top_logprobs": 3})))
        .await;
    let tokens = chat["choices"][0]["logprobs"]["content"].as_array().unwrap();
    assert_eq!(tokens.len(), 7);
    let text: String = tokens
        .iter()
        .map(|token| token["token"].as_str().unwrap())
        .collect();
    assert_eq!(text, "The capital of France is Paris.");
    for token in tokens {
        let top = token["top_logprobs"].as_array().unwrap();
        assert_eq!(top.len(), 3);
        assert_eq!(top[0]["token"], token["token"], "greedy takes the likeliest");
        assert!(token["logprob"].as_f64().unwrap() <= 0.0);
    }
    let mass: f64 = tokens[0]["top_logprobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|top| top["logprob"].as_f64().unwrap().exp())
        .sum();
    assert!((0.1..=1.0001).contains(&mass), "{mass}");
}

#[tokio::test]
async fn characters_of_many_bytes_arrive_whole() {
    let Some(engine) = Engine::start(&[]).await else {
        return;
    };
    // A grammar makes the model write what its tokenizer cuts into bytes.
    let schema = json!({"const": "🦀🎉 naïve 世界"});
    let format = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": schema}});
    let body = ask("x", json!({"response_format": format}));
    let whole = engine.chat(body.clone()).await;
    let whole = whole["choices"][0]["message"]["content"].as_str().unwrap();
    let events = engine.events("/v1/chat/completions", body).await;
    let text: String = events
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert_eq!(text, whole);
    assert_eq!(whole, "\"🦀🎉 naïve 世界\"");
}
