//! Evidence that ends soon: every link of the network is renewed under load, and nobody who asks notices.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cocoon_contracts::root::Change;
use cocoon_link::{Attester, Presented};
use cocoon_tee::development::{DevelopmentTee, QuoteFormat, image};
use cocoon_testkit::money::Money;
use cocoon_testkit::network::{Network, eventually, post, stream, within};
use cocoon_trust::TeeChoice;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Log, POLL, opened, with_registry};
use crate::{LIMIT, chat, text};

/// Seconds for which evidence holds here. Identities are renewed after two thirds of it.
const LIFE: u64 = 24;
/// Seconds for which development collateral holds from when it is made.
const COLLATERAL: u64 = 30 * 86_400;
/// So long there is load: every identity is renewed once, and what it replaced has expired.
const LOAD: Duration = Duration::from_secs(LIFE + 4);

/// Shows good evidence whose collateral was made nearly its whole life ago.
#[derive(Debug)]
struct Short(DevelopmentTee);

impl Attester for Short {
    fn evidence(&self, report_data: &[u8; 64], now: u64) -> Result<Presented, Box<dyn Error + Send + Sync>> {
        Ok(Presented {
            quote: self.0.quote(QuoteFormat::V4, report_data, &image("proxy"))?,
            collateral: Some(self.0.collateral(now + LIFE - COLLATERAL)?),
        })
    }
}

fn short(directory: &Path) -> anyhow::Result<TeeChoice> {
    Ok(TeeChoice::Other(Arc::new(Short(opened(directory)?))))
}

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
        // One image for all roles: which one a node shows does not matter here.
        let shown = image("proxy").image_hash();
        money.change(Change::AddWorkerHash(shown)).await?;
        let home = money.state_dir("tee")?;
        let tee = short(&home)?;
        let network = with_registry(Network::builder().workers(2), &money)
            .await?
            .trust(move |trust| {
                trust.poll = POLL;
                trust.tee = tee.clone();
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
        eventually("links that were replaced have ended", async || {
            network
                .status(0)
                .await
                .is_ok_and(|status| status["workers"].as_array().is_some_and(|all| all.len() == 2))
        })
        .await?;
        network.stop().await
    })
    .await
}
