//! Two workers: both serve, one dies in the middle of a stream, and is back.

use std::time::Duration;

use cocoon_testkit::canned::{CannedEngine, CannedOptions};
use serde_json::{Value, json};

use crate::network::{Up, signal};

/// The canned engine on a runtime of its own, and a plain HTTP client beside it.
pub(crate) struct Canned {
    pub(crate) url: String,
    engine: CannedEngine,
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
}

/// What came back: the status, the body as far as it came, and whether it came to its end.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
    pub(crate) whole: bool,
}

#[test]
fn both_serve_and_a_killed_one_comes_back() {
    let canned = Canned::start();
    // Without payments nothing is sealed, so that the proxy shares the requests out; sealed, each client draws.
    let mut up = Up::start(&["up", "--engine", &canned.url, "--workers", "2", "--no-money"]);
    let api = up.ready().api;
    let ask = |stream: bool| json!({"model": canned.model(), "messages": [{"role": "user", "content": "Hi"}], "stream": stream});

    let answers = canned.runtime.block_on(async {
        let pair = || async {
            tokio::join!(
                send(&canned.http, &api, ask(false)),
                send(&canned.http, &api, ask(false))
            )
        };
        let mut answers = Vec::new();
        for _ in 0..10 {
            let (one, two) = pair().await;
            answers.extend([one, two]);
        }
        answers
    });
    for answer in &answers {
        assert_eq!(answer.status, 200, "{}\n{}", answer.text, up.log());
    }
    let workers = up.roles("worker");
    let served: Vec<u64> = workers
        .iter()
        .map(|worker| canned.served_by(&worker.url))
        .collect();
    assert_eq!(served.iter().sum::<u64>(), 20, "{served:?}");
    assert!(served.iter().all(|count| *count >= 5), "both serve: {served:?}");

    // One long stream per worker; then one worker dies by signal 9.
    let (survived, broken) = canned.runtime.block_on(async {
        let long = || {
            let mut body = ask(true);
            body["x_fault"] = json!("slow");
            send(&canned.http, &api, body)
        };
        let kill = async {
            tokio::time::sleep(Duration::from_millis(700)).await;
            signal("KILL", workers[0].pid);
        };
        let (one, two, ()) = tokio::join!(long(), long(), kill);
        if one.text.contains("[DONE]") {
            (one, two)
        } else {
            (two, one)
        }
    });
    assert!(
        survived.whole && survived.text.contains("[DONE]"),
        "the other worker's stream does not notice"
    );
    assert!(
        broken.text.contains("\"error\"") && !broken.text.contains("[DONE]"),
        "the caller sees an error: {}",
        broken.text
    );

    for _ in 0..5 {
        assert_eq!(
            canned.post(&api, &ask(false)).status,
            200,
            "the next requests succeed on the other"
        );
    }
    up.wait_until("the killed worker is back", |up| {
        up.roles("worker").len() == 2
            && up
                .roles("worker")
                .iter()
                .all(|worker| worker.pid != workers[0].pid)
    });
    let back = up
        .roles("worker")
        .into_iter()
        .find(|worker| worker.pid != workers[1].pid)
        .unwrap();
    up.wait_until("the restarted worker serves", |_| {
        canned.post(&api, &ask(false));
        canned.served_by(&back.url) > 0
    });
}

async fn send(http: &reqwest::Client, api: &str, body: Value) -> Answer {
    send_raw(http, api, body.to_string()).await
}

async fn send_raw(http: &reqwest::Client, api: &str, body: String) -> Answer {
    let request = http
        .post(format!("{api}/chat/completions"))
        .header("content-type", "application/json")
        .body(body);
    let mut answer = request.send().await.unwrap();
    let (status, mut text) = (answer.status().as_u16(), String::new());
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => text.push_str(&String::from_utf8_lossy(&chunk)),
            Ok(None) => {
                return Answer {
                    status,
                    text,
                    whole: true,
                };
            }
            Err(_) => {
                return Answer {
                    status,
                    text,
                    whole: false,
                };
            }
        }
    }
}

// === impl Canned ===

impl Canned {
    pub(crate) fn start() -> Self {
        Self::start_on([127, 0, 0, 1])
    }

    pub(crate) fn start_on(address: [u8; 4]) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let options = CannedOptions {
            listen: (address, 0).into(),
            ..CannedOptions::default()
        };
        let engine = runtime.block_on(CannedEngine::start(options)).unwrap();
        Self {
            url: engine.url(),
            engine,
            runtime,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    pub(crate) fn model(&self) -> &str {
        self.engine.model()
    }

    pub(crate) fn post(&self, api: &str, body: &Value) -> Answer {
        self.post_raw(api, body.to_string())
    }

    pub(crate) fn post_raw(&self, api: &str, body: String) -> Answer {
        self.runtime.block_on(send_raw(&self.http, api, body))
    }

    /// The status of a page.
    pub(crate) fn get(&self, url: &str) -> u16 {
        let answer = self.runtime.block_on(self.http.get(url).send());
        answer.map_or(0, |answer| answer.status().as_u16())
    }

    /// Whether some request that reached the engine held this text.
    pub(crate) fn saw(&self, text: &str) -> bool {
        let text = text.as_bytes();
        self.engine
            .records()
            .iter()
            .any(|record| record.body.windows(text.len()).any(|window| window == text))
    }

    /// Requests that the worker with this admin URL has finished, by its own metrics.
    pub(crate) fn served_by(&self, admin: &str) -> u64 {
        let text = self.runtime.block_on(async {
            self.http
                .get(format!("{admin}/metrics"))
                .send()
                .await
                .unwrap()
                .text()
                .await
                .unwrap()
        });
        let lines = text
            .lines()
            .filter(|line| line.starts_with("cocoon_worker_requests_total"));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum()
    }
}
