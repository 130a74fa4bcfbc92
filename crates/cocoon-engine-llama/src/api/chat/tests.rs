use cocoon_types::Fault;

use super::*;

fn parse(members: &str) -> Result<Chat, Problem> {
    Chat::parse(format!(r#"{{"model":"m",{members}}}"#).as_bytes())
}

fn message(text: &str) -> Result<Value, Problem> {
    parse(&format!(r#""messages":[{text}]"#)).map(|mut chat| chat.messages.remove(0))
}

#[test]
fn content_is_a_string_or_parts_of_text() {
    let plain = message(r#"{"role":"user","content":"hi","name":"ann"}"#).unwrap();
    assert_eq!(plain, json!({"role": "user", "content": "hi", "name": "ann"}));
    let parts =
        message(r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}"#);
    assert_eq!(parts.unwrap()["content"], "a\nb");
    assert_eq!(
        message(r#"{"role":"developer","content":"x"}"#).unwrap()["role"],
        "system"
    );
    assert_eq!(message(r#"{"role":"assistant"}"#).unwrap()["content"], "");
}

#[test]
fn images_are_refused_clearly() {
    let problem = message(r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:"}}]}"#)
        .unwrap_err();
    assert_eq!(problem.fault, Fault::UnsupportedField);
    assert_eq!(problem.param.as_deref(), Some("messages[0].content[1]"));
    assert_eq!(problem.status(), 400);
}

#[test]
fn bad_messages_are_named() {
    for (param, text) in [
        ("messages[0]", "5"),
        ("messages[0].role", r#"{"content":"x"}"#),
        ("messages[0].role", r#"{"role":"king","content":"x"}"#),
        ("messages[0].content", r#"{"role":"user"}"#),
        ("messages[0].content", r#"{"role":"user","content":5}"#),
        (
            "messages[0].content[0]",
            r#"{"role":"user","content":[{"type":"text"}]}"#,
        ),
        ("messages[0].content[0]", r#"{"role":"user","content":["x"]}"#),
        (
            "messages[0].tool_calls",
            r#"{"role":"assistant","tool_calls":[{}]}"#,
        ),
        ("messages[0].tool_calls", r#"{"role":"assistant","tool_calls":5}"#),
    ] {
        assert_eq!(message(text).unwrap_err().param.unwrap(), param, "{text}");
    }
    for members in [r#""x":1"#, r#""messages":[]"#, r#""messages":"hi""#] {
        assert_eq!(parse(members).err().unwrap().param.unwrap(), "messages");
    }
}

#[test]
fn arguments_of_earlier_calls_become_objects() {
    let text = r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function",
        "function":{"name":"f","arguments":"{\"x\":1}"}}]}"#;
    let message = message(text).unwrap();
    assert_eq!(message["tool_calls"][0]["function"]["arguments"], json!({"x": 1}));
    assert_eq!(message["content"], "");
}

#[test]
fn formats_and_logprobs_are_read() {
    let with = |members: &str| {
        parse(&format!(
            r#""messages":[{{"role":"user","content":"x"}}],{members}"#
        ))
    };
    assert_eq!(
        with(r#""response_format":{"type":"json_object"}"#)
            .unwrap()
            .format,
        Format::JsonObject
    );
    let schema = with(
        r#""response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object"}}}"#,
    );
    assert_eq!(
        schema.unwrap().format,
        Format::JsonSchema(json!({"type": "object"}))
    );
    for bad in [
        r#""response_format":"json""#,
        r#""response_format":{"type":"xml"}"#,
        r#""response_format":{"type":"json_schema"}"#,
    ] {
        assert!(
            with(bad)
                .err()
                .unwrap()
                .param
                .unwrap()
                .starts_with("response_format")
        );
    }
    assert_eq!(
        with(r#""logprobs":true,"top_logprobs":3"#).unwrap().logprobs,
        Some(3)
    );
    assert_eq!(with(r#""logprobs":true"#).unwrap().logprobs, Some(0));
    assert_eq!(
        with(r#""top_logprobs":3"#).err().unwrap().param.unwrap(),
        "top_logprobs"
    );
    assert_eq!(
        with(r#""logprobs":true,"top_logprobs":21"#)
            .err()
            .unwrap()
            .param
            .unwrap(),
        "top_logprobs"
    );
    assert_eq!(
        with(r#""modalities":["text","audio"]"#).err().unwrap().fault,
        Fault::UnsupportedField
    );
    assert!(with(r#""chat_template_kwargs":{"messages":[]}"#).is_err());
    assert_eq!(
        with(r#""chat_template_kwargs":{"enable_thinking":false}"#)
            .unwrap()
            .variables
            .len(),
        1
    );
}
