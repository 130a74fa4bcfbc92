use bytes::Bytes;
use cocoon_types::Usage;
use proptest::prelude::*;

use super::{MAX_ANSWER_BYTES, MeterError, Metered, UsageMeter, usage_of};

fn usage(prompt: u64, cached: u64, completion: u64, reasoning: u64) -> Option<Usage> {
    Some(Usage::new(prompt, cached, completion, reasoning).unwrap())
}

fn run(mut meter: UsageMeter, pieces: &[&str]) -> (String, Result<Metered, MeterError>) {
    let mut passed = Vec::new();
    for piece in pieces {
        passed.extend_from_slice(&meter.push(Bytes::copy_from_slice(piece.as_bytes())).unwrap());
    }
    let metered = meter.finish();
    if let Ok(metered) = &metered {
        passed.extend_from_slice(&metered.rest);
    }
    (String::from_utf8(passed).unwrap(), metered)
}

const CONTENT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\" error\"}}]}\n\n";
const USAGE: &str =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":5,\"total_tokens\":12}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

#[test]
fn the_usage_chunk_is_counted_and_seen_only_by_who_asked() {
    let stream = [CONTENT, CONTENT, USAGE, DONE].concat();
    for pieces in [vec![CONTENT, CONTENT, USAGE, DONE], vec![stream.as_str()]] {
        let (passed, metered) = run(UsageMeter::stream(false), &pieces);
        assert_eq!(passed, [CONTENT, CONTENT, DONE].concat());
        let metered = metered.unwrap();
        assert_eq!(
            (metered.usage, metered.complete, metered.chunks),
            (usage(7, 0, 5, 0), true, 2)
        );

        let (passed, metered) = run(UsageMeter::stream(true), &pieces);
        assert_eq!(
            (passed, metered.unwrap().usage),
            (stream.clone(), usage(7, 0, 5, 0))
        );
    }
}

#[test]
fn splits_anywhere_change_nothing() {
    let stream = [CONTENT, USAGE, CONTENT, DONE].concat();
    for at in 0..stream.len() {
        let (head, tail) = stream.split_at(at);
        let (passed, metered) = run(UsageMeter::stream(false), &[head, tail]);
        assert_eq!(passed, [CONTENT, CONTENT, DONE].concat());
        assert_eq!(metered.unwrap().usage, usage(7, 0, 5, 0));
    }
}

#[test]
fn running_sums_in_each_chunk_are_not_added_up_nor_dropped() {
    let chunk = |completion: u32| {
        format!(
            "data: {{\"choices\":[{{\"index\":0}}],\"usage\":{{\"prompt_tokens\":9,\"completion_tokens\":{completion}}}}}\n\n"
        )
    };
    let chunks = [
        chunk(1),
        chunk(2),
        chunk(3),
        "data: {\"choices\":[{}],\"usage\":null}\n\n".into(),
    ];
    let pieces: Vec<&str> = chunks.iter().map(String::as_str).chain([DONE]).collect();
    let (passed, metered) = run(UsageMeter::stream(false), &pieces);
    assert_eq!(passed, pieces.concat());
    let metered = metered.unwrap();
    assert_eq!((metered.usage, metered.chunks), (usage(9, 0, 3, 0), 4));
}

#[test]
fn a_cut_stream_is_not_complete_and_half_an_event_stays_behind() {
    let (passed, metered) = run(UsageMeter::stream(false), &[CONTENT, "data: {\"choi"]);
    let metered = metered.unwrap();
    assert_eq!(passed, CONTENT);
    assert!(!metered.complete && metered.usage.is_none());
}

#[test]
fn a_missing_last_line_end_is_forgiven() {
    let (passed, metered) = run(UsageMeter::stream(false), &[CONTENT, "data: [DONE]"]);
    assert_eq!(passed, [CONTENT, DONE].concat());
    assert!(metered.unwrap().complete);
}

#[test]
fn an_error_in_the_stream_is_noticed_and_passed() {
    for error in [
        "data: {\"error\":{\"message\":\"boom\"}}\n\n",
        "data: {\"error\":\"x\",\"usage\":{\"prompt_tokens\":1}}\n\n",
        "error: {\"code\":500}\n\n",
    ] {
        let (passed, metered) = run(UsageMeter::stream(false), &[CONTENT, error]);
        assert_eq!(passed, [CONTENT, error].concat());
        assert!(metered.unwrap().engine_error);
    }
    let (_, metered) = run(
        UsageMeter::stream(false),
        &["data: {\"choices\":[{}],\"error\":null}\n\n"],
    );
    assert!(!metered.unwrap().engine_error);
}

#[test]
fn pings_pass_and_are_no_chunks() {
    let (passed, metered) = run(UsageMeter::stream(false), &[": ping\n\n", CONTENT, ":\n\n", DONE]);
    assert_eq!(passed, [": ping\n\n", CONTENT, ":\n\n", DONE].concat());
    assert_eq!(metered.unwrap().chunks, 1);
}

#[test]
fn an_answer_in_one_piece_comes_out_whole_or_not_at_all() {
    let body = r#"{"choices":[{"message":{"content":"{\"usage\":{}}"}}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
    let (head, tail) = body.split_at(20);
    let (passed, metered) = run(UsageMeter::whole(), &[head, tail]);
    assert_eq!(
        (passed.as_str(), metered.unwrap().usage),
        (body, usage(3, 0, 4, 0))
    );
    assert_eq!(
        run(UsageMeter::whole(), &[head]).1.unwrap_err(),
        MeterError::NotJson
    );
    for garbage in ["", "[]", "1", "<html>", "{} {}"] {
        assert_eq!(
            run(UsageMeter::whole(), &[garbage]).1.unwrap_err(),
            MeterError::NotJson,
            "{garbage}"
        );
    }
    assert_eq!(run(UsageMeter::whole(), &["{}"]).1.unwrap().usage, None);
    assert_eq!(
        run(UsageMeter::whole(), &[r#"{"usage":null}"#]).1.unwrap().usage,
        None
    );
}

#[test]
fn an_answer_in_one_piece_is_bounded() {
    let mut meter = UsageMeter::whole();
    let piece = Bytes::from(vec![b' '; MAX_ANSWER_BYTES / 2]);
    assert!(meter.push(piece.clone()).is_ok() && meter.push(piece.clone()).is_ok());
    assert_eq!(meter.push(piece).unwrap_err(), MeterError::TooLong);
}

#[test]
fn the_content_type_tells_the_form() {
    let is_stream =
        |content_type| !format!("{:?}", UsageMeter::for_content_type(content_type, false)).contains("whole");
    assert!(is_stream("text/event-stream") && is_stream("Text/Event-Stream; charset=utf-8"));
    assert!(!is_stream("application/json") && !is_stream("text/event-streams") && !is_stream(""));
}

#[test]
fn every_engines_shape_is_read() {
    for (text, expected) in [
        // OpenAI, newer vLLM
        (
            r#"{"prompt_tokens":34,"completion_tokens":100,"total_tokens":134,"prompt_tokens_details":{"cached_tokens":11,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":10}}"#,
            usage(34, 11, 100, 10),
        ),
        // vLLM without details
        (
            r#"{"prompt_tokens":34,"total_tokens":35,"completion_tokens":1,"prompt_tokens_details":null}"#,
            usage(34, 0, 1, 0),
        ),
        // SGLang
        (
            r#"{"prompt_tokens":34,"total_tokens":44,"completion_tokens":10,"prompt_tokens_details":{"cached_tokens":33},"reasoning_tokens":4}"#,
            usage(34, 33, 10, 4),
        ),
        // embeddings
        (r#"{"prompt_tokens":8,"total_tokens":8}"#, usage(8, 0, 0, 0)),
        // halves
        (r#"{"completion_tokens":8,"total_tokens":10}"#, usage(2, 0, 8, 0)),
        (r#"{"total_tokens":10}"#, usage(10, 0, 0, 0)),
        (
            r#"{"prompt_tokens":9,"completion_tokens":null}"#,
            usage(9, 0, 0, 0),
        ),
        // nonsense
        (
            r#"{"prompt_tokens":3,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":9},"reasoning_tokens":7}"#,
            usage(3, 3, 2, 2),
        ),
        (r#"{"prompt_tokens":-3,"completion_tokens":2.5}"#, None),
        (r#"{"prompt_tokens":"3"}"#, None),
        (r#"{"prompt_tokens":99999999999999999999}"#, None),
        (
            r#"{"prompt_tokens":18446744073709551615,"completion_tokens":1}"#,
            None,
        ),
        (r#"{"prompt_tokens":3,"total_tokens":1}"#, usage(3, 0, 0, 0)),
        (
            r#"{"prompt_tokens":3,"prompt_tokens_details":[1],"completion_tokens_details":"x"}"#,
            usage(3, 0, 0, 0),
        ),
        ("{}", None),
        ("null", None),
        ("[1,2]", None),
        ("7", None),
    ] {
        assert_eq!(usage_of(text.as_bytes()), expected, "{text}");
    }
}

#[test]
fn debug_shows_no_content() {
    let mut meter = UsageMeter::whole();
    meter.push(Bytes::from_static(b"{\"a\":\"planted\"}")).unwrap();
    let shown = format!("{meter:?} {:?}", meter.usage());
    assert!(!shown.contains("planted"));
    assert!(!format!("{:?}", meter.finish()).contains("planted"));
}

proptest! {
    #[test]
    fn any_bytes_are_metered(pieces: Vec<Vec<u8>>, keep: bool) {
        for mut meter in [UsageMeter::stream(keep), UsageMeter::whole()] {
            for piece in &pieces {
                meter.push(Bytes::copy_from_slice(piece)).unwrap();
            }
            let _ = meter.finish();
        }
    }

    #[test]
    fn any_usage_is_true_or_nothing(members in proptest::collection::vec((0_usize..6, any::<i64>()), 0..8)) {
        const NAMES: [&str; 6] = ["prompt_tokens", "completion_tokens", "total_tokens", "reasoning_tokens", "prompt_tokens_details", "x"];
        let text: Vec<String> = members.iter().map(|(name, value)| match *name {
            4 => format!(r#""{}":{{"cached_tokens":{value}}}"#, NAMES[4]),
            name => format!(r#""{}":{value}"#, NAMES[name]),
        }).collect();
        if let Some(usage) = usage_of(format!("{{{}}}", text.join(",")).as_bytes()) {
            prop_assert!(usage.cached() <= usage.prompt() && usage.reasoning() <= usage.completion());
        }
    }
}
