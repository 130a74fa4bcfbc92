use bytes::Bytes;
use cocoon_types::{Endpoint, Fault, Refusal};
use proptest::prelude::*;

use super::RequestBody;

fn parse(endpoint: Endpoint, text: &str) -> Result<RequestBody, Refusal> {
    RequestBody::parse(endpoint, &Bytes::copy_from_slice(text.as_bytes()))
}

fn chat(members: &str) -> Result<RequestBody, Refusal> {
    parse(
        Endpoint::ChatCompletions,
        &format!(r#"{{"model":"m","messages":[]{members}}}"#),
    )
}

fn completion(members: &str) -> Result<RequestBody, Refusal> {
    parse(Endpoint::Completions, &format!(r#"{{"model":"m"{members}}}"#))
}

fn text_of(body: &RequestBody) -> String {
    String::from_utf8(body.to_bytes().to_vec()).unwrap()
}

#[test]
fn unknown_members_survive_byte_for_byte() {
    let odd = r#" {"z" : 1.50e+3,"a":[ 1 ,"\u00e9\ud800"], "big":123456789012345678901234567890} "#;
    let mut body = chat(&format!(r#","tools":{odd},"x":-0.0"#)).unwrap();
    body.agree("other/model", 40).unwrap();
    assert_eq!(
        text_of(&body),
        format!(
            r#"{{"model":"other/model","messages":[],"tools":{},"x":-0.0,"max_tokens":40}}"#,
            odd.trim()
        )
    );
}

#[test]
fn the_newer_limit_wins_and_one_limit_is_left() {
    let mut body = chat(r#","max_tokens":5,"max_completion_tokens":7"#).unwrap();
    assert_eq!(body.token_limit(), Some(7));
    body.set_token_limit(3);
    assert_eq!(text_of(&body), r#"{"model":"m","messages":[],"max_tokens":3}"#);
    assert_eq!(
        chat(r#","max_tokens":5,"max_completion_tokens":null"#)
            .unwrap()
            .token_limit(),
        Some(5)
    );
    assert_eq!(chat(r#","max_tokens":null"#).unwrap().token_limit(), None);
    assert_eq!(chat("").unwrap().worst_case_tokens().unwrap(), 1024);
}

#[test]
fn wrong_values_name_their_member_and_quote_nothing() {
    for (members, param) in [
        (r#","max_tokens":0"#, "max_tokens"),
        (r#","max_tokens":-1"#, "max_tokens"),
        (r#","max_tokens":-0"#, "max_tokens"),
        (r#","max_tokens":1.0"#, "max_tokens"),
        (r#","max_tokens":1e2"#, "max_tokens"),
        (r#","max_tokens":2147483648"#, "max_tokens"),
        (r#","max_tokens":99999999999999999999999999"#, "max_tokens"),
        (r#","max_tokens":"planted""#, "max_tokens"),
        (r#","max_completion_tokens":[]"#, "max_completion_tokens"),
        (r#","n":0"#, "n"),
        (r#","n":5000"#, "n"),
        (r#","n":true"#, "n"),
        (r#","best_of":-3"#, "best_of"),
        (r#","stream":"planted""#, "stream"),
        (r#","stream":1"#, "stream"),
        (r#","stream_options":"planted""#, "stream_options"),
        (r#","stream_options":{"include_usage":1}"#, "stream_options"),
        (r#","stream_options":{"Include_Usage":false}"#, "stream_options"),
        (
            r#","stream_options":{"include_usage":true,"include_usage":false}"#,
            "stream_options",
        ),
        (r#","Max_Tokens":9"#, "max_tokens"),
        (r#","max_token\u017f":9"#, "max_tokens"),
        (r#","Stream":true"#, "stream"),
        (r#","COCOON":{}"#, "cocoon"),
    ] {
        let refusal = chat(members).unwrap_err();
        assert_eq!(
            (refusal.fault, refusal.param),
            (Fault::InvalidRequest, Some(param)),
            "{members}"
        );
        assert!(!refusal.message.contains("planted"), "{members}");
    }
    for (endpoint, text, param) in [
        (Endpoint::ChatCompletions, r#"{"messages":[]}"#, "model"),
        (
            Endpoint::ChatCompletions,
            r#"{"model":"","messages":[]}"#,
            "model",
        ),
        (Endpoint::ChatCompletions, r#"{"model":7,"messages":[]}"#, "model"),
        (Endpoint::ChatCompletions, r#"{"model":"m"}"#, "messages"),
        (
            Endpoint::ChatCompletions,
            r#"{"model":"m","messages":"hi"}"#,
            "messages",
        ),
        (Endpoint::Completions, r#"{"model":"m"}"#, "prompt"),
        (Endpoint::Completions, r#"{"model":"m","prompt":null}"#, "prompt"),
        (Endpoint::Embeddings, r#"{"model":"m"}"#, "input"),
        (Endpoint::Embeddings, r#"{"model":"m","input":4}"#, "input"),
    ] {
        assert_eq!(parse(endpoint, text).unwrap_err().param, Some(param), "{text}");
    }
}

#[test]
fn what_is_not_a_body_is_refused_with_its_place_only() {
    for text in [
        "",
        "planted",
        "[1]",
        "{\"model\":\"planted\"",
        "{\"planted\":1,\"planted\":2}",
    ] {
        let refusal = parse(Endpoint::ChatCompletions, text).unwrap_err();
        assert_eq!(refusal.fault, Fault::InvalidRequest);
        assert!(!refusal.message.contains("planted"), "{}", refusal.message);
    }
    let deep = format!(",\"x\":{}{}", "[".repeat(200), "]".repeat(200));
    assert!(chat(&deep).unwrap_err().message.contains("nested"));
    let many: String = (0..300).map(|index| format!(",\"x{index}\":0")).collect();
    assert!(chat(&many).unwrap_err().message.contains("256"));
    let large = Bytes::from(vec![b' '; cocoon_types::MAX_BODY_BYTES + 1]);
    let refusal = RequestBody::parse(Endpoint::ChatCompletions, &large).unwrap_err();
    assert_eq!(refusal.fault, Fault::BodyTooLarge);
}

#[test]
fn choices_count_for_the_worst_case() {
    let choices = |members: &str| completion(members).map(|body| body.choices());
    assert_eq!(choices(r#","prompt":"a""#), Ok(1));
    assert_eq!(choices(r#","prompt":["a","b","c"],"n":2"#), Ok(6));
    assert_eq!(choices(r#","prompt":["a","b"],"n":2,"best_of":5"#), Ok(10));
    assert_eq!(choices(r#","prompt":["a"],"n":3,"best_of":1"#), Ok(3));
    assert_eq!(choices(r#","prompt":[1,2,3],"best_of":0"#), Ok(1));
    assert_eq!(choices(r#","prompt":[[1,2],[3]]"#), Ok(2));
    assert_eq!(choices(r#","prompt":[ 1 , "a" ]"#), Ok(2));
    assert_eq!(choices(r#","prompt":[],"n":null"#), Ok(1));
    assert!(choices(r#","prompt":["a","b","c"],"n":4000"#).is_err());
    assert!(
        chat(r#","n":2,"max_tokens":2000000000"#)
            .unwrap()
            .worst_case_tokens()
            .is_err()
    );
}

#[test]
fn the_agreed_limit_is_shared_out_and_never_exceeded() {
    let mut body = completion(r#","prompt":["a","b","c"],"max_tokens":100"#).unwrap();
    body.agree("m", 100).unwrap();
    assert_eq!(body.token_limit(), Some(33));
    let refusal = body.agree("m", 2).unwrap_err();
    assert_eq!(
        (refusal.fault, refusal.param),
        (Fault::InvalidRequest, Some("max_tokens"))
    );
}

#[test]
fn usage_is_forced_into_streams_only_and_other_options_stay() {
    let mut body = chat(r#","stream":true,"stream_options":{"include_usage":false,"x":{"y":1.0}}"#).unwrap();
    assert!(body.is_stream() && !body.wants_usage_chunk());
    body.force_usage_in_stream();
    assert!(text_of(&body).contains(r#""stream_options":{"include_usage":true,"x":{"y":1.0}}"#));
    assert!(
        !body.wants_usage_chunk(),
        "what the caller asked for does not change"
    );

    let mut plain = chat(r#","stream":false"#).unwrap();
    plain.force_usage_in_stream();
    assert!(!text_of(&plain).contains("stream_options"));

    let mut bare = chat(r#","stream":true,"stream_options":null"#).unwrap();
    bare.force_usage_in_stream();
    assert!(text_of(&bare).contains(r#""stream_options":{"include_usage":true}"#));

    let asked = chat(r#","stream":true,"stream_options":{"include_usage":true}"#).unwrap();
    assert!(asked.wants_usage_chunk());
    assert!(
        !chat(r#","stream_options":{"include_usage":true}"#)
            .unwrap()
            .wants_usage_chunk()
    );
}

#[test]
fn our_own_object_never_reaches_an_engine() {
    let mut body = chat(r#","cocoon":{"tier":"open"}"#).unwrap();
    assert!(body.take_cocoon().unwrap().tier.is_some());
    assert_eq!(text_of(&body), r#"{"model":"m","messages":[]}"#);
    assert_eq!(body.take_cocoon().unwrap(), crate::CocoonOptions::default());
}

#[test]
fn embeddings_have_no_limit_and_no_stream() {
    let mut body = parse(
        Endpoint::Embeddings,
        r#"{"model":"m","input":["a"],"stream":true}"#,
    )
    .unwrap();
    assert!(!body.is_stream());
    assert_eq!(body.worst_case_tokens().unwrap(), 0);
    body.agree("e", 0).unwrap();
    assert_eq!(text_of(&body), r#"{"model":"e","input":["a"],"stream":true}"#);
}

#[test]
fn debug_shows_no_content() {
    let body = chat(r#","planted":"planted""#).unwrap();
    assert!(!format!("{body:?}").contains("planted"));
}

proptest! {
    #[test]
    fn any_bytes_are_taken_or_refused(bytes: Vec<u8>) {
        let _ = RequestBody::parse(Endpoint::ChatCompletions, &bytes.into());
    }

    #[test]
    fn names_and_values_come_back(name in "[^\"\\\\]{1,20}", value in "\\PC{0,40}") {
        let name = format!("x{name}");
        let value = serde_json::to_string(&value).unwrap();
        let text = format!(r#"{{"model":"m","messages":[],{}:{value}}}"#, serde_json::to_string(&name).unwrap());
        let body = parse(Endpoint::ChatCompletions, &text).unwrap();
        prop_assert_eq!(text_of(&body), text);
    }
}
