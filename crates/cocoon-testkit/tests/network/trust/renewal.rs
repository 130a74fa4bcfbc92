//! Every identity of the network is renewed under load, and nobody who asks notices.

use std::time::Duration;

use cocoon_testkit::money::Money;
use cocoon_testkit::network::{Network, eventually, post, stream, within};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Log, POLL, with_registry};
use crate::{LIMIT, chat, text};

/// Each identity is replaced when it is so old.
const RENEW_EVERY: Duration = Duration::from_secs(14);
/// So long there is load, from a moment at which nothing has been renewed.
const LOAD: Duration = Duration::from_secs(22);

/// Asks again and again until the load is over; says how many answers came, all of them whole.
async fn load(api: String, number: usize, until: Instant) -> anyhow::Result<usize> {
    let url = format!("{api}/chat/completions");
    let mut answers = 0;
    while Instant::now() < until {
        if number.is_multiple_of(2) {
            let paced = chat(json!({"stream": true, "max_tokens": 100, "x_parts": 10, "x_pace_ms": 40}));
            let whole = stream(&url, &paced).await?.text().await?;
            anyhow::ensure!(
                text(&whole).split_whitespace().count() == 10 && whole.ends_with("data: [DONE]\n\n"),
                "not whole: {whole}"
            );
        } else {
            let answer = post(&url, &chat(json!({}))).await?;
            anyhow::ensure!(
                answer.status == 200,
                "{}: {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            );
        }
        answers += 1;
    }
    Ok(answers)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_identity_is_renewed_under_load_and_no_request_fails() -> anyhow::Result<()> {
    let log = Log::start()?;
    within(LIMIT, async {
        let money = Money::start().await?;
        let network = with_registry(Network::builder().workers(2), &money)
            .await?
            .trust(|trust| {
                trust.poll = POLL;
                trust.renew_every = Some(RENEW_EVERY);
            })
            .start()
            .await?;
        let until = Instant::now() + LOAD;
        let mut askers = JoinSet::new();
        for number in 0..4 {
            askers.spawn(load(network.api(), number, until));
        }
        let mut answers = 0;
        while let Some(asker) = askers.join_next().await {
            answers += asker??;
        }
        assert!(answers > 40, "{answers}");
        let renewed = log.count(&["this node has a fresh identity"]);
        assert!(renewed >= 4, "{renewed} of a proxy, two workers and a client");
        let stated = log.count(&["a worker's statement is verified"]);
        assert!(stated >= 4, "{stated} of two workers, before and after");
        eventually("both workers are there on their new links", async || {
            let takes =
                |all: &Vec<serde_json::Value>| all.iter().filter(|one| one["enabled"] == true).count();
            network
                .status(0)
                .await
                .is_ok_and(|status| status["workers"].as_array().map(takes) == Some(2))
        })
        .await?;
        network.stop().await
    })
    .await
}
