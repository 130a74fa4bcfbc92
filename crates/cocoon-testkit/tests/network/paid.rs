//! Requests that cost something: real contracts in the embedded ledger, every role with a wallet of its own.

use std::{path::PathBuf, time::Duration};

use cocoon_chain::{At, Chain as _};
use cocoon_contracts::{client, proxy};
use cocoon_testkit::money::Money;
use cocoon_testkit::network::{Network, eventually, get, post, post_with_key, within};
use cocoon_types::{Address, Nanoton};
use cocoon_web::keys::{KeyFile, KeyLimits};
use serde_json::{Value, json};

use crate::chat;

/// Deployments, commits and settlements take some blocks and some looks.
const LIMIT: Duration = Duration::from_secs(90);

struct Paid {
    money: Money,
    network: Network,
    worker_owner: Address,
}

async fn paid(settle: &str) -> anyhow::Result<Paid> {
    paid_behind(settle, None).await
}

/// With a gateway that asks for the API keys of this directory.
async fn paid_behind(settle: &str, keys: Option<PathBuf>) -> anyhow::Result<Paid> {
    let money = Money::start().await?;
    let (proxy_wallet, _) = money.wallet("proxy").await?;
    let (worker_wallet, _) = money.wallet("worker").await?;
    let (client_wallet, _) = money.wallet("client").await?;
    let (_, worker_owner) = money.wallet("earnings").await?;
    let state = money.state_dir("proxy")?;
    let (url, root) = (money.url.clone(), money.root.to_string());
    let asks_for_keys = keys.is_some();
    let key_dir = keys;
    let keys = move || (Some(url.clone()), Some(root.clone()));
    let (proxy_keys, worker_keys, client_keys) = (keys.clone(), keys.clone(), keys);
    let settle = settle.to_owned();
    let network = Network::builder()
        .proxy(move |_, options| {
            (options.chain, options.root) = proxy_keys();
            options.wallet_file = Some(proxy_wallet.clone());
            options.state_dir = Some(state.clone());
            options.settle = Some(settle.clone());
            options.commit_age_s = Some(1);
        })
        .worker(move |_, options| {
            (options.chain, options.root) = worker_keys();
            options.wallet_file = Some(worker_wallet.clone());
            options.owner = Some(worker_owner.to_string());
        })
        .client(move |options| {
            (options.chain, options.root) = client_keys();
            options.wallet_file = Some(client_wallet.clone());
            options.api_keys = Some(asks_for_keys);
            options.state_dir = key_dir.clone().or(options.state_dir.take());
        });
    let network = if asks_for_keys {
        let network = network.start_at_once().await?;
        network.wait_for_workers(0, 1).await?;
        network
    } else {
        network.start().await?
    };
    Ok(Paid {
        money,
        network,
        worker_owner,
    })
}

impl Paid {
    async fn json(&self, url: String) -> anyhow::Result<Value> {
        get(&url).await?.json()
    }

    async fn account(&self) -> anyhow::Result<Value> {
        let api = self.network.api();
        self.json(format!("{}/cocoon/v1/account", api.trim_end_matches("/v1")))
            .await
    }

    async fn books(&self) -> anyhow::Result<Value> {
        self.json(format!(
            "http://{}/accounts",
            self.network.proxies[0].admin_addr()
        ))
        .await
    }

    async fn data(&self, address: &Value) -> anyhow::Result<cocoon_contracts::Cell> {
        let address: Address = address.as_str().unwrap_or_default().parse()?;
        let account = self.money.chain.account(address, At::Latest).await?;
        account
            .data
            .ok_or_else(|| anyhow::anyhow!("no contract at {address}"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_nanoton_of_a_request_goes_where_it_belongs() -> anyhow::Result<()> {
    within(LIMIT, async {
        let paid = paid("manual").await?;
        let before = paid.money.balance(paid.worker_owner).await?;
        let answer = paid
            .network
            .post("/chat/completions", &chat(json!({"max_tokens": 16})))
            .await?;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        let answer = answer.json()?;

        // What the answer says that it cost is what its usage comes to at the registry's prices.
        let usage = &answer["usage"];
        let count = |name: &str| usage[name].as_u64().unwrap_or(0);
        let tokens = count("prompt_tokens") + 8 * count("completion_tokens");
        assert_eq!(usage["total_cost"], 20 * tokens, "{answer}");
        assert_eq!(answer["cocoon"]["cost"]["total"], 20 * tokens);
        assert_eq!(
            count("prompt_total_cost") + count("completion_total_cost"),
            count("total_cost")
        );

        // Used, then signed once a commit was seen on the chain.
        eventually("what was used is signed", async || {
            paid.account()
                .await
                .is_ok_and(|account| account["proxies"][0]["signed_tokens"] == tokens)
        })
        .await?;
        let account = paid.account().await?["proxies"][0].clone();
        assert_eq!(account["used_tokens"], tokens);

        // Settled: charged to the client's contract, paid to the worker's owner.
        let settle = format!("http://{}/settle", paid.network.proxies[0].admin_addr());
        assert_eq!(post(&settle, &json!({})).await?.status, 202);
        eventually("the worker is paid and the client charged", async || {
            paid.books().await.is_ok_and(|books| {
                books["workers"][0]["paid_tokens"] == tokens
                    && books["clients"][0]["charged_tokens"] == tokens
            })
        })
        .await?;
        let stored = client::Storage::parse(&paid.data(&account["contract"]).await?)?;
        assert_eq!(stored.tokens_used, tokens);
        assert_eq!(stored.balance, Nanoton::new(20_000_000 - 20 * tokens));
        let gained = paid.money.balance(paid.worker_owner).await?.nano() - before.nano();
        // The payout travels at its receiver's cost: one message's carriage.
        assert!(
            19 * tokens >= gained && 19 * tokens - gained < 1_000_000,
            "{gained}"
        );
        let pool = proxy::Storage::parse(&paid.data(&account["proxy_contract"]).await?)?;
        assert_eq!(pool.balance, Nanoton::new(tokens));
        paid.network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_taken_back_at_once_and_the_account_opens_again() -> anyhow::Result<()> {
    within(
        LIMIT,
        Box::pin(async {
            let paid = paid("manual").await?;
            let api = paid.network.api().trim_end_matches("/v1").to_owned();
            let ask = chat(json!({"max_tokens": 16}));
            assert_eq!(paid.network.post("/chat/completions", &ask).await?.status, 200);
            let state = async |wanted: &str| {
                let account = paid.account().await;
                account.is_ok_and(|account| account["proxies"][0]["state"] == wanted)
            };
            let account = paid.account().await?["proxies"][0].clone();
            let closed = post(&format!("{api}/cocoon/v1/account/close"), &json!({})).await?;
            assert_eq!(closed.status, 202);
            // The network's delay is a minute: only the proxy's word closes it sooner.
            eventually("the account is closed", async || state("closed").await).await?;
            let stored = client::Storage::parse(&paid.data(&account["contract"]).await?)?;
            assert_eq!(
                (stored.state, stored.balance),
                (client::State::Closed, Nanoton::ZERO)
            );
            let refused = paid.network.post("/chat/completions", &ask).await?;
            assert_eq!(refused.status, 402, "{}", String::from_utf8_lossy(&refused.body));

            let wish = json!({"amount": "30000000"});
            let opened = post(&format!("{api}/cocoon/v1/account/topup"), &wish).await?;
            assert_eq!(opened.status, 202);
            eventually("the account is open again", async || state("open").await).await?;
            eventually("requests are served again", async || {
                let answer = paid.network.post("/chat/completions", &ask).await;
                answer.is_ok_and(|answer| answer.status == 200)
            })
            .await?;
            paid.network.stop().await
        }),
    )
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_above_its_price_limit_or_the_account_costs_nothing() -> anyhow::Result<()> {
    within(LIMIT, async {
        let paid = paid("manual").await?;
        let ask = async |members: Value| paid.network.post("/chat/completions", &chat(members)).await;
        // Far more than the stake covers.
        let refused = ask(json!({"max_tokens": 1_000_000})).await?;
        assert_eq!(refused.status, 402, "{}", String::from_utf8_lossy(&refused.body));
        assert_eq!(refused.json()?["error"]["code"], "insufficient_balance");
        let refused = ask(json!({"max_tokens": 16, "cocoon": {"max_price": 1}})).await?;
        assert_eq!(refused.status, 402);
        let account = paid.account().await?["proxies"][0].clone();
        assert_eq!(account["used_tokens"], 0);
        let served =
            ask(json!({"max_tokens": 16, "cocoon": {"max_price": 10_000_000, "balance": true}})).await?;
        assert_eq!(served.status, 200, "{}", String::from_utf8_lossy(&served.body));
        let served = served.json()?;
        assert!(
            served["usage"]["total_cost"]
                .as_u64()
                .is_some_and(|cost| cost <= 10_000_000)
        );
        assert!(
            served["cocoon"]["balance"]
                .as_u64()
                .is_some_and(|left| left <= 20_000_000)
        );
        paid.network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_spends_its_daily_limit_and_no_more() -> anyhow::Result<()> {
    within(
        LIMIT,
        Box::pin(async {
            let dir = tempfile::tempdir()?;
            let file = KeyFile::in_dir(dir.path());
            let daily = |nano| KeyLimits {
                daily: Some(Nanoton::new(nano)),
                ..KeyLimits::default()
            };
            let poor = file.create("app", daily(100_000), 0)?;
            let rich = file.create("own", KeyLimits::default(), 0)?;
            let paid = paid_behind("manual", Some(dir.path().to_owned())).await?;
            let api = paid.network.api();
            let url = format!("{api}/chat/completions");
            let ask = chat(json!({"max_tokens": 16}));
            eventually("the gateway serves", async || {
                let answer = post_with_key(&url, rich.key.expose(), &ask).await;
                answer.is_ok_and(|answer| answer.status == 200)
            })
            .await?;
            let (mut spent, mut answers) = (0, 0);
            let refused = loop {
                let answer = post_with_key(&url, poor.key.expose(), &ask).await?;
                if answer.status != 200 {
                    break answer;
                }
                spent += answer.json()?["usage"]["total_cost"].as_u64().unwrap_or(0);
                answers += 1;
                anyhow::ensure!(answers < 1000, "the limit binds");
            };
            assert_eq!(refused.status, 402, "{}", refused.text());
            assert!(refused.text().contains("cocoon key limit"), "{}", refused.text());
            assert!(answers > 0 && spent <= 100_000, "{answers} answers cost {spent}");
            let rich = post_with_key(&url, rich.key.expose(), &ask).await?;
            assert_eq!(rich.status, 200, "another key is not concerned");

            let close = format!("{}/cocoon/v1/account/close", api.trim_end_matches("/v1"));
            let refused = post_with_key(&close, poor.key.expose(), &json!({})).await?;
            assert_eq!(
                refused.status, 403,
                "who may spend little may not end the account"
            );
            paid.network.stop().await?;
            let spending = std::fs::read_to_string(dir.path().join("api-key-spending.toml"))?;
            assert!(spending.contains(&format!("today = {spent}")), "{spending}");
            Ok(())
        }),
    )
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_side_by_side_are_told_of_in_order() -> anyhow::Result<()> {
    within(LIMIT, async {
        let paid = paid("manual").await?;
        let ask = chat(json!({"max_tokens": 16}));
        let mut tokens = 0;
        for _ in 0..8 {
            // Each ends with the levels of its own moment; a level that falls is a lie, and ends the link.
            let answers =
                futures_util::future::join_all((0..16).map(|_| paid.network.post("/chat/completions", &ask)))
                    .await;
            for answer in answers {
                let answer = answer?;
                assert_eq!(answer.status, 200, "{}", answer.text());
                tokens += answer.json()?["usage"]["total_cost"].as_u64().unwrap_or(0) / 20;
            }
        }
        eventually("all of it is signed", async || {
            paid.account()
                .await
                .is_ok_and(|account| account["proxies"][0]["signed_tokens"] == tokens)
        })
        .await?;
        paid.network.stop().await
    })
    .await
}
