use bytes::Bytes;

use super::{Tail, TailError};

const TEXT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":null}\n\n";
const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":7}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

/// Pushed in pieces of this size: what came through, then what was held.
fn through(stream: &str, size: usize) -> (String, String, Option<u64>) {
    let mut tail = Tail::default();
    let mut out = Vec::new();
    for piece in stream.as_bytes().chunks(size) {
        out.extend_from_slice(&tail.push(Bytes::copy_from_slice(piece)).unwrap());
    }
    let (held, usage) = tail.finish();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&out), text(&held), usage.map(|usage| usage.completion()))
}

#[test]
fn usage_and_done_wait_however_the_stream_is_cut() {
    let stream = [TEXT, TEXT, USAGE, DONE].concat();
    for size in 1..=stream.len() {
        let (out, held, usage) = through(&stream, size);
        assert_eq!(
            (out, held),
            ([TEXT, TEXT].concat(), [USAGE, DONE].concat()),
            "{size}"
        );
        assert_eq!(usage, Some(7));
    }
}

#[test]
fn done_alone_waits() {
    let (out, held, usage) = through(&[TEXT, DONE].concat(), 1000);
    assert_eq!((out.as_str(), held.as_str(), usage), (TEXT, DONE, None));
}

/// Some engines tell usage with every token, and words may be in a text.
#[test]
fn what_is_not_the_end_flows() {
    let chatty = "data: {\"choices\":[{}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}\n\n";
    let quoted = "data: {\"choices\":[{\"text\":\"data: [DONE] \\\"usage\\\"\"}]}\n\n";
    let stream = [chatty, quoted, chatty].concat();
    let (out, held, usage) = through(&stream, 7);
    assert_eq!((out, held.as_str(), usage), (stream, "", Some(1)));
}

#[test]
fn a_stream_that_goes_on_after_its_end_is_given_up() {
    let mut tail = Tail::default();
    tail.push(Bytes::from_static(DONE.as_bytes())).unwrap();
    let event = Bytes::from(format!("data: {}\n\n", "x".repeat(1000)));
    let failed = (0..100).find_map(|_| tail.push(event.clone()).err());
    assert!(matches!(failed, Some(TailError::TooLong)));
}
