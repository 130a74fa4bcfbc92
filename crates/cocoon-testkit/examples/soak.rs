//! Many requests through a running network, and the memory of each role beside them.
//!
//! ```sh
//! cargo run --release -p cocoon-testkit --example canned-engine -- --port 18000 &
//! ./cocoon up --engine http://127.0.0.1:18000 --workers 2 --ready-file /tmp/ready.json &
//! cargo run --release -p cocoon-testkit --example soak -- /tmp/ready.json 30000 64
//! ```
//! Every second request is a stream. An answer counts only when it is whole: status 200 and, for a stream, `[DONE]`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use serde::Deserialize;
use tokio::task::JoinSet;

#[derive(Deserialize)]
struct Ready {
    api: String,
    roles: Vec<Role>,
}

#[derive(Deserialize)]
struct Role {
    name: String,
    pid: u32,
}

struct Load {
    http: Client<HttpConnector, Full<Bytes>>,
    api: String,
    model: String,
    total: usize,
    next: AtomicUsize,
    failed: AtomicUsize,
}

/// Times at which the memory is read.
const SAMPLES: usize = 10;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example prints its findings")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments
        .next()
        .context("usage: soak READY-FILE REQUESTS AT-ONCE")?;
    let total: usize = arguments.next().context("how many requests?")?.parse()?;
    let at_once: usize = arguments.next().context("how many at once?")?.parse()?;
    let ready: Ready = serde_json::from_slice(&std::fs::read(path)?)?;

    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let http = Client::builder(hyper_util::rt::TokioExecutor::new()).build(connector);
    let model = first_model(&http, &ready.api).await?;
    let load = Arc::new(Load {
        http,
        api: ready.api,
        model,
        total,
        next: AtomicUsize::new(0),
        failed: AtomicUsize::new(0),
    });

    println!(
        "{:>8} {:>8}  {}",
        "requests",
        "failed",
        row(&ready.roles, |role| role.name.clone())
    );
    let started = Instant::now();
    for sample in 1..=SAMPLES {
        let goal = total * sample / SAMPLES;
        let mut callers = JoinSet::new();
        for _ in 0..at_once {
            callers.spawn(Arc::clone(&load).call_until(goal));
        }
        while callers.join_next().await.is_some() {}
        let failed = load.failed.load(Ordering::Relaxed);
        println!(
            "{goal:>8} {failed:>8}  {}",
            row(&ready.roles, |role| format!("{} KiB", memory(role.pid)))
        );
    }
    let seconds = started.elapsed().as_secs_f64();
    let failed = load.failed.load(Ordering::Relaxed);
    println!(
        "{total} requests, {at_once} at once, {failed} failed, {seconds:.1} s, {:.0} per second",
        total as f64 / seconds
    );
    ensure!(failed == 0, "{failed} requests were not answered whole");
    Ok(())
}

// === impl Load ===

impl Load {
    /// Sends requests until this many have been started by all callers together.
    async fn call_until(self: Arc<Self>, goal: usize) {
        loop {
            let number = self.next.load(Ordering::Relaxed);
            if number >= goal.min(self.total) {
                return;
            }
            let claimed =
                self.next
                    .compare_exchange(number, number + 1, Ordering::Relaxed, Ordering::Relaxed);
            if claimed.is_ok() && !self.call(number % 2 == 1).await.unwrap_or(false) {
                self.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// One request; whether its answer came whole.
    async fn call(&self, stream: bool) -> anyhow::Result<bool> {
        let body = serde_json::json!({
            "model": self.model, "stream": stream, "max_tokens": 32,
            "messages": [{"role": "user", "content": "Hello, how are you today?"}],
        });
        let request = hyper::Request::post(format!("{}/chat/completions", self.api))
            .header("content-type", "application/json")
            .body(Full::from(body.to_string()))?;
        let answer = self.http.request(request).await?;
        let ok = answer.status() == 200;
        let body = answer.into_body().collect().await?.to_bytes();
        Ok(ok && (!stream || body.ends_with(b"data: [DONE]\n\n")))
    }
}

async fn first_model(http: &Client<HttpConnector, Full<Bytes>>, api: &str) -> anyhow::Result<String> {
    let request = hyper::Request::get(format!("{api}/models")).body(Full::default())?;
    let body = http
        .request(request)
        .await?
        .into_body()
        .collect()
        .await?
        .to_bytes();
    let list: serde_json::Value = serde_json::from_slice(&body)?;
    Ok(list["data"][0]["id"]
        .as_str()
        .context("the network serves no model")?
        .to_owned())
}

/// Resident memory of a process, in KiB.
fn memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok())
        .unwrap_or(0)
}

fn row(roles: &[Role], cell: impl Fn(&Role) -> String) -> String {
    roles
        .iter()
        .map(|role| format!("{:>14}", cell(role)))
        .collect::<Vec<_>>()
        .join(" ")
}
