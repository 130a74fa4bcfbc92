//! An exchange of this gateway, captured as whoever relays it could, with the worker's seed beside it: `docs/sealing/open.py`,
//! which was written from the specification alone, opens it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;

use super::*;

/// The seed of the captured worker's sealing key: the first that is drawn for it.
const SEED: [u8; 32] = [42; 32];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A Python with a `cryptography` that has ML-KEM: that of the SDK tests (`tests/sdk/prepare`), or the machine's.
fn python() -> Option<PathBuf> {
    let ready = |python: &PathBuf| {
        let import = "from cryptography.hazmat.primitives.asymmetric import mlkem";
        Command::new(python)
            .args(["-c", import])
            .output()
            .is_ok_and(|output| output.status.success())
    };
    let sdk = root().join("target/sdk/python/bin/python");
    [sdk, "python3".into()].into_iter().find(ready)
}

#[tokio::test]
async fn a_second_implementation_opens_a_captured_exchange() {
    let Some(python) = python() else {
        println!("SKIPPED: no python3 with `cryptography` 47 or above");
        return;
    };
    let mut world = world().await;
    let mut random = |out: &mut [u8]| -> Result<(), NoRandomness> {
        out.fill(42);
        Ok(())
    };
    let captured = real_with(7, Tier::Confidential, &mut random);
    world.board.evidence.put(Arc::clone(&captured.worker));
    world.workers[0] = captured;
    let (mut sealed, drawn) = world.seal();
    let (head, wrap) = (sealed.head.clone(), sealed.wraps[0].clone());
    let mut pieces = Vec::new();
    let answered = world.serve_seeing(0, &mut sealed, |_| {}, |piece| pieces.push(hex::encode(piece)));
    let mut unsealer = Unsealer::new(Arc::clone(&world.board), drawn, sealed.pending);
    unsealer.head(sealed_answer(&answered.head, Vec::new())).unwrap();
    for part in &answered.parts {
        unsealer.part(part.clone()).unwrap();
    }
    let receipt = &unsealer.conclude(Some(7)).unwrap().ended.receipt;
    let usage = &receipt.closing.usage;
    let vector = json!({
        "kind": "exchange",
        "seed": hex::encode(SEED),
        "sealing_key": hex::encode(world.workers[0].worker.key.bytes()),
        "head": hex::encode(head.bytes()),
        "wrap": hex::encode(wrap),
        "pieces": pieces,
        "answer_head": hex::encode(&answered.head),
        "parts": answered.parts.iter().map(hex::encode).collect::<Vec<_>>(),
        "body": hex::encode(BODY),
        "answer": hex::encode("onetwothree"),
        "key_id": receipt.key_id.to_string(),
        "request_hash": receipt.request_hash.to_string(),
        "answer_hash": receipt.answer_hash.to_string(),
        "leaf": receipt.leaf().to_string(),
        "usage": [usage.prompt(), usage.cached(), usage.completion(), usage.reasoning()],
    });
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("captured.json");
    std::fs::write(&file, vector.to_string()).unwrap();
    let output = Command::new(python)
        .arg(root().join("docs/sealing/open.py"))
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.contains(": opened"), "{said}");
}
