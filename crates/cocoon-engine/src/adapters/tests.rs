use bytes::Bytes;
use cocoon_openai::{RequestBody, fold_name};
use cocoon_types::{Endpoint, Fault, Refusal};

use super::{check, lists};
use crate::EngineKind;

fn check_text(kind: EngineKind, endpoint: Endpoint, text: &str) -> Result<(), Refusal> {
    let body = RequestBody::parse(endpoint, &Bytes::copy_from_slice(text.as_bytes())).unwrap();
    check(kind, &body)
}

fn chat(kind: EngineKind, members: &str) -> Result<(), Refusal> {
    check_text(
        kind,
        Endpoint::ChatCompletions,
        &format!(r#"{{"model":"m","messages":[]{members}}}"#),
    )
}

/// One user message with these content parts.
fn parts(parts: &str) -> Result<(), Refusal> {
    let text = format!(r#"{{"model":"m","messages":[{{"role":"user","content":[{parts}]}}]}}"#);
    check_text(EngineKind::Vllm, Endpoint::ChatCompletions, &text)
}

#[test]
fn every_listed_field_is_refused_by_name_in_any_spelling() {
    for kind in EngineKind::ALL {
        for field in lists(kind).iter().copied().flatten() {
            assert_eq!(fold_name(field.name), field.name, "lists hold folded names");
            for name in [field.name.to_owned(), field.name.to_ascii_uppercase()] {
                let refusal = chat(kind, &format!(r#","{name}":"planted""#)).unwrap_err();
                assert_eq!(
                    (refusal.fault, refusal.param),
                    (Fault::UnsupportedField, Some(field.name))
                );
                assert!(refusal.message.contains(field.name) && !refusal.message.contains("planted"));
                assert_eq!(chat(kind, &format!(r#","{name}":null"#)), Ok(()));
            }
        }
    }
}

#[test]
fn a_server_of_unknown_kind_is_refused_what_any_is() {
    let generic: Vec<&str> = lists(EngineKind::Generic)
        .iter()
        .copied()
        .flatten()
        .map(|field| field.name)
        .collect();
    for kind in EngineKind::ALL {
        for field in lists(kind).iter().copied().flatten() {
            assert!(generic.contains(&field.name), "{} of {kind}", field.name);
        }
    }
}

#[test]
fn what_people_use_passes_everywhere() {
    let members = r#","tools":[{"type":"function","function":{"name":"f","description":"see https://example.org","parameters":{"type":"object","properties":{"url":{"type":"string","format":"uri","default":"https://example.org/a.png"}}}}}],
        "tool_choice":"auto","response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"$schema":"https://json-schema.org/x"}}},
        "temperature":0.1,"top_k":4,"min_p":0.1,"seed":1,"stop":["x"],"logprobs":true,"top_logprobs":3,"logit_bias":{"1":2},
        "guided_json":{"type":"object"},"structured_outputs":{"json":{"a":1}},"regex":"a+","grammar":"root ::= x","cache_salt":"s",
        "reasoning_effort":"high","chat_template_kwargs":{"enable_thinking":false,"thinking_budget":100},"user":"u","metadata":{"u":"https://x.y"},
        "cache_prompt":false,"parallel_tool_calls":false,"n":2,"store":false,"x_unknown":{"y":["https://x.y"]}"#;
    for kind in EngineKind::ALL {
        assert_eq!(chat(kind, members), Ok(()), "{kind}");
    }
}

#[test]
fn media_inside_the_request_passes() {
    for part in [
        r#"{"type":"text","text":"look at https://example.org/a.png and file:///etc/passwd"}"#,
        r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"high"}}"#,
        r#"{"type":"image_url","image_url":"data:image/png;base64,AAAA"}"#,
        r#"{"type":"image_url","image_url":null,"uuid":"x"}"#,
        r#"{"type":"input_audio","input_audio":{"data":"UklGRiQ/+A==","format":"wav"}}"#,
        r#"{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,AAAA"}}"#,
        r#"{"type":"file","file":{"file_id":"file-1"}}"#,
        r#""just text https://x.y""#,
    ] {
        assert_eq!(parts(part), Ok(()), "{part}");
    }
    let history = r#"{"model":"m","messages":[
        {"role":"system","content":"https://x.y/z.png"},
        {"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"get","arguments":{"url":"https://x.y","image":"/a.png"}}}]},
        {"role":"tool","tool_call_id":"https://odd","content":"{\"url\":\"https://x.y\"}"},
        {"role":"assistant","content":"see","annotations":[{"type":"url_citation","url_citation":{"url":"https://x.y"}}]}]}"#;
    assert_eq!(
        check_text(EngineKind::Generic, Endpoint::ChatCompletions, history),
        Ok(())
    );
}

#[test]
fn media_outside_the_request_is_refused_however_it_is_written() {
    for part in [
        r#"{"type":"image_url","image_url":{"url":"https://planted.example/a.png"}}"#,
        r#"{"type":"image_url","image_url":{"url":"http:\/\/169.254.169.254\/"}}"#,
        r#"{"type":"image_url","image_url":{"url":"\u0068ttp://planted"}}"#,
        r#"{"type":"image_url","image\u005furl":{"url":"http://planted"}}"#,
        r#"{"type":"image_url","Image_URL":{"URL":"http://planted"}}"#,
        r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AA","url":"http://planted"}}"#,
        r#"{"type":"image_url","image_url":"http://planted"}"#,
        r#"{"type":"image_url","image_url":["http://planted"]}"#,
        r#"{"type":"image_url","image_url":{"url":" http://planted"}}"#,
        r#"{"type":"image_url","image_url":{"url":"HTTP://planted"}}"#,
        r#"{"type":"image_url","image_url":{"url":"DATA:image/png;base64,AA"}}"#,
        r#"{"type":"image_url","image_url":{"url":"file:///planted.png"}}"#,
        r#"{"type":"image_url","image_url":{"url":"/planted.png"}}"#,
        r#"{"type":"image_url","image_url":{"url":"planted.png"}}"#,
        r#"{"type":"video_url","video_url":{"url":"https://planted"}}"#,
        r#"{"type":"audio_url","audio_url":{"url":"https://planted"}}"#,
        r#"{"type":"input_audio","input_audio":{"data":"https://planted","format":"wav"}}"#,
        r#"{"type":"input_audio","input_audio":{"data":"httpplanted/x","format":"wav"}}"#,
        r#"{"type":"input_audio","input_audio":{"data":"/etc/planted.wav","format":"wav"}}"#,
        r#"{"type":"file","file":{"file_url":"https://planted"}}"#,
        r#"{"type":"file","file":{"file_data":"ftp://planted"}}"#,
        r#"{"type":"image","image":"/planted.png"}"#,
        r#"{"type":"image","source":{"type":"url","url":"https://planted"}}"#,
        r#"{"type":"image","source":"https://planted"}"#,
        r#"{"type":"x","x":"s3://planted"}"#,
        r#"{"type":"image_embeds","image_embeds":"AAAA"}"#,
        r#"{"type":"image_embeds","image_embeds":{"x":"AAAA"}}"#,
        r#"{"type":"image_embeds","image_embeds":[1.0]}"#,
        r#"[[{"image_url":"http://planted"}]]"#,
        r#"{"type":"text","text":{"image_url":"http://planted"}}"#,
    ] {
        let refusal = parts(part).expect_err(part);
        assert_eq!(
            (refusal.fault, refusal.param),
            (Fault::UnsupportedField, Some("messages")),
            "{part}"
        );
        assert!(!refusal.message.contains("planted"), "{part}");
    }
    for (endpoint, text) in [
        (
            Endpoint::ChatCompletions,
            r#"{"model":"m","messages":[{"role":"user","content":"x","images":["http://x"]}]}"#,
        ),
        (
            Endpoint::Embeddings,
            r#"{"model":"m","input":[{"text":"x","image":"http://x"}]}"#,
        ),
        (
            Endpoint::Embeddings,
            r#"{"model":"m","input":{"image":"/x.png"}}"#,
        ),
        (
            Endpoint::Embeddings,
            r#"{"model":"m","messages":[{"role":"user","content":[{"image_url":"http://x"}]}]}"#,
        ),
        (
            Endpoint::Completions,
            r#"{"model":"m","prompt":{"prompt_string":"x","multimodal_data":["http://x"]}}"#,
        ),
    ] {
        assert!(
            check_text(EngineKind::LlamaCpp, endpoint, text).is_err(),
            "{text}"
        );
    }
}

#[test]
fn text_of_prompts_and_inputs_is_free() {
    for (endpoint, text) in [
        (
            Endpoint::Completions,
            r#"{"model":"m","prompt":["https://x.y",[1,2,3]]}"#,
        ),
        (
            Endpoint::Embeddings,
            r#"{"model":"m","input":["https://x.y","/x.png"]}"#,
        ),
        (Endpoint::Embeddings, r#"{"model":"m","input":[[1,2],[3]]}"#),
    ] {
        assert_eq!(check_text(EngineKind::Generic, endpoint, text), Ok(()), "{text}");
    }
}

#[test]
fn broken_unicode_is_the_callers_mistake_and_called_so() {
    let refusal = parts(r#"{"type":"text","text":"\ud83d"}"#).unwrap_err();
    assert_eq!(
        (refusal.fault, refusal.param),
        (Fault::InvalidRequest, Some("messages"))
    );
}

#[test]
fn variables_of_the_template_are_switches_only() {
    let check = |value: &str| chat(EngineKind::Vllm, &format!(r#","chat_template_kwargs":{value}"#));
    for safe in [
        "{}",
        "null",
        r#"{"enable_thinking":true}"#,
        r#"{"thinking":false,"reasoning_effort":"high"}"#,
    ] {
        assert_eq!(check(safe), Ok(()), "{safe}");
    }
    for unsafe_value in [
        r#"{"tokenize":true}"#,
        r#"{"chat_template":"{{x}}"}"#,
        r#"{"enable_thinking":{"a":1}}"#,
        r#"{"enable_thinking":[1]}"#,
        r#"{"reasoning_effort":"planted planted planted planted planted"}"#,
        r#"{"Enable_Thinking":true}"#,
        r#"[1]"#,
        r#""x""#,
    ] {
        let refusal = check(unsafe_value).expect_err(unsafe_value);
        assert_eq!(refusal.param, Some("chat_template_kwargs"));
        assert!(!refusal.message.contains("planted"));
    }
}

#[test]
fn a_grammar_passes_and_the_choice_of_its_backend_does_not() {
    let check = |value: &str| chat(EngineKind::Vllm, &format!(r#","structured_outputs":{value}"#));
    assert_eq!(check(r#"{"regex":"a+","disable_any_whitespace":true}"#), Ok(()));
    assert!(check(r#"{"regex":"a+","_backend":"x"}"#).is_err());
    assert!(check(r#"{"Backend":"x"}"#).is_err());
    assert!(check("[]").is_err());
}
