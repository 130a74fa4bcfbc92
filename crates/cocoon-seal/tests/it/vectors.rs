//! The committed vectors are what the code makes, and what a second implementation opens.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::make::vectors;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_committed_vectors_are_current() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let hint = "run `cargo run -p cocoon-seal --example vectors`, if the change is meant";
    let mut expected: Vec<_> = vectors().into_iter().map(|(name, _)| name.to_owned()).collect();
    for (name, vector) in vectors() {
        let committed = std::fs::read_to_string(directory.join(name)).unwrap_or_default();
        let committed: serde_json::Value = serde_json::from_str(&committed).unwrap_or_default();
        assert!(committed == vector, "{name}: {hint}");
    }
    let entries = std::fs::read_dir(&directory).unwrap();
    let mut found: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

/// A Python with a `cryptography` that has ML-KEM: that of the SDK tests (`tests/sdk/prepare`), or the machine's.
fn python() -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
    let ready = |python: &PathBuf| {
        Command::new(python)
            .args(["-c", "from cryptography.hazmat.primitives.asymmetric import mlkem; mlkem.MLKEM768PrivateKey.from_seed_bytes(bytes(64))"])
            .output()
            .is_ok_and(|output| output.status.success())
    };
    [target.join("sdk/python/bin/python"), "python3".into()]
        .into_iter()
        .find(ready)
}

fn read_by_python(python: &Path, files: &[PathBuf]) -> Result<String, String> {
    let output = Command::new(python)
        .arg(root().join("docs/sealing/open.py"))
        .args(files)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() {
        Ok(said)
    } else {
        Err(said)
    }
}

#[test]
fn a_python_script_opens_the_vectors() {
    let Some(python) = python() else {
        println!("SKIPPED: no python3 with `cryptography` 47 or above");
        return;
    };
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let files: Vec<_> = vectors().iter().map(|(name, _)| directory.join(name)).collect();
    let said = read_by_python(&python, &files).unwrap_or_else(|said| panic!("{said}"));
    assert_eq!(said.matches(": opened").count(), files.len(), "{said}");

    // It does look: with one digit changed in any hex string of a vector, that vector does not open.
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut changed = Vec::new();
    for (name, vector) in vectors() {
        for (member, value) in vector.as_object().unwrap() {
            let Some(text) = value.as_str().filter(|text| text.len() > 8) else {
                continue;
            };
            let mut other = vector.clone();
            let last = if text.ends_with('0') { "1" } else { "0" };
            other[member] = format!("{}{last}", &text[..text.len() - 1]).into();
            let file = scratch.join(format!("{member} of {name}"));
            std::fs::write(&file, other.to_string()).unwrap();
            changed.push(file);
        }
    }
    assert!(changed.len() > 40);
    let said = read_by_python(&python, &changed).unwrap_err();
    assert!(!said.contains(": opened"), "{said}");
    assert_eq!(said.lines().count(), changed.len(), "{said}");
}
