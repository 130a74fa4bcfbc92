//! No byte of a prompt or an answer reaches a log or a disk, at any level.

use std::path::Path;

use crate::network::{Up, cocoon};
use crate::workers::Canned;

/// Planted in prompts; nobody else writes it.
const PLANTED: &str = "xylophone-7f3a-planted";

#[test]
fn a_planted_prompt_is_in_no_log_and_no_file() {
    let canned = Canned::start();
    let mut up = Up::start(&["--log", "trace", "up", "--engine", &canned.url]);
    let api = up.ready().api;
    let ask = |more: &[&str]| cocoon(&[&["chat", "--api", &api], more, &[PLANTED]].concat());
    assert_eq!(ask(&[]).0, Some(0), "{}", up.log());
    assert_eq!(ask(&["--json"]).0, Some(0));
    // Faults tempt the most to quote what they met.
    assert_eq!(ask(&["--model", "no-such-model"]).0, Some(1));
    assert_eq!(ask(&["--tier", "confidential"]).0, Some(1));
    for fault in ["500", "cut", "garbage"] {
        canned.post(
            &api,
            &serde_json::json!({
                "model": canned.model(), "x_fault": fault, "stream": true,
                "messages": [{"role": "user", "content": PLANTED}],
            }),
        );
    }
    canned.post_raw(
        &api,
        format!("{{\"model\": \"{}\", \"messages\": [\"{PLANTED}", canned.model()),
    );
    assert!(canned.saw(PLANTED), "the search works: the engine did receive it");

    up.interrupt();
    let log = up.log();
    assert!(
        log.contains("TRACE") && log.len() > 10_000,
        "the log is at its loudest: {} bytes",
        log.len()
    );
    assert!(
        !log.contains(PLANTED),
        "in the log:\n{}",
        log.lines().find(|line| line.contains(PLANTED)).unwrap_or("")
    );
    assert_nowhere_below(up.dir.path());
}

fn assert_nowhere_below(dir: &Path) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            assert_nowhere_below(&path);
        } else if let Ok(content) = std::fs::read(&path) {
            let found = content
                .windows(PLANTED.len())
                .any(|window| window == PLANTED.as_bytes());
            assert!(!found, "in {}", path.display());
        }
    }
}
