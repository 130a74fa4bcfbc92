use std::time::Duration;

use cocoon_testkit::network::{Asker, Network, Request, within};
use cocoon_types::{Fault, Tier, TierPolicy};
use serde_json::json;

use crate::{LIMIT, chat, engines::built_in};

async fn ask(network: &Network, tier: TierPolicy) -> Result<Tier, Fault> {
    let asker = Asker::connect(network.proxies[0].clients_addr()).await.unwrap();
    let request = Request::chat(&chat(json!({}))).with(|head| head.tier = tier);
    let reply = asker.ask(request).await;
    reply
        .map(|reply| reply.head.tier)
        .map_err(|refusal| refusal.fault)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_worker_never_serves_what_must_be_confidential() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = Network::builder().start().await?;
        for tier in [Tier::Confidential, Tier::Attested, Tier::Simulated] {
            let policy = TierPolicy::at_least(tier);
            assert_eq!(ask(&network, policy).await, Err(Fault::TierUnavailable), "{tier}");
        }
        assert_eq!(network.engine(0).served(), 0);
        assert_eq!(
            ask(&network, TierPolicy::at_least(Tier::Open)).await,
            Ok(Tier::Open)
        );
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateway_asks_for_confidential_unless_told_otherwise() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = Network::builder()
            .client(|client| client.tier = None)
            .start()
            .await?;
        let answer = network.post("/chat/completions", &chat(json!({}))).await?;
        assert_eq!(
            (answer.status, answer.error_code().as_deref()),
            (503, Some("tier_unavailable"))
        );
        assert_eq!(network.engine(0).served(), 0);
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn simulated_is_accepted_by_name_only() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = Network::builder()
            .worker(|_, worker| built_in(worker))
            .start()
            .await?;
        for tier in [Tier::Confidential, Tier::Attested, Tier::Open] {
            let policy = TierPolicy::at_least(tier);
            assert_eq!(ask(&network, policy).await, Err(Fault::TierUnavailable), "{tier}");
            assert_eq!(ask(&network, policy.and_simulated()).await, Ok(Tier::Simulated));
        }
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_does_not_accept_simulated_evidence_takes_no_such_worker() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = Network::builder()
            .proxy(|_, proxy| proxy.accept_simulated = None)
            .without_gateway()
            .start_at_once()
            .await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(
            network.status(0).await?["workers"].as_array().map(Vec::len),
            Some(0)
        );
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_without_evidence_is_not_taken() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = Network::builder()
            .worker(|_, worker| worker.accept_simulated = None)
            .without_gateway()
            .start_at_once()
            .await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(
            network.status(0).await?["workers"].as_array().map(Vec::len),
            Some(0)
        );
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_pays_more_than_the_limit() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = Network::builder()
            .without_gateway()
            .workers(2)
            .worker(|index, worker| worker.coefficient = Some(if index == 0 { 3000 } else { 1500 }))
            .start()
            .await?;
        let asker = Asker::connect(network.proxies[0].clients_addr()).await?;
        let paying = |limit| {
            Request::chat(&chat(json!({})))
                .with(|head| head.max_coefficient = cocoon_types::Coefficient::new(limit).unwrap())
        };
        for _ in 0..10 {
            asker.ask(paying(2000)).await?;
        }
        assert_eq!((network.engine(0).served(), network.engine(1).served()), (0, 10));
        let refusal = asker.ask(paying(1499)).await.unwrap_err();
        assert_eq!(refusal.fault, Fault::PriceTooLow);
        assert!(
            refusal.message.contains("1500"),
            "the price that would do: {}",
            refusal.message
        );
        network.stop().await
    })
    .await
}
