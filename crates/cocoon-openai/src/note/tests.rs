use bytes::Bytes;
use cocoon_types::{Nanoton, Usage};
use proptest::prelude::*;

use super::{Costs, Note, NotedStream, noted, unnoted};

fn note(usage: &Usage) -> Option<Note> {
    Some(Note {
        costs: Some(Costs {
            prompt: Nanoton::new(usage.prompt()),
            completion: Nanoton::new(usage.completion() * 8),
            total: Nanoton::new(usage.prompt() + usage.completion() * 8),
        }),
        cocoon: r#"{"tier":"simulated"}"#.to_owned(),
    })
}

/// Of a proxy that names no price, whose worker has written the costs itself.
#[test]
fn without_costs_the_usage_is_left_as_it_is() {
    let body = br#"{"usage":{"prompt_tokens":5,"completion_tokens":7,"total_cost":9}}"#;
    let plain = |usage: &Usage| {
        let note = note(usage)?;
        Some(Note { costs: None, ..note })
    };
    let out = noted(body, plain).unwrap();
    let expected =
        r#"{"usage":{"prompt_tokens":5,"completion_tokens":7,"total_cost":9},"cocoon":{"tier":"simulated"}}"#;
    assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
}

#[test]
fn an_answer_gets_its_cost_and_keeps_every_other_byte() {
    let body =
        br#"{ "id":"x", "usage" : {"prompt_tokens":5,"completion_tokens":7,"total_tokens":12 } ,"x":"}" }"#;
    let out = noted(body, note).unwrap();
    let expected = r#"{ "id":"x", "usage" : {"prompt_tokens":5,"completion_tokens":7,"total_tokens":12 ,"prompt_total_cost":5,"completion_total_cost":56,"total_cost":61} ,"x":"}" ,"cocoon":{"tier":"simulated"}}"#;
    assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
}

#[test]
fn what_tells_no_usage_is_left_alone() {
    for body in [
        "",
        "[]",
        "{}",
        r#"{"usage":null}"#,
        r#"{"usage":{}}"#,
        r#"{"usage":[1]}"#,
        r#"{"usage":{"prompt_tokens":-1}}"#,
        r#"{"error":{"message":"usage"}}"#,
        "{\"usage\":{\"prompt_tokens\":1}",
    ] {
        assert_eq!(noted(body.as_bytes(), note), None, "{body}");
    }
    assert_eq!(noted(br#"{"usage":{"prompt_tokens":1}}"#, |_| None), None);
}

#[test]
fn an_engine_cannot_write_our_object() {
    let body = br#"{"cocoon":{"cost":0},"usage":{"prompt_tokens":1,"completion_tokens":0}}"#;
    let out = noted(body, note).unwrap();
    assert_eq!(out.iter().filter(|byte| **byte == b'{').count(), 3);
}

const STREAM: &str = concat!(
    "data: {\"choices\":[{\"delta\":{\"content\":\"say usage\"}}],\"usage\":null}\n\n",
    ": ping\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":7}}\r\n\r\n",
    "data: [DONE]\n\n"
);

#[test]
fn the_event_that_tells_usage_is_noted_however_the_stream_is_cut() {
    let expected = STREAM.replace(
        "\"completion_tokens\":7}}",
        "\"completion_tokens\":7,\"prompt_total_cost\":5,\"completion_total_cost\":56,\"total_cost\":61},\"cocoon\":{\"tier\":\"simulated\"}}",
    );
    for cut in 0..STREAM.len() {
        let mut stream = NotedStream::new(note);
        let (one, two) = STREAM.as_bytes().split_at(cut);
        let mut out = stream.push(Bytes::from_static(one)).unwrap().to_vec();
        out.extend_from_slice(&stream.push(Bytes::from_static(two)).unwrap());
        assert!(stream.finish().is_empty());
        assert_eq!(std::str::from_utf8(&out).unwrap(), expected, "cut at {cut}");
    }
}

proptest! {
    #[test]
    fn noise_is_left_alone(body: Vec<u8>) {
        let _ = noted(&body, note);
        let mut stream = NotedStream::new(note);
        if let Ok(out) = stream.push(Bytes::from(body.clone())) {
            let mut all = out.to_vec();
            all.extend_from_slice(&stream.finish());
            prop_assert!(all.len() <= body.len() + 512);
        }
    }
}

#[test]
fn a_note_comes_off_again() {
    for body in [
        r#"{ "id":"x", "usage" : {"prompt_tokens":5,"completion_tokens":7 } ,"x":"}" }"#,
        r#"{"usage":{"prompt_tokens":5,"completion_tokens":7},"choices":[]}"#,
        r#"{"choices":[{"text":"\"cocoon\":"}],"usage":{"prompt_tokens":0,"completion_tokens":7,"details":{"a":1}}}"#,
    ] {
        let with = noted(body.as_bytes(), note).unwrap();
        assert_ne!(with, body.as_bytes());
        assert_eq!(unnoted(&with), body.as_bytes());
        let plain = |usage: &Usage| {
            Some(Note {
                costs: None,
                ..note(usage)?
            })
        };
        assert_eq!(unnoted(&noted(body.as_bytes(), plain).unwrap()), body.as_bytes());
        assert_eq!(unnoted(body.as_bytes()), body.as_bytes());

        let stream = format!("data: {{\"choices\":[1]}}\n\ndata: {body}\r\n\r\n: x\n\ndata:[DONE]\n\n");
        let mut noting = NotedStream::new(note);
        let with = noting.push(Bytes::from(stream.clone())).unwrap();
        assert_ne!(with, stream.as_bytes());
        assert_eq!(unnoted(&with), stream.as_bytes());
    }
    for body in ["", "data:", "{}", "data: {\"cocoon\":1}", "{\"cocoon\":1}"] {
        assert_eq!(unnoted(body.as_bytes()), body.as_bytes());
    }
}
