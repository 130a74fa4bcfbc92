//! Requests sealed past the proxy, with a receipt for every answer: real roles, the real contracts, development evidence.

mod hostile;
mod receipts;

use std::time::Duration;

use cocoon_testkit::money::Money;
use cocoon_testkit::network::{GatewayNode, Network, NetworkBuilder, eventually};
use cocoon_testkit::relay::Relay;
use serde_json::{Value, json};

use crate::chat;

/// Deployments, statements and offers take some blocks and some looks.
const LIMIT: Duration = Duration::from_secs(120);

/// Planted in prompts; nobody else writes it.
const PLANTED: &str = "xylophone-7f3a-planted";

struct Sealed {
    _money: Money,
    network: Network,
    relay: Relay,
}

/// A network whose gateway goes through a proxy in the middle, which changes nothing yet.
async fn sealed(workers: usize) -> anyhow::Result<Sealed> {
    Box::pin(sealed_with(Network::builder().workers(workers))).await
}

async fn sealed_with(builder: NetworkBuilder) -> anyhow::Result<Sealed> {
    let money = Money::start().await?;
    let (proxy_wallet, _) = money.wallet("proxy").await?;
    let (worker_wallet, _) = money.wallet("worker").await?;
    let (client_wallet, _) = money.wallet("client").await?;
    let (_, worker_owner) = money.wallet("earnings").await?;
    let state = money.state_dir("proxy")?;
    let (url, root) = (money.url.clone(), money.root.to_string());
    let keys = move || (Some(url.clone()), Some(root.clone()));
    let (proxy_keys, worker_keys, client_keys) = (keys.clone(), keys.clone(), keys);
    let mut network = builder
        .proxy(move |_, options| {
            (options.chain, options.root) = proxy_keys();
            options.wallet_file = Some(proxy_wallet.clone());
            options.state_dir = Some(state.clone());
        })
        .worker(move |_, options| {
            (options.chain, options.root) = worker_keys();
            options.wallet_file = Some(worker_wallet.clone());
            options.owner = Some(worker_owner.to_string());
        })
        .without_gateway()
        .start()
        .await?;
    let relay = Relay::before(network.proxies[0].clients_addr()).await?;
    let (chain, root) = client_keys();
    let options = cocoon_client::Options {
        proxies: vec![relay.addr().to_string()],
        listen: Some("127.0.0.1:0".parse()?),
        tier: Some("open+simulated".to_owned()),
        is_test: Some(true),
        accept_simulated: Some(true),
        drain_s: Some(2),
        chain,
        root,
        wallet_file: Some(client_wallet),
        ..cocoon_client::Options::default()
    };
    network.gateway = Some(GatewayNode::start(options.build()?).await?);
    network.wait_for_model("canned").await?;
    let sealed = Sealed {
        _money: money,
        network,
        relay,
    };
    // The account is opened, and the workers' statements are offered.
    let ask = chat(json!({}));
    eventually("a sealed answer", async || {
        sealed.post(&ask).await.is_ok_and(|answer| answer.status == 200)
    })
    .await?;
    Ok(sealed)
}

impl Sealed {
    async fn post(&self, body: &Value) -> anyhow::Result<cocoon_testkit::network::Answer> {
        self.network.post("/chat/completions", body).await
    }
}
