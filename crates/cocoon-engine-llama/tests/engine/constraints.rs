use serde_json::{Value, json};

use crate::{ask, harness::Engine};

fn content(answer: &Value) -> Value {
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    serde_json::from_str(text).unwrap_or_else(|_| panic!("not JSON: {text}"))
}

#[tokio::test]
async fn answers_follow_a_schema() {
    let Some(engine) = Engine::start(&[]).await else {
        return;
    };
    let schema = json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 12},
            "age": {"type": "integer", "minimum": 0, "maximum": 120},
            "likes": {"type": "array", "items": {"enum": ["tea", "rain"]}, "maxItems": 2},
        },
        "required": ["name", "age", "likes"],
        "additionalProperties": false,
    });
    let format =
        json!({"type": "json_schema", "json_schema": {"name": "person", "strict": true, "schema": schema}});
    for temperature in [0.0, 1.0] {
        let more =
            json!({"response_format": format, "temperature": temperature, "max_tokens": 100, "seed": 3});
        let answer = engine.chat(ask("Invent a person.", more)).await;
        assert_eq!(answer["choices"][0]["finish_reason"], "stop", "{answer}");
        let person = content(&answer);
        assert!(
            person["name"].is_string() && (0..=120).contains(&person["age"].as_i64().unwrap()),
            "{person}"
        );
        assert_eq!(person.as_object().unwrap().len(), 3);
    }
    let more = json!({"response_format": {"type": "json_object"}, "max_tokens": 200});
    let answer = engine
        .chat(ask("Give me a JSON object with the member city.", more))
        .await;
    if answer["choices"][0]["finish_reason"] == "stop" {
        assert!(content(&answer).is_object());
    }
    let more = json!({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"enum": ["Lyon", "Nice"]}}}});
    let answer = content(&engine.chat(ask("Which city?", more)).await);
    assert!(answer == "Lyon" || answer == "Nice", "{answer}");
}

#[tokio::test]
async fn schemas_that_cannot_be_held_to_are_refused() {
    let Some(engine) = Engine::start(&[]).await else {
        return;
    };
    for (schema, reason) in [
        (json!({"type": "array", "uniqueItems": true}), "uniqueItems"),
        (json!({"$ref": "#"}), "admits no value"),
        (json!({"type": "integer", "multipleOf": 1_000_003}), "multipleOf"),
    ] {
        let more = json!({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}});
        let (status, answer) = engine.post("/v1/chat/completions", ask("x", more)).await;
        assert_eq!(status, 400);
        assert_eq!(answer["error"]["param"], "response_format.json_schema.schema");
        assert!(
            answer["error"]["message"].as_str().unwrap().contains(reason),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn tools_are_called_when_forced() {
    let Some(engine) = Engine::start(&[]).await else {
        return;
    };
    let tools = json!([{"type": "function", "function": {"name": "weather", "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}},
            "required": ["city"], "additionalProperties": false}}}]);
    for choice in [
        json!("required"),
        json!({"type": "function", "function": {"name": "weather"}}),
    ] {
        let body = ask(
            "What is the weather in Paris?",
            json!({"tools": tools, "tool_choice": choice, "max_tokens": 80}),
        );
        let answer = engine.chat(body.clone()).await;
        let choice = &answer["choices"][0];
        assert_eq!(choice["finish_reason"], "tool_calls", "{answer}");
        assert!(choice["message"]["content"].is_null());
        let call = &choice["message"]["tool_calls"][0];
        assert!(call["id"].as_str().unwrap().starts_with("call_"));
        assert_eq!(
            (&call["type"], &call["function"]["name"]),
            (&json!("function"), &json!("weather"))
        );
        let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
        assert!(arguments["city"].is_string());
        let events = engine.events("/v1/chat/completions", body).await;
        assert_eq!(
            events[0]["choices"][0]["delta"],
            json!({"role": "assistant", "content": null, "refusal": null})
        );
        let streamed = &events[1]["choices"][0]["delta"]["tool_calls"][0];
        assert_eq!(
            (&streamed["index"], &streamed["function"]),
            (&json!(0), &call["function"])
        );
        assert_eq!(events[2]["choices"][0]["finish_reason"], "tool_calls");
    }
    // Offered only: this model's template knows no tools, so it answers in text.
    let answer = engine
        .chat(ask("Say hello.", json!({"tools": tools, "max_tokens": 20})))
        .await;
    assert!(answer["choices"][0]["message"]["content"].is_string());
}
