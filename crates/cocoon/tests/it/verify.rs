//! `cocoon verify`: what a bundle shows, offline.

use std::path::Path;

use serde_json::Value;

use crate::network::{cocoon, root};

/// The bundle of the specification's vectors; its statement is made up, so that no evidence stands behind it.
fn vector(dir: &Path) -> Value {
    let path = root().join("crates/cocoon-seal/tests/vectors/bundle.json");
    let vector: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for name in ["file", "body", "answer"] {
        let bytes = hex::decode(vector[name].as_str().unwrap()).unwrap();
        std::fs::write(dir.join(name), bytes).unwrap();
    }
    vector
}

/// Exit code and standing of each subject.
fn verify(dir: &Path, more: &[&str]) -> (Option<i32>, Value) {
    let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let more: Vec<String> = more
        .iter()
        .map(|word| match word.strip_prefix('@') {
            Some(name) => path(name),
            None => (*word).to_owned(),
        })
        .collect();
    let mut words = vec!["verify".to_owned(), path("file"), "--json".to_owned()];
    words.extend(more);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (code, out, err) = cocoon(&words);
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
    let standings = report["findings"].as_array().unwrap().iter().map(|finding| {
        let subject = finding["subject"].as_str().unwrap().to_owned();
        (subject, finding["standing"].clone())
    });
    (code, Value::Object(standings.collect()))
}

#[test]
fn hashes_and_signatures_hold_and_made_up_evidence_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let vector = vector(dir.path());
    let proxy = vector["proxy"].as_str().unwrap();
    let (code, found) = verify(
        dir.path(),
        &["--proxy", proxy, "--request", "@body", "--answer", "@answer"],
    );
    assert_eq!(code, Some(1), "{found}");
    for subject in [
        "exchange",
        "worker's signature",
        "offer",
        "price",
        "request",
        "answer",
    ] {
        assert_eq!(found[subject], "proven", "{subject}: {found}");
    }
    assert_eq!(found["time"], "claimed");
    assert_eq!(found["hardware"], "failed");

    let (_, found) = verify(dir.path(), &["--answer", "@body", "--proxy", &"00".repeat(32)]);
    assert_eq!(
        (&found["answer"], &found["offer"]),
        (&"failed".into(), &"failed".into())
    );
    let (_, found) = verify(dir.path(), &[]);
    assert_eq!(
        (&found["offer"], &found["request"]),
        (&"claimed".into(), &"not shown".into())
    );
}

#[test]
fn a_damaged_file_is_worthless() {
    let dir = tempfile::tempdir().unwrap();
    vector(dir.path());
    let mut bytes = std::fs::read(dir.path().join("file")).unwrap();
    bytes[100] ^= 1;
    std::fs::write(dir.path().join("file"), &bytes).unwrap();
    let (code, found) = verify(dir.path(), &[]);
    assert_eq!((code, &found["file"]), (Some(1), &"failed".into()), "{found}");

    let (code, out, err) = cocoon(&["verify", "/no/such/file"]);
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    let (code, _, err) = cocoon(&[
        "verify",
        dir.path().join("body").to_str().unwrap(),
        "--proxy",
        "me",
    ]);
    assert!(code == Some(2) && err.contains("hint:"), "{err}");
}
