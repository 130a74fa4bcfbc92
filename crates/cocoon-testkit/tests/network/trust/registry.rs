//! What the registry says holds, from the moment at which it says it.

use cocoon_contracts::root::Change;
use cocoon_tee::development::image;
use cocoon_testkit::money::Money;
use cocoon_testkit::network::{Network, eventually, stream, within};
use serde_json::json;

use super::{Log, with_registry};
use crate::{LIMIT, chat, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_leaves_the_registry_is_out_and_what_ran_is_finished() -> anyhow::Result<()> {
    let log = Log::start()?;
    within(LIMIT, async {
        let money = Money::start().await?;
        let network = with_registry(Network::builder(), &money).await?.start().await?;
        let answer = network.post("/chat/completions", &chat(json!({}))).await?;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));

        let url = format!("{}/chat/completions", network.api());
        let lasting = chat(json!({"stream": true, "max_tokens": 1000, "x_parts": 60, "x_pace_ms": 50}));
        let running = stream(&url, &lasting).await?;
        let worker = image("worker").image_hash();
        money.change(Change::DeleteWorkerHash(worker)).await?;
        eventually("the worker takes nothing new", async || {
            network.wait_for_workers(0, 0).await.is_ok()
        })
        .await?;
        let whole = running.text().await?;
        assert_eq!(text(&whole).split_whitespace().count(), 60);
        assert!(whole.ends_with("data: [DONE]\n\n"), "{whole}");
        let words = "not on the list of accepted images";
        eventually("the proxy has said why", async || {
            log.says(&["a worker is no longer acceptable", words])
        })
        .await?;
        eventually("the worker has heard why", async || {
            log.says(&["cannot work for a proxy", words])
        })
        .await?;
        eventually("the worker is gone", async || {
            network
                .status(0)
                .await
                .is_ok_and(|status| status["workers"] == json!([]))
        })
        .await?;

        // It comes back with its image.
        money.change(Change::AddWorkerHash(worker)).await?;
        network.wait_for_workers(0, 1).await?;
        let answer = network.post("/chat/completions", &chat(json!({}))).await?;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_whose_image_leaves_the_registry_is_left_by_its_workers() -> anyhow::Result<()> {
    let log = Log::start()?;
    within(LIMIT, async {
        let money = Money::start().await?;
        let network = with_registry(Network::builder().without_gateway(), &money)
            .await?
            .start()
            .await?;
        let proxy = image("proxy").image_hash();
        money.change(Change::DeleteProxyHash(proxy)).await?;
        network.wait_for_workers(0, 0).await?;
        eventually("the worker says why", async || {
            log.says(&[
                "a proxy is no longer acceptable",
                "not on the list of accepted images",
            ])
        })
        .await?;
        money.change(Change::AddProxyHash(proxy)).await?;
        network.wait_for_workers(0, 1).await?;
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_production_network_starts_no_node_that_takes_simulated_evidence() -> anyhow::Result<()> {
    within(LIMIT, async {
        let money = Money::start_as(false).await?;
        // Whatever the local configuration says: the registry says otherwise.
        let started = with_registry(Network::builder(), &money)
            .await?
            .start_at_once()
            .await;
        let error = format!("{:#}", started.unwrap_err());
        assert!(
            error.contains("the root contract is not of a test network"),
            "{error}"
        );
        Ok(())
    })
    .await
}
