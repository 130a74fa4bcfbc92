use super::*;

fn run(stops: &[&str], tokens: &[&[u8]]) -> (Vec<String>, bool) {
    let mut out = TextOut::new(stops.iter().map(|&stop| stop.to_owned()).collect());
    let mut pieces = Vec::new();
    for token in tokens {
        let stopped = out.push(token, None);
        pieces.push(out.release(stopped).text);
        if stopped {
            return (pieces, true);
        }
    }
    pieces.push(out.release(true).text);
    (pieces, false)
}

#[test]
fn characters_cut_by_tokens_come_out_whole() {
    let text = "Grüße, 世界 🦀!";
    for size in 1..text.len() {
        let tokens: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
        let (pieces, stopped) = run(&[], &tokens);
        assert_eq!(pieces.concat(), text);
        assert!(!stopped);
    }
}

#[test]
fn bytes_that_are_no_text_become_replacements() {
    assert_eq!(run(&[], &[b"a\xff", b"b"]).0.concat(), "a\u{fffd}b");
    assert_eq!(run(&[], &[b"a\xe2\x82"]).0.concat(), "a\u{fffd}");
    assert_eq!(run(&[], &[b"\xe2", b"x"]).0.concat(), "\u{fffd}x");
}

#[test]
fn stop_strings_are_found_however_tokens_cut_them() {
    let text = "one, two STOP three";
    for size in 1..text.len() {
        let tokens: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
        let (pieces, stopped) = run(&["STOP"], &tokens);
        assert_eq!(pieces.concat(), "one, two ", "tokens of {size}");
        assert!(stopped);
    }
}

#[test]
fn nothing_of_a_stop_string_is_ever_sent() {
    let (pieces, stopped) = run(&["abc"], &[b"xa", b"b", b"d", b"ab", b"c"]);
    assert_eq!(pieces, ["x", "", "abd", "", ""]);
    assert!(stopped);
    // A beginning that stays one is text.
    assert_eq!(run(&["abc"], &[b"xab"]).0, ["x", "ab"]);
}

#[test]
fn the_earliest_of_several_stops_wins() {
    assert_eq!(run(&["cd", "b"], &[b"abcd"]).0, ["a"]);
    assert_eq!(run(&["\n\n", "é"], &["x\né".as_bytes()]).0, ["x\n"]);
}

#[test]
fn logprobs_go_with_their_text() {
    let logprob = |byte: u8| TokenLogprob {
        bytes: vec![byte],
        logprob: -1.0,
        top: vec![],
    };
    let mut out = TextOut::new(vec!["bc".into()]);
    assert!(!out.push(b"a", Some(logprob(b'a'))));
    let first = out.release(false);
    assert_eq!((first.text.as_str(), first.logprobs.len()), ("a", 1));
    assert!(!out.push(b"b", Some(logprob(b'b'))));
    let held = out.release(false);
    assert_eq!((held.text.as_str(), held.logprobs.len()), ("", 0));
    assert!(out.push(b"c", Some(logprob(b'c'))));
    let last = out.release(true);
    assert_eq!(
        (last.text.as_str(), last.logprobs.len()),
        ("", 0),
        "cut with the stop string"
    );
}

#[test]
fn partial_suffixes() {
    assert_eq!(partial_suffix("xab", "abc"), 2);
    assert_eq!(partial_suffix("abc", "abc"), 0);
    assert_eq!(partial_suffix("", "abc"), 0);
    assert_eq!(partial_suffix("aaa", "aaaa"), 3);
}
