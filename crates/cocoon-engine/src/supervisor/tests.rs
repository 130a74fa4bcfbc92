use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cocoon_openai::RequestBody;
use cocoon_types::Endpoint;
use tempfile::TempDir;
use tokio::time::Instant;

use super::{BuiltInEngine, BuiltInOptions, EngineState, ReadyEngine};
use crate::scripted::{Scripted, Step, answer};

/// A program in shell that plays the engine; its HTTP side is a server of the test.
struct Fake {
    dir: TempDir,
    server: Scripted,
    well: Arc<AtomicBool>,
}

impl Fake {
    async fn new() -> Self {
        let well = Arc::new(AtomicBool::new(true));
        let inner = Arc::clone(&well);
        let server = Scripted::by(move |_, _| {
            if inner.load(Ordering::Relaxed) {
                vec![answer("200 OK", "application/json", "{}")]
            } else {
                vec![Step::Close]
            }
        })
        .await;
        Self {
            dir: TempDir::new().unwrap(),
            server,
            well,
        }
    }

    /// Writes the program: `READY` stands for the ready line, `HERE` for the test's directory.
    fn options(&self, script: &str) -> BuiltInOptions {
        let ready = format!(
            r#"echo '{{"listening":"{}","model":"m","context_length":64,"x":1}}'"#,
            self.server.addr
        );
        let here = self.dir.path().display().to_string();
        let text = format!(
            "#!/bin/sh\n{}\n",
            script.replace("READY", &ready).replace("HERE", &here)
        );
        let path = self.file("engine.sh");
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.set_permissions(std::fs::Permissions::from_mode(0o755))
            .unwrap();
        drop(file);
        let mut options = BuiltInOptions::new(path, "/model file.gguf", "m");
        options.health_interval = Duration::from_millis(50);
        options.grace = Duration::from_secs(2);
        options
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

async fn ready(engine: &BuiltInEngine) -> ReadyEngine {
    engine
        .ready(Instant::now() + Duration::from_secs(10))
        .await
        .expect("the engine comes up")
}

async fn down(engine: &BuiltInEngine) -> String {
    let mut state = engine.state();
    let waited = state.wait_for(|state| matches!(state, EngineState::Down { .. }));
    let waited = tokio::time::timeout(Duration::from_secs(10), waited)
        .await
        .unwrap()
        .unwrap();
    match &*waited {
        EngineState::Down { reason, .. } => reason.clone(),
        _ => unreachable!(),
    }
}

/// Whether the process is there and no zombie.
fn lives(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

async fn gone(pid: u32) {
    for _ in 0..200 {
        if !lives(pid) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("process {pid} still lives");
}

#[tokio::test]
async fn it_starts_serves_and_ends_by_its_input() {
    let fake = Fake::new().await;
    let mut options =
        fake.options("echo \"$@\" > HERE/args; READY; cat > /dev/null; echo ended > HERE/ended");
    options.parallel = Some(3);
    options.context = Some(512);
    let engine = BuiltInEngine::start(options);
    assert!(!engine.is_ready() && engine.url().is_none());
    let said = ready(&engine).await;
    assert_eq!(
        (said.listening, said.model.as_str(), said.context_length),
        (fake.server.addr, "m", 64)
    );
    assert_eq!(engine.url().unwrap(), format!("http://{}", fake.server.addr));
    let args = std::fs::read_to_string(fake.file("args")).unwrap();
    assert_eq!(
        args.trim(),
        "--model /model file.gguf --listen 127.0.0.1:0 --exit-with-stdin --alias m --parallel 3 --context 512"
    );
    let body = RequestBody::parse(
        Endpoint::Completions,
        &Bytes::from_static(b"{\"model\":\"m\",\"prompt\":\"x\"}"),
    );
    let answered = engine
        .engine()
        .call(&body.unwrap(), Instant::now() + Duration::from_secs(5))
        .await;
    assert_eq!(answered.unwrap().status, 200);

    let mut state = engine.state();
    engine.shutdown().await;
    assert_eq!(*state.borrow_and_update(), EngineState::Stopped);
    assert!(fake.file("ended").exists() && !lives(said.pid));
}

#[tokio::test]
async fn a_killed_engine_comes_back_and_waiting_requests_are_served() {
    let fake = Fake::new().await;
    let engine = BuiltInEngine::start(fake.options("READY; exec cat > /dev/null"));
    let first = ready(&engine).await;
    let pid = rustix::process::Pid::from_raw(i32::try_from(first.pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let reason = down(&engine).await;
    assert!(reason.contains("signal: 9"), "{reason}");
    assert!(engine.engine().health().await, "waits for the restart");
    let second = ready(&engine).await;
    assert_ne!(first.pid, second.pid);
    engine.shutdown().await;
}

#[tokio::test]
async fn every_bad_start_is_told_and_tried_again() {
    let fake = Fake::new().await;
    for (script, told) in [
        (
            "echo 'no such model' >&2; exit 3",
            "exit status: 3); it last said: no such model",
        ),
        ("echo hello; cat > /dev/null", "not the one that was agreed"),
        (
            r#"echo '{"listening":"8.8.8.8:80","model":"m","context_length":1}'; cat"#,
            "not loopback",
        ),
        ("exec cat", "in time"),
        ("head -c 100000 /dev/zero; exec cat", "in time"),
    ] {
        let mut options = fake.options(script);
        options.start_deadline = Duration::from_millis(300);
        let engine = BuiltInEngine::start(options);
        let reason = down(&engine).await;
        assert!(reason.contains(told), "{script}: {reason}");
        engine.shutdown().await;
    }
    let mut options = fake.options("");
    options.binary = fake.file("absent");
    let engine = BuiltInEngine::start(options);
    assert!(down(&engine).await.contains("cannot be started"));
    engine.shutdown().await;
}

#[tokio::test]
async fn an_engine_that_falls_silent_is_started_again() {
    let fake = Fake::new().await;
    let engine = BuiltInEngine::start(fake.options("READY; exec cat > /dev/null"));
    let first = ready(&engine).await;
    fake.well.store(false, Ordering::Relaxed);
    assert!(down(&engine).await.contains("did not answer"));
    gone(first.pid).await;
    fake.well.store(true, Ordering::Relaxed);
    assert_ne!(ready(&engine).await.pid, first.pid);
    engine.shutdown().await;
}

#[tokio::test]
async fn what_does_not_end_by_itself_is_killed_with_its_children() {
    let fake = Fake::new().await;
    let script = "sleep 1000 & echo $! > HERE/child; READY; trap '' TERM; while :; do wait; sleep 1; done";
    for by_drop in [false, true] {
        let mut options = fake.options(script);
        options.grace = Duration::from_millis(100);
        let engine = BuiltInEngine::start(options);
        let pid = ready(&engine).await.pid;
        let child = std::fs::read_to_string(fake.file("child"))
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        assert!(lives(pid) && lives(child));
        if by_drop {
            drop(engine);
        } else {
            engine.shutdown().await;
        }
        gone(pid).await;
        gone(child).await;
    }
}

#[tokio::test]
async fn a_flood_of_talk_blocks_nothing() {
    let fake = Fake::new().await;
    let script = "head -c 1000000 /dev/zero >&2; READY; head -c 1000000 /dev/zero; touch HERE/done; exec cat > /dev/null";
    let engine = BuiltInEngine::start(fake.options(script));
    ready(&engine).await;
    for _ in 0..200 {
        if fake.file("done").exists() {
            engine.shutdown().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the program waits for its reader");
}
