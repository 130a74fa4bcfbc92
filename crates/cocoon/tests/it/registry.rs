//! `cocoon network`: deploy, show, allow, on a real ledger.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::ledger::{ChainReader, Ledger};
use crate::network::{Money, Up, assert_gone, cocoon};
use crate::wallet::Wallet;
use crate::workers::Canned;

struct Owner<'a> {
    wallet: &'a Wallet,
    ledger: &'a Ledger,
    root: String,
}

impl Owner<'_> {
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let place = [
            "--wallet-file",
            self.wallet.file.as_str(),
            "--chain",
            self.ledger.url.as_str(),
        ];
        let root = ["--root", self.root.as_str()];
        let root = if self.root.is_empty() {
            &[]
        } else {
            root.as_slice()
        };
        cocoon(&[&["network"], arguments, &place, root].concat())
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let (code, out, err) = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(code, Some(0), "{arguments:?}: {err}");
        serde_json::from_str(&out).unwrap()
    }
}

#[test]
fn a_network_is_deployed_shown_and_changed_by_its_owner_only() {
    let ledger = Ledger::start();
    let (wallet, stranger) = (Wallet::new(), Wallet::new());
    let mut owner = Owner {
        wallet: &wallet,
        ledger: &ledger,
        root: String::new(),
    };

    let (code, _, err) = owner.run(&["deploy"]);
    assert_eq!(code, Some(1), "no coins");
    assert!(err.contains(&wallet.address), "{err}");
    let (code, _, err) = owner.run(&["deploy", "--client-delay", "100", "--proxy-delay", "699"]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("700"), "{err}");

    ledger.fill(&wallet.address, "2");
    ledger.fill(&stranger.address, "2");
    let (code, out, err) = owner.run(&["deploy"]);
    assert_eq!(code, Some(0), "{err}");
    owner.root = out.trim().to_owned();
    let (code, out, err) = owner.run(&["deploy"]);
    assert_eq!(
        (code, out.trim()),
        (Some(0), owner.root.as_str()),
        "the same again is the same network"
    );
    assert!(err.contains("before"), "{err}");
    let other = owner.json(&[
        "deploy",
        "--unique-id",
        "7",
        "--price",
        "100",
        "--multipliers",
        "1,0.5,2,2",
    ]);
    assert_ne!(other["root"].as_str(), Some(owner.root.as_str()));

    let shown = owner.json(&["show"]);
    assert_eq!(shown["price_per_token"], "20");
    assert_eq!(shown["worker_fee_per_token"], "19");
    assert_eq!(shown["multipliers"]["completion"], 80_000);
    assert_eq!(shown["is_test"], true);
    assert_eq!(shown["proxies"], Value::Array(Vec::new()));
    let first = shown["version"].as_u64().unwrap();

    let image = "5f".repeat(32);
    assert_eq!(
        owner.json(&["allow-image", &image, "--of", "worker"])["worker_images"][0],
        *image
    );
    assert_eq!(
        owner.json(&["allow-image", &image, "--of", "proxy"])["proxy_images"][0],
        *image
    );
    assert_eq!(
        owner.json(&["remove-image", &image, "--of", "worker"])["worker_images"],
        Value::Array(Vec::new())
    );
    let models = owner.json(&["allow-model", "test-model@0:0"])["models"].clone();
    assert_eq!(models.as_array().unwrap().len(), 1);
    assert_eq!(
        owner.json(&["allow-model", models[0].as_str().unwrap()])["models"],
        models,
        "by its hash it is the same"
    );
    assert_eq!(
        owner.json(&["remove-model", "test-model@0:0"])["models"],
        Value::Array(Vec::new())
    );
    let listed = owner.json(&[
        "register-proxy",
        "--workers",
        "127.0.0.1:1",
        "--clients",
        "127.0.0.1:2",
    ]);
    assert_eq!(listed["proxies"][0]["clients"], "127.0.0.1:2");
    let seqno = listed["proxies"][0]["seqno"].to_string();
    let moved = owner.json(&[
        "register-proxy",
        "--workers",
        "127.0.0.1:3",
        "--clients",
        "127.0.0.1:4",
        "--seqno",
        &seqno,
    ]);
    assert_eq!(moved["proxies"][0]["workers"], "127.0.0.1:3");
    assert_eq!(moved["version"].as_u64(), Some(first + 8));

    let (code, _, err) = owner.run(&["remove-proxy", "99"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("no proxy 99"), "{err}");
    let thief = Owner {
        wallet: &stranger,
        ledger: &ledger,
        root: owner.root.clone(),
    };
    let (code, _, err) = thief.run(&["remove-proxy", &seqno]);
    assert_eq!(code, Some(1));
    assert!(err.contains("owner"), "{err}");
    assert_eq!(
        owner.json(&["remove-proxy", &seqno])["proxies"],
        Value::Array(Vec::new())
    );

    let (code, out, _) = owner.run(&["show"]);
    assert_eq!(code, Some(0));
    assert!(
        out.contains("20 nanoTON") && out.contains("completion 8.0") && out.contains("test network"),
        "{out}"
    );
    let nowhere = Owner {
        wallet: &wallet,
        ledger: &ledger,
        root: stranger.address.clone(),
    };
    let (code, _, err) = nowhere.run(&["show"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("no root contract") && err.contains("hint:"), "{err}");
}

#[test]
fn up_deploys_a_network_that_a_restart_finds_again() {
    let canned = Canned::start();
    let up_arguments = ["up", "--engine", &canned.url, "--model", canned.model()];
    let mut up = Up::start(&up_arguments);
    let money = up.money();
    let chain = ChainReader::new(&money.ledger);
    let show = |money: &Money| -> Value {
        let (code, out, err) = cocoon(&[
            "network",
            "show",
            "--json",
            "--chain",
            &money.ledger,
            "--root",
            &money.root,
        ]);
        assert_eq!(code, Some(0), "{err}");
        serde_json::from_str(&out).unwrap()
    };
    let registry = show(&money);
    assert_eq!(registry["proxies"].as_array().unwrap().len(), 1);
    assert_eq!(registry["worker_images"].as_array().unwrap().len(), 1);
    assert_eq!(registry["models"].as_array().unwrap().len(), 1);
    let names: Vec<&str> = money.wallets.iter().map(|wallet| wallet.name.as_str()).collect();
    assert_eq!(names, ["owner", "earnings", "proxy", "gateway", "worker-1"]);
    for wallet in &money.wallets {
        let mode = std::fs::metadata(&wallet.file).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600, "{}", wallet.file);
        let funded = chain.balance(&wallet.address) > 1_000_000_000;
        assert_eq!(funded, wallet.name != "earnings", "{}", wallet.name);
    }
    up.wait_until("the table names the registry", |up| {
        let log = up.log();
        log.contains(&money.root) && log.contains("TEST COINS")
    });
    let log = up.log();
    for wallet in &money.wallets {
        let text = std::fs::read_to_string(&wallet.file).unwrap();
        let words = text
            .lines()
            .find_map(|line| line.strip_prefix("words = "))
            .unwrap();
        assert!(!log.contains(words.trim_matches('"')), "words are never logged");
    }
    let pids = up.pids();
    assert_eq!(up.interrupt(), Some(0), "{}", up.log());
    assert_gone(&pids);

    let dir = std::mem::replace(&mut up.dir, tempfile::tempdir().unwrap());
    let mut up = Up::start_in(dir, &up_arguments);
    let again = up.money();
    assert_eq!((&again.root, &again.ledger), (&money.root, &money.ledger));
    let after = show(&again);
    assert_eq!(
        after["proxies"].as_array().unwrap().len(),
        1,
        "the proxy is listed once: {after}"
    );
    assert_eq!(after["models"], registry["models"]);
    let addresses = |money: &Money| {
        money
            .wallets
            .iter()
            .map(|wallet| wallet.address.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(addresses(&again), addresses(&money));
    up.interrupt();
}
