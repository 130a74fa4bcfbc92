//! Whole networks in this process: what the roles do together, and what hostile peers cannot do to them.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod accounts;
mod bodies;
mod cancel;
mod drain;
mod engines;
mod hostile_clients;
mod hostile_proxies;
mod hostile_workers;
mod line;
mod logs;
mod loss;
mod original;
mod pace;
mod paid;
mod sealed;
mod sharing;
mod tiers;
mod trust;

use std::time::Duration;

use cocoon_testkit::network::{Answer, Network};
use serde_json::{Value, json};

/// No test of this file takes longer; one that does hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// A chat request with these members besides.
fn chat(members: Value) -> Value {
    let mut body =
        json!({"model": "canned", "messages": [{"role": "user", "content": "five words are in this"}]});
    body.as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    body
}

/// The data of every event of a stream, `[DONE]` left out.
fn events(stream: &str) -> Vec<Value> {
    stream
        .split("\n\n")
        .filter_map(|event| event.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

/// The text that the deltas of a stream make.
fn text(stream: &str) -> String {
    let texts = events(stream);
    let texts = texts
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["content"].as_str());
    texts.collect()
}

/// Asks one plain question and insists on an answer.
async fn works(network: &Network) -> anyhow::Result<Answer> {
    let answer = network.post("/chat/completions", &chat(json!({}))).await?;
    anyhow::ensure!(
        answer.status == 200,
        "status {}: {}",
        answer.status,
        answer.text()
    );
    Ok(answer)
}
