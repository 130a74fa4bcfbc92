use crate::network::{Up, assert_gone, cocoon, signal};

#[test]
fn a_real_model_answers_and_ctrl_c_leaves_no_process() {
    let mut up = Up::start(&["up"]);
    let api = up.ready().api;
    let question = "What is the capital of France? Answer in one sentence.";
    let (code, out, err) = cocoon(&[
        "chat",
        "--api",
        &api,
        "--temperature",
        "0",
        "--max-tokens",
        "32",
        question,
    ]);
    assert_eq!(code, Some(0), "{err}\n{}", up.log());
    assert!(out.contains("Paris"), "{out}");

    let pids = up.pids();
    assert!(
        pids.len() >= 5,
        "up, proxy, worker, engine and gateway are processes of their own: {pids:?}"
    );
    assert_eq!(up.interrupt(), Some(0), "{}", up.log());
    assert_gone(&pids);
    assert!(
        !up.dir.path().join("ready.json").exists(),
        "the ready file goes with the network"
    );
}

#[test]
fn signal_9_to_the_parent_leaves_no_process() {
    let mut up = Up::start(&["up"]);
    let pids = up.pids();
    signal("KILL", up.child.id());
    up.child.wait().unwrap();
    assert_gone(&pids);
}

#[test]
fn an_engine_killed_in_the_middle_comes_back() {
    let mut up = Up::start(&["up"]);
    let worker = up.roles("worker").remove(0);
    let engine_of = |up: &Up| {
        up.pids()
            .into_iter()
            .find(|pid| name(*pid).contains("cocoon-engine"))
    };
    let engine = engine_of(&up).expect("the worker runs an engine");
    signal("KILL", engine);
    up.wait_until("another engine", |up| {
        engine_of(up).is_some_and(|pid| pid != engine)
    });
    let api = up.ready().api;
    up.wait_until("an answer", |_| {
        cocoon(&["chat", "--api", &api, "--max-tokens", "4", "Hi"]).0 == Some(0)
    });
    assert_eq!(
        up.roles("worker").remove(0).pid,
        worker.pid,
        "the worker itself stayed"
    );
}

#[test]
fn taken_ports_are_stepped_around_and_a_directory_is_resumed_and_locked() {
    let _taken: Vec<_> = [10000, 11000, 11001, 11002, 12000]
        .iter()
        .filter_map(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).ok())
        .collect();
    let mut up = Up::start(&["up"]);
    let api = up.ready().api;
    assert!(!api.contains(":10000/"), "{api}");

    let state = up.dir.path().join("state");
    let (code, _, err) = cocoon(&["up", "--dir", state.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(err.contains("already runs") && err.contains("hint:"), "{err}");

    up.interrupt();
    let dir = std::mem::replace(&mut up.dir, tempfile::tempdir().unwrap());
    let resumed = Up::start_in(dir, &["up"]);
    assert_eq!(resumed.ready().api, api, "the same network has the same address");
}

fn name(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default()
}
