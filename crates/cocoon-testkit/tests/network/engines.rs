use std::path::PathBuf;
use std::time::Duration;

use cocoon_testkit::canned::{CannedEngine, CannedFault, CannedOptions};
use cocoon_testkit::network::{Asker, Network, Request, eventually, get, within};
use cocoon_types::{Fault, Usage};
use serde_json::{Value, json};

use crate::{LIMIT, chat, text, works};

/// The canned engine in the place of the built-in one.
pub(crate) fn built_in(worker: &mut cocoon_worker::Options) {
    let binary = example("canned-engine");
    worker.engine = Some("builtin".to_owned());
    worker.model = Some("canned".to_owned());
    worker.model_file = Some(binary.clone());
    worker.engine_binary = Some(binary);
}

/// An example of this package, which `cargo test` builds beside its tests.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test
        .parent()
        .and_then(|deps| deps.parent())
        .unwrap()
        .join("examples")
        .join(name);
    assert!(
        path.exists(),
        "{} is not built: cargo build -p cocoon-testkit --examples",
        path.display()
    );
    path
}

async fn worker_status(network: &Network) -> Value {
    let url = format!("http://{}/status", network.workers[0].admin_addr());
    get(&url).await.unwrap().json().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_engine_does_wrong_is_told_and_the_next_request_works() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = Network::builder().start().await?;
        // The fault; the status and code of a whole answer; the code inside a stream (or its status before it began).
        let cases = [
            (
                CannedFault::Status(500),
                (502, "engine_failed"),
                Err((502, "engine_failed")),
            ),
            (CannedFault::Status(400), (400, ""), Err((400, ""))),
            (CannedFault::Cut, (502, "engine_failed"), Ok("engine_failed")),
            (CannedFault::Garbage, (502, "engine_failed"), Ok("engine_failed")),
            (CannedFault::HugeLine, (200, ""), Ok("engine_failed")),
            (CannedFault::NoDone, (200, ""), Ok("engine_failed")),
        ];
        for (fault, (status, code), streamed) in cases {
            network.engine(0).set_fault(Some(fault));
            let answer = network.post("/chat/completions", &chat(json!({}))).await?;
            assert_eq!(answer.status, status, "{fault:?}: {}", answer.text());
            if !code.is_empty() {
                assert_eq!(answer.error_code().as_deref(), Some(code), "{fault:?}");
            }
            let stream = network
                .stream(
                    "/chat/completions",
                    &chat(json!({"stream": true, "x_pace_ms": 5})),
                )
                .await?;
            match streamed {
                Err((status, _)) => assert_eq!(stream.status, status, "{fault:?}"),
                Ok(code) => {
                    assert_eq!(stream.status, 200, "{fault:?}");
                    let whole = stream.text().await?;
                    assert!(
                        whole.contains(&format!("\"code\":\"{code}\"")),
                        "{fault:?}: {whole}"
                    );
                    assert!(
                        !whole.contains("[DONE]"),
                        "{fault:?}: a cut stream must not look complete"
                    );
                }
            }
            network.engine(0).set_fault(None);
            works(&network).await?;
        }
        network.wait_until_idle().await?;
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_that_is_missing_or_impossible_is_none() -> anyhow::Result<()> {
    within(LIMIT, async {
        // spec/network.md 10.2, 22: the original takes impossible numbers, some of them negative.
        let network = Network::builder().start().await?;
        let asker = Asker::connect(network.proxies[0].clients_addr()).await?;
        for fault in [CannedFault::NoUsage, CannedFault::WrongUsage] {
            network.engine(0).set_fault(Some(fault));
            for stream in [false, true] {
                let reply = asker.ask(Request::chat(&chat(json!({"stream": stream})))).await?;
                assert_eq!(
                    (reply.head.status, reply.end.usage),
                    (200, Usage::default()),
                    "{fault:?} {stream}"
                );
            }
        }
        let metrics = get(&format!("http://{}/metrics", network.workers[0].admin_addr()))
            .await?
            .text();
        assert!(
            metrics.contains("cocoon_worker_answers_without_usage_total 4"),
            "{metrics}"
        );
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_goes_away_disables_its_worker_until_it_is_back() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut network = Network::builder().start().await?;
        works(&network).await?;
        let engine = network.engines[0].take().unwrap();
        let listen = engine.addr();
        engine.kill().await;
        // The first request after it notices; from then on nobody is sent there.
        let answer = network.post("/chat/completions", &chat(json!({}))).await?;
        assert!(answer.status >= 500, "{}", answer.status);
        network.wait_for_workers(0, 0).await?;
        let answer = network.post("/chat/completions", &chat(json!({}))).await?;
        assert_eq!(
            (answer.status, answer.error_code().as_deref()),
            (503, Some("no_worker"))
        );
        assert_eq!(worker_status(&network).await["engine"]["ready"], false);

        let options = CannedOptions {
            listen,
            ..CannedOptions::default()
        };
        network.engines[0] = Some(CannedEngine::start(options).await?);
        network.wait_for_workers(0, 1).await?;
        works(&network).await?;

        // And when it comes back with another model, that is announced.
        network.engines[0].take().unwrap().kill().await;
        network.wait_for_workers(0, 0).await?;
        let options = CannedOptions {
            listen,
            model: "other".to_owned(),
            ..CannedOptions::default()
        };
        network.engines[0] = Some(CannedEngine::start(options).await?);
        network.wait_for_model("other").await?;
        let status = network.status(0).await?;
        assert_eq!(status["models"].as_array().map(Vec::len), Some(1), "{status}");
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_built_in_engine_is_started_watched_restarted_and_ended() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = Network::builder()
            .worker(|_, worker| built_in(worker))
            .start()
            .await?;
        let body = chat(json!({"stream": true, "max_tokens": 1000, "x_parts": 1000, "x_pace_ms": 40}));
        let stream = network.stream("/chat/completions", &body).await?;
        let pid = engine_pid(&network).await?;
        let killed = async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            signal(&pid, "-KILL").await
        };
        let (whole, killed) = tokio::join!(stream.text(), killed);
        killed?;
        let whole = whole?;
        assert!(
            whole.contains(r#""code":"engine_failed""#) && !whole.contains("[DONE]"),
            "{whole}"
        );
        assert!(!text(&whole).is_empty(), "it broke in the middle");
        eventually("it works again", async || works(&network).await.is_ok()).await?;
        let again = engine_pid(&network).await?;
        assert_ne!(pid, again);
        network.stop().await?;
        eventually("the engine has ended", async || {
            signal(&again, "-0").await.is_err()
        })
        .await
    })
    .await
}

/// The process that listens where the worker's engine is.
async fn engine_pid(network: &Network) -> anyhow::Result<String> {
    let url = worker_status(network).await["engine"]["url"]
        .as_str()
        .unwrap()
        .to_owned();
    let port: u16 = url.rsplit(':').next().unwrap().parse()?;
    // Linux: the inode of the listening socket, then the process that has it open.
    let sockets = std::fs::read_to_string("/proc/net/tcp")?;
    let local = format!("0100007F:{port:04X}");
    let line = sockets
        .lines()
        .find(|line| line.contains(&local) && line.contains(" 0A "))
        .unwrap()
        .to_owned();
    let inode = format!("socket:[{}]", line.split_whitespace().nth(9).unwrap());
    for process in std::fs::read_dir("/proc")?.flatten() {
        let Ok(files) = std::fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        if files
            .flatten()
            .any(|file| std::fs::read_link(file.path()).is_ok_and(|link| link.as_os_str() == inode.as_str()))
        {
            return Ok(process.file_name().into_string().unwrap());
        }
    }
    anyhow::bail!("nobody listens at {url}")
}

async fn signal(pid: &str, signal: &str) -> anyhow::Result<()> {
    let status = tokio::process::Command::new("kill")
        .args([signal, pid])
        .stderr(std::process::Stdio::null())
        .status()
        .await?;
    anyhow::ensure!(status.success(), "no such process");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_finds_out_what_its_engine_serves() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = Network::builder()
            .worker(|_, worker| worker.endpoints.clear())
            .start()
            .await?;
        let status = worker_status(&network).await;
        assert_eq!(status["engine"]["kind"], "vllm");
        assert_eq!(status["engine"]["context_length"], 4096);
        assert_eq!(status["engine"]["tier"], "open");
        assert_eq!(
            status["engine"]["endpoints"].as_array().map(Vec::len),
            Some(3),
            "embeddings were tried"
        );
        assert_eq!(network.status(0).await?["workers"][0]["capacity"], 64);
        let asker = Asker::connect(network.proxies[0].clients_addr()).await?;
        let wrong = Request::chat(&chat(json!({}))).with(|head| head.model = "other".parse().unwrap());
        assert_eq!(asker.ask(wrong).await.unwrap_err().fault, Fault::UnknownModel);
        network.stop().await
    })
    .await
}
