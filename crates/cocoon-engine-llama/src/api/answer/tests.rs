use super::*;

fn envelope(shape: Shape, include_usage: bool) -> Envelope {
    Envelope {
        id: "chatcmpl-1".into(),
        created: 7,
        model: "m".into(),
        shape,
        include_usage,
    }
}

fn parse_event(event: &Bytes) -> Value {
    let text = std::str::from_utf8(event).unwrap();
    let body = text.strip_prefix("data: ").unwrap().strip_suffix("\n\n").unwrap();
    assert!(!body.contains('\n'));
    serde_json::from_str(body).unwrap()
}

#[test]
fn chunks_have_the_shape_of_openai() {
    let delta = chat_delta(0, json!({"role": "assistant", "content": ""}), Value::Null, None);
    let chunk = parse_event(&envelope(Shape::Chat, false).chunk(delta));
    assert_eq!(
        chunk,
        json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "m",
            "system_fingerprint": FINGERPRINT,
            "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": null, "finish_reason": null}],
        })
    );
    let with_usage = parse_event(&envelope(Shape::Chat, true).chunk(json!({})));
    assert!(with_usage.as_object().unwrap().contains_key("usage") && with_usage["usage"].is_null());
    let usage = Usage::new(42, 3, 8, 0).unwrap();
    let last = parse_event(&envelope(Shape::Chat, true).usage_chunk(&usage));
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["prompt_tokens"], 42);
    assert_eq!(last["usage"]["total_tokens"], 50);
    assert_eq!(last["usage"]["prompt_tokens_details"]["cached_tokens"], 3);
}

#[test]
fn a_message_of_calls_only_has_null_content() {
    let call = ToolCall {
        name: "f".into(),
        arguments: "{}".into(),
    };
    let choice = chat_message(
        0,
        String::new(),
        &[("call_1".into(), call)],
        Value::Null,
        FinishReason::ToolCalls,
    );
    assert!(choice["message"]["content"].is_null());
    assert_eq!(choice["message"]["tool_calls"][0]["function"]["name"], "f");
    assert_eq!(choice["finish_reason"], "tool_calls");
    let empty = chat_message(0, String::new(), &[], Value::Null, FinishReason::Stop);
    assert_eq!(empty["message"]["content"], "");
    assert!(empty["message"].get("tool_calls").is_none());
}

#[test]
fn logprobs_are_json_even_at_minus_infinity() {
    let tokens = [TokenLogprob {
        bytes: vec![0xe2, 0x82],
        logprob: f32::NEG_INFINITY,
        top: vec![(b"a".to_vec(), -0.5)],
    }];
    let chat = chat_logprobs(&tokens);
    assert_eq!(chat["content"][0]["logprob"], -9999.0);
    assert_eq!(chat["content"][0]["bytes"], json!([0xe2, 0x82]));
    assert_eq!(chat["content"][0]["top_logprobs"][0]["token"], "a");
    let text = text_logprobs(&tokens, 5);
    assert_eq!(text["text_offset"], json!([5]));
    assert_eq!(text["top_logprobs"][0]["a"], -0.5);
    assert!(chat_logprobs(&[]).is_null());
}
