use super::*;

fn cell(kind: Kind) -> Cell {
    Cell {
        kind,
        at_once: 1,
        parts: 3,
    }
}

#[test]
fn an_answer_counts_only_when_it_is_whole() {
    let json = r#"{"content":" w0000 w0001 w0002","usage":{"completion_tokens":3}}"#;
    let stream =
        "data:  w0000\n\ndata:  w0001\n\ndata:  w0002\n\ndata: {\"completion_tokens\":3}\n\ndata: [DONE]\n\n";
    for (kind, whole) in [(Kind::Json, json), (Kind::Stream, stream), (Kind::Paced, stream)] {
        check(whole.as_bytes(), cell(kind)).unwrap();
        for (from, to) in [
            ("w0001", "w0009"),
            (" w0002", ""),
            ("\"completion_tokens\":3", "\"completion_tokens\":4"),
            ("[DONE]", ""),
        ] {
            let broken = whole.replace(from, to);
            let kept = broken == whole;
            assert_eq!(
                check(broken.as_bytes(), cell(kind)).is_ok(),
                kept,
                "{kind:?}: {from}"
            );
        }
        let swapped = whole
            .replace("w0000", "x")
            .replace("w0001", "w0000")
            .replace('x', "w0001");
        check(swapped.as_bytes(), cell(kind)).unwrap_err();
        check(&whole.as_bytes()[..whole.len() - 2], cell(kind)).unwrap_err();
    }
}
