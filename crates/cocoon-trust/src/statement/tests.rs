use super::*;

fn evidence() -> StatedEvidence {
    StatedEvidence {
        statement: Bytes::from_static(b"statement"),
        quote: Bytes::from_static(b"quote"),
        endorsements: Bytes::new(),
        gpu_evidence: Bytes::from_static(b"gpu"),
    }
}

#[test]
fn it_travels_whole() {
    let boxed = evidence().to_boxed();
    assert_eq!(StatedEvidence::from_boxed(boxed.clone()).unwrap(), evidence());
    let cut = boxed.slice(..boxed.len() - 4);
    assert!(matches!(
        StatedEvidence::from_boxed(cut),
        Err(StatementError::Message(_))
    ));
}

#[test]
fn sizes_are_looked_at_first() {
    type Part = fn(&mut StatedEvidence) -> &mut Bytes;
    let parts: [(Part, usize, &str); 4] = [
        (|it| &mut it.statement, MAX_STATEMENT_BYTES, "statement"),
        (|it| &mut it.quote, MAX_QUOTE_BYTES, "quote"),
        (|it| &mut it.endorsements, MAX_COMPACT_BYTES, "collateral"),
        (|it| &mut it.gpu_evidence, MAX_GPU_EVIDENCE_BYTES, "GPU evidence"),
    ];
    let all: usize = parts.iter().map(|(_, most, _)| most).sum();
    assert!(all < 128 * 1024, "a frame holds all of it, twice");
    for (part, most, name) in parts {
        let mut long = evidence();
        *part(&mut long) = vec![0; most].into();
        StatedEvidence::from_boxed(long.to_boxed()).unwrap();
        *part(&mut long) = vec![0; most + 1].into();
        let refused = StatedEvidence::from_boxed(long.to_boxed()).unwrap_err();
        assert!(matches!(refused, StatementError::TooLong(named) if named == name));
    }
}

#[test]
fn verdicts_are_about_everything_that_was_shown() {
    let one = evidence();
    let name = one.whole_digest(b"certificate");
    assert_ne!(name, one.whole_digest(b"certificat"));
    let shifted = StatedEvidence {
        quote: Bytes::from_static(b"quot"),
        endorsements: Bytes::from_static(b"e"),
        ..one.clone()
    };
    assert_ne!(name, shifted.whole_digest(b"certificate"));
    assert_eq!(
        one.digest(),
        shifted.digest(),
        "the name of the statement is the statement's"
    );
}
