//! The money story: one chat, and the same figures at the gateway, the worker, the proxy and on the ledger's contracts.

use std::time::{Duration, Instant};

use cocoon_contracts::{RootConfig, client, proxy, worker};
use serde_json::{Value, json};

use crate::ledger::ChainReader;
use crate::network::{Money, Up, cocoon, nap};
use crate::workers::Canned;

/// From `cocoon settle` to the last coin on the ledger, on a busy machine.
const SETTLED: Duration = Duration::from_secs(60);

struct Story {
    up: Up,
    money: Money,
    chain: ChainReader,
}

impl Story {
    /// `cocoon COMMAND … --json` against the network's nodes.
    fn ask(&self, arguments: &[&str]) -> Value {
        let (code, out, err) = cocoon(&[arguments, &["--json"]].concat());
        assert_eq!(code, Some(0), "{arguments:?}: {err}\n{}", self.up.log());
        serde_json::from_str(&out).unwrap()
    }

    fn account(&self) -> Value {
        self.ask(&["account", "show", "--api", &self.up.ready().api])["proxies"][0].clone()
    }

    fn earnings(&self) -> Value {
        let worker = self.up.roles("worker").remove(0);
        self.ask(&["earnings", "--admin", &worker.url])[0]["proxies"][0].clone()
    }

    fn wallet(&self, name: &str) -> u64 {
        let wallet = self
            .money
            .wallets
            .iter()
            .find(|wallet| wallet.name == name)
            .unwrap();
        self.chain.balance(&wallet.address)
    }

    fn data(&self, address: &str) -> cocoon_contracts::Cell {
        self.chain.account(address).data.expect("the contract is there")
    }

    fn wait_until(&mut self, what: &str, mut met: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + SETTLED;
        while !met(self) {
            assert!(Instant::now() < deadline, "never came: {what}\n{}", self.up.log());
            nap();
        }
    }
}

#[test]
fn what_the_client_loses_is_what_the_worker_and_the_proxy_gain_and_gas() {
    let canned = Canned::start();
    let up = Up::start(&[
        "up",
        "--engine",
        &canned.url,
        "--model",
        canned.model(),
        "--settle",
        "manual",
    ]);
    let money = up.money();
    let chain = ChainReader::new(&money.ledger);
    let mut story = Story { up, money, chain };
    assert_eq!(story.account()["used_tokens"], 0);
    assert_eq!(story.wallet("earnings"), 0);

    let api = story.up.ready().api;
    let body =
        json!({"model": canned.model(), "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 32});
    assert_eq!(canned.post(&api, &body).status, 200, "{}", story.up.log());

    story.wait_until("the gateway's account shows the request", |story| {
        story.account()["used_tokens"].as_u64() > Some(0)
    });
    let tokens = story.account()["used_tokens"].as_u64().unwrap();
    story.wait_until("the worker's earnings show the request", |story| {
        story.earnings()["earned_tokens"].as_u64() == Some(tokens)
    });
    let proxy_admin = story.up.roles("proxy").remove(0).url;
    story.ask(&["settle", "--admin", &proxy_admin]);
    story.wait_until("the ledger shows charge and payout", |story| {
        story.account()["charged_tokens"].as_u64() == Some(tokens)
            && story.earnings()["paid_tokens"].as_u64() == Some(tokens)
    });
    story.wait_until("the worker's owner has it", |story| story.wallet("earnings") > 0);

    // The same figures from the contracts' own data.
    let (account, earnings) = (story.account(), story.earnings());
    let contract = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
    let client_at = contract(&account, "contract");
    let proxy_at = contract(&account, "proxy_contract");
    let worker_at = contract(&earnings, "contract");
    let params = RootConfig::parse(&story.data(&story.money.root)).unwrap().params;
    let (price, fee) = (params.price_per_token.nano(), params.worker_fee_per_token.nano());
    let client = client::Storage::parse(&story.data(&client_at)).unwrap();
    let worker = worker::Storage::parse(&story.data(&worker_at)).unwrap();
    let proxy = proxy::Storage::parse(&story.data(&proxy_at)).unwrap();
    assert_eq!((client.tokens_used, worker.tokens), (tokens, tokens));
    assert_eq!(worker.owed_tokens.unwrap_or(0), 0);
    assert_eq!(earnings["earned"], (tokens * fee).to_string());
    assert_eq!(earnings["unpaid"], "0");
    assert_eq!(account["balance"], client.balance.nano().to_string());

    // Who paid in what, out of the ledger's own list: the client's top-ups and charges.
    let paid_in = story
        .chain
        .received(&proxy_at, cocoon_contracts::op::CLIENT_PROXY_REQUEST);
    let share = proxy.balance.nano() + story.chain.sent(&proxy_at, &story.money, "owner");
    let loss = tokens * price;
    assert_eq!(
        loss,
        tokens * fee + share,
        "the client's loss is the worker's gain and the proxy's share"
    );
    assert_eq!(story.wallet("earnings"), tokens * fee);
    assert!(paid_in > loss, "{paid_in} came with top-ups");

    // Nothing else left anywhere: what the faucet gave is what there is, and the gas that the ledger lists.
    let mut addresses: Vec<String> = story
        .money
        .wallets
        .iter()
        .map(|wallet| wallet.address.clone())
        .collect();
    addresses.extend([story.money.root.clone(), client_at, proxy_at, worker_at]);
    story.wait_until("no message is under way", |story| {
        story.chain.totals(&addresses).is_settled()
    });
    let totals = story.chain.totals(&addresses);
    assert_eq!(totals.minted, totals.held + totals.gas, "{totals:?}");
}

#[test]
fn a_network_without_payments_says_so_when_it_is_asked_for_money() {
    let canned = Canned::start();
    let up = Up::start(&["up", "--engine", &canned.url, "--no-money"]);
    let api = up.ready().api;
    let (worker, proxy) = (up.roles("worker").remove(0).url, up.roles("proxy").remove(0).url);
    for asked in [
        ["account", "show", "--api", &api],
        ["account", "close", "--api", &api],
        ["earnings", "--payout", "--admin", &worker],
        ["settle", "--json", "--admin", &proxy],
    ] {
        let (code, out, err) = cocoon(&asked);
        assert_eq!(code, Some(1), "{asked:?}");
        assert!(
            out.is_empty() && err.contains("without payments") && err.contains("`chain`"),
            "{asked:?}: {err}"
        );
    }
    assert!(
        !up.dir.path().join("state/ledger").exists(),
        "no ledger, no wallets"
    );
    assert!(!up.dir.path().join("state/wallets").exists());
    assert_eq!(cocoon(&["up", "--no-money", "--price", "5"]).0, Some(2));
    let (code, _, err) = cocoon(&["earnings", "--admin", "http://127.0.0.1:9"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("127.0.0.1:9") && err.contains("hint:"), "{err}");
}
