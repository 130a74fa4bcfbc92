//! Clients of the original at our proxy, served by our workers.

use cocoon_testkit::money::Money;
use cocoon_testkit::network::{eventually, within};
use cocoon_testkit::original::{OldClient, OldRequest};
use cocoon_tl::client;
use serde_json::{Value, json};

use super::{LIMIT, books, proxy, question};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_client_is_served_by_a_worker_of_protocol_3() -> anyhow::Result<()> {
    within(LIMIT, async {
        let money = Money::start().await?;
        let (wallet, _) = money.wallet("worker").await?;
        let (url, root) = (money.url.clone(), money.root.to_string());
        let network = proxy(&money)
            .await?
            .without_gateway()
            .workers(1)
            .worker(move |_, options| {
                (options.chain, options.root) = (Some(url.clone()), Some(root.clone()));
                options.wallet_file = Some(wallet.clone());
            })
            .start()
            .await?;
        let addr = network.proxies[0].clients_addr();
        let mut client = OldClient::connect(&money, addr, "client", 2).await?;
        let types = client.peer.ask(&client::GetWorkerTypesV2 {}).await?;
        assert_eq!(types.types.len(), 1);
        let types = client.peer.ask(&client::GetWorkerTypes {}).await?;
        assert_eq!(types.types[0].active_workers, 1);
        let request = OldRequest::chat(&question())?;
        let answer = client.ask(&request).await?;
        assert_eq!((answer.status, answer.broken), (200, false));
        let body: Value = serde_json::from_slice(&answer.body)?;
        let count = |name: &str| body["usage"][name].as_i64().unwrap_or(0);
        let tokens = count("prompt_tokens") + 8 * count("completion_tokens");
        assert!(tokens > 0);
        assert_eq!(answer.used.total_tokens_used, tokens);
        client.update().await?;
        assert_eq!(client.told()[2], tokens, "charged to the token");
        // What was used is signed once a commit was seen, and is known again after the short way in.
        eventually("it is signed", async || {
            client.update().await.is_ok() && client.told()[0] == tokens
        })
        .await?;
        let mut client = client.reconnect_with_secret(&money, addr).await?;
        assert_eq!(client.told(), [tokens; 3]);
        // A stream comes in parts, and costs what it tells too.
        let mut streamed = question();
        streamed["stream"] = json!(true);
        // Parts that are there together share a message.
        streamed["x_pace_ms"] = json!(20);
        let answer = client.ask(&OldRequest::chat(&streamed)?).await?;
        assert!(
            answer.parts > 3 && answer.body.ends_with(b"data: [DONE]\n\n"),
            "{}",
            answer.parts
        );
        client.update().await?;
        assert_eq!(client.told()[2], tokens + answer.used.total_tokens_used);
        let books = books(&network).await?;
        assert_eq!(books["workers"][0]["earned_tokens"], client.told()[2]);
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_client_gets_no_tier_that_it_could_not_know_of() -> anyhow::Result<()> {
    within(LIMIT, async {
        let money = Money::start().await?;
        let (wallet, _) = money.wallet("worker").await?;
        let (proxy_wallet, _) = money.wallet("proxy").await?;
        let state = money.state_dir("proxy")?;
        let keys = (Some(money.url.clone()), Some(money.root.to_string()));
        let worker_keys = keys.clone();
        // As it is by default: the engine is outside, so that the worker's tier is open.
        let network = cocoon_testkit::network::Network::builder()
            .without_gateway()
            .proxy(move |_, options| {
                (options.chain, options.root) = keys.clone();
                options.wallet_file = Some(proxy_wallet.clone());
                options.state_dir = Some(state.clone());
            })
            .worker(move |_, options| {
                (options.chain, options.root) = worker_keys.clone();
                options.wallet_file = Some(wallet.clone());
            })
            .start()
            .await?;
        let addr = network.proxies[0].clients_addr();
        let mut client = OldClient::connect(&money, addr, "client", 2).await?;
        let answer = client.ask(&OldRequest::chat(&question())?).await?;
        assert_eq!(answer.status, 503);
        let body: Value = serde_json::from_slice(&answer.body)?;
        assert_eq!(body["error"]["code"], "tier_unavailable", "{body}");
        network.stop().await
    })
    .await
}
