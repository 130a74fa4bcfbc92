use std::{process::Stdio, time::Duration};

use serde_json::json;
use tokio::{io::AsyncReadExt as _, process::Command, time::timeout};

use crate::{
    FRANCE, ask,
    harness::{Engine, command, model},
};

#[tokio::test]
async fn the_end_of_stdin_ends_it_even_while_it_answers() {
    let Some(engine) = Engine::start(&[]).await else {
        return;
    };
    let body = ask(
        "Write a long story.",
        json!({"max_tokens": 4000, "ignore_eos": true}),
    );
    let _stream = engine.stream("/v1/chat/completions", body).await;
    let (code, logs) = engine.end().await;
    assert_eq!(code, Some(0), "{logs}");
}

#[tokio::test]
async fn no_content_reaches_a_log() {
    let Some(engine) = Engine::start(&[]).await else {
        return;
    };
    let planted = "xyzzy-planted-phrase";
    engine
        .chat(ask(&format!("Repeat: {planted}"), json!({"max_tokens": 20})))
        .await;
    for body in [
        ask(planted, json!({"temperature": planted})),
        ask(
            planted,
            json!({"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": planted}}}}),
        ),
        ask(&planted.repeat(2000), json!({})),
        json!({"model": planted, "messages": planted}),
    ] {
        let (status, _) = engine.post("/v1/chat/completions", body).await;
        assert!((400..500).contains(&status));
    }
    engine.post("/v1/chat/completions", format!("{{{planted}")).await;
    engine.chat(ask(FRANCE, json!({}))).await;
    let (_, logs) = engine.end().await;
    assert!(!logs.contains("planted") && !logs.contains("Paris"), "{logs}");
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let Some(model) = model() else { return };
    let run = async |mut command: Command| {
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        // `wait` would close it, and that is a reason of its own to end.
        let _stdin = child.stdin.take();
        let status = timeout(Duration::from_secs(30), child.wait())
            .await
            .unwrap()
            .unwrap();
        let (mut out, mut err) = (String::new(), String::new());
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut out)
            .await
            .unwrap();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .await
            .unwrap();
        assert_eq!(out, "");
        (status.code(), err)
    };
    let (code, logs) = run(command(std::path::Path::new("/nowhere.gguf"))).await;
    assert!(
        code == Some(1) && logs.contains("/nowhere.gguf"),
        "{code:?} {logs}"
    );
    let (code, logs) = run(command(std::path::Path::new(env!("CARGO_BIN_EXE_cocoon-engine")))).await;
    assert!(code == Some(1) && logs.contains("cannot load"), "{code:?} {logs}");
    let mut wide = Command::new(env!("CARGO_BIN_EXE_cocoon-engine"));
    wide.arg("--model")
        .arg(model)
        .args(["--alias", "x", "--listen", "0.0.0.0:0"]);
    wide.stdout(Stdio::piped()).stderr(Stdio::piped());
    let (code, logs) = run(wide).await;
    assert!(code == Some(2) && logs.contains("loopback"), "{code:?} {logs}");
}
