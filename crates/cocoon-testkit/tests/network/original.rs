//! Peers of the original at our proxy, and our nodes at its proxy, with payments (docs/how-to/peers-of-the-original.md).
#![expect(clippy::large_futures, reason = "a test's own")]

mod clients;
mod hostile;
mod proxies;
mod workers;

use std::time::Duration;

use cocoon_testkit::money::Money;
use cocoon_testkit::network::{Network, NetworkBuilder, eventually, get};
use cocoon_testkit::original::{OldClient, OldWorker};
use cocoon_tl::shared::TokensUsed;
use cocoon_types::Address;
use serde_json::{Value, json};

/// Deployments, commits and registrations take some blocks and some looks.
const LIMIT: Duration = Duration::from_secs(90);

/// One proxy that keeps accounts, and nobody at it. The canned engine of workers that are added is outside, so that old
/// clients are served at tier open.
async fn proxy(money: &Money) -> anyhow::Result<NetworkBuilder> {
    let (wallet, _) = money.wallet("proxy").await?;
    let state = money.state_dir("proxy")?;
    let (url, root) = (money.url.clone(), money.root.to_string());
    Ok(Network::builder().workers(0).proxy(move |_, options| {
        (options.chain, options.root) = (Some(url.clone()), Some(root.clone()));
        options.wallet_file = Some(wallet.clone());
        options.state_dir = Some(state.clone());
        options.settle = Some("manual".to_owned());
        options.commit_age_s = Some(1);
        options.original_peers = Some("open".to_owned());
    }))
}

/// An old client and an old worker at one proxy.
struct Old {
    /// Holds the chain.
    _money: Money,
    network: Network,
    client: OldClient,
    worker: OldWorker,
}

/// All of them, speaking versions up to this one.
async fn old(version: i32) -> anyhow::Result<Old> {
    let money = Money::start().await?;
    let network = proxy(&money).await?.without_gateway().start().await?;
    let (clients, workers) = {
        let proxy = &network.proxies[0];
        (proxy.clients_addr(), proxy.workers_addr())
    };
    ready(&network).await?;
    let worker = OldWorker::connect(&money, workers, "worker", version).await?;
    let client = OldClient::connect(&money, clients, "client", version).await?;
    network.wait_for_workers(0, 1).await?;
    Ok(Old {
        _money: money,
        network,
        client,
        worker,
    })
}

/// Waits until the proxy's first commit is on the chain; it serves nobody before.
async fn ready(network: &Network) -> anyhow::Result<()> {
    eventually("the proxy is ready", async || {
        books(network).await.is_ok_and(|books| books["ready"] == true)
    })
    .await
}

/// What the accounts say of one owner.
fn entry(list: &Value, owner: Address) -> &Value {
    let owner = owner.to_string();
    list.as_array()
        .and_then(|list| list.iter().find(|entry| entry["owner"] == owner.as_str()))
        .unwrap_or(&Value::Null)
}

/// The proxy's accounts, as its owner sees them.
async fn books(network: &Network) -> anyhow::Result<Value> {
    get(&format!("http://{}/accounts", network.proxies[0].admin_addr()))
        .await?
        .json()
}

/// So many prompt and completion tokens at the registry's weights, 1 and 8, and at coefficient 1000.
fn used(prompt: i64, completion: i64) -> TokensUsed {
    TokensUsed {
        prompt_tokens_used: prompt,
        cached_tokens_used: 0,
        completion_tokens_used: 8 * completion,
        reasoning_tokens_used: 0,
        total_tokens_used: prompt + 8 * completion,
    }
}

fn question() -> Value {
    json!({"model": "canned", "messages": [{"role": "user", "content": "five words are in this"}]})
}
