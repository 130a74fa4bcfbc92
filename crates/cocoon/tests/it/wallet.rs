//! `cocoon wallet`: the file's permissions and refusals, and sending between two wallets on a real ledger.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::ledger::Ledger;
use crate::network::{COCOON, cocoon, nap};

/// A wallet file in a directory of its own.
pub(crate) struct Wallet {
    pub(crate) file: String,
    pub(crate) address: String,
    _dir: tempfile::TempDir,
}

impl Wallet {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("wallet.toml").to_str().unwrap().to_owned();
        let (code, out, err) = cocoon(&["wallet", "new", "--wallet-file", &file]);
        assert_eq!(code, Some(0), "{err}");
        let address = out.trim().to_owned();
        Self {
            file,
            address,
            _dir: dir,
        }
    }

    /// `cocoon wallet COMMAND … --wallet-file FILE`
    pub(crate) fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        cocoon(&[&["wallet"], arguments, &["--wallet-file", &self.file]].concat())
    }

    fn words(&self) -> String {
        let text = fs::read_to_string(&self.file).unwrap();
        let table: toml::Table = toml::from_str(&text).unwrap();
        table["words"].as_str().unwrap().to_owned()
    }
}

#[test]
fn new_words_are_shown_on_a_terminal_only_and_the_file_is_private() {
    let wallet = Wallet::new();
    let mode = fs::metadata(&wallet.file).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert_eq!(wallet.words().split(' ').count(), 24);

    let (code, out, err) = wallet.run(&["new"]);
    assert_eq!(code, Some(1), "a wallet is never written over");
    assert!(
        out.is_empty() && err.contains("exists") && err.contains("hint:"),
        "{err}"
    );

    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("other.toml");
    let (_, out, err) = cocoon(&[
        "wallet",
        "new",
        "--wallet-file",
        other.to_str().unwrap(),
        "--json",
    ]);
    let words = fs::read_to_string(&other).unwrap();
    let words: toml::Table = toml::from_str(&words).unwrap();
    for word in words["words"]
        .as_str()
        .unwrap()
        .split(' ')
        .filter(|word| word.len() > 6)
    {
        assert!(
            !out.contains(word) && !err.contains(word),
            "no terminal, no words: {err}"
        );
    }
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["address"], words["address"].as_str().unwrap());
}

#[test]
fn a_file_that_others_may_read_is_refused_with_what_to_do() {
    let wallet = Wallet::new();
    for mode in [0o640, 0o604] {
        fs::set_permissions(&wallet.file, Permissions::from_mode(mode)).unwrap();
        let (code, out, err) = wallet.run(&["address"]);
        assert_eq!(code, Some(1));
        assert!(out.is_empty() && err.contains("chmod 600"), "{err}");
    }
    fs::set_permissions(&wallet.file, Permissions::from_mode(0o600)).unwrap();
    assert_eq!(wallet.run(&["address"]).1.trim(), wallet.address);
}

#[test]
fn words_are_read_from_stdin_or_a_file_and_never_from_arguments() {
    let wallet = Wallet::new();
    let dir = tempfile::tempdir().unwrap();
    let import = |name: &str, words: &str| {
        let mut child = Command::new(COCOON)
            .args(["wallet", "import", "--wallet-file"])
            .arg(dir.path().join(name))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(words.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let words = wallet.words();
    let shouted = words.to_uppercase().replace(' ', "\n");
    let (code, out, err) = import("one.toml", &shouted);
    assert_eq!((code, out.trim()), (Some(0), wallet.address.as_str()), "{err}");

    let from = dir.path().join("words.txt");
    fs::write(&from, &words).unwrap();
    let two = dir.path().join("two.toml");
    let (code, out, err) = cocoon(&[
        "wallet",
        "import",
        "--from",
        from.to_str().unwrap(),
        "--wallet-file",
        two.to_str().unwrap(),
    ]);
    assert_eq!((code, out.trim()), (Some(0), wallet.address.as_str()), "{err}");

    let mut swapped: Vec<&str> = words.split(' ').collect();
    swapped.reverse();
    for bad in [
        "",
        "one two three",
        &swapped.join(" "),
        &words.replacen(' ', " qq ", 1),
        &"abandon ".repeat(1000),
    ] {
        let (code, out, err) = import("bad.toml", bad);
        assert_eq!(code, Some(1), "{err}");
        assert!(out.is_empty() && err.contains("hint:"), "{err}");
        assert!(
            words
                .split(' ')
                .filter(|word| word.len() > 6)
                .all(|word| !err.contains(word)),
            "{err}"
        );
        assert!(!dir.path().join("bad.toml").exists());
    }
    let first: Vec<&str> = words.split(' ').collect();
    assert_eq!(
        cocoon(&[&["wallet", "import"], first.as_slice()].concat()).0,
        Some(2),
        "words as arguments are no words"
    );
}

#[test]
fn coins_go_from_one_wallet_to_another_to_the_nanoton() {
    let ledger = Ledger::start();
    let (alice, bob) = (Wallet::new(), Wallet::new());
    let chain = ["--chain", ledger.url.as_str()];
    let alice_run = |arguments: &[&str]| alice.run(&[arguments, &chain].concat());

    let (code, out, err) = alice_run(&["balance"]);
    assert_eq!((code, out.trim()), (Some(0), "0 TON"), "{err}");
    let (code, _, err) = alice_run(&["send", &bob.address, "0.05", "--yes"]);
    assert_eq!(code, Some(1));
    assert!(
        err.contains("holds 0 TON") && err.contains(&alice.address),
        "{err}"
    );

    ledger.fill(&alice.address, "1");
    let (code, _, err) = alice_run(&["send", &bob.address, "0.05"]);
    assert_eq!(code, Some(2), "nobody is there to confirm: {err}");
    assert_eq!(ledger.chain().balance(&bob.address), 0);

    // The first message deploys the wallet, the second finds it deployed.
    let mut paid = 0;
    for amount in ["0.05", "0.123456789"] {
        let (code, out, err) = alice_run(&[
            "send",
            &bob.address,
            amount,
            "--yes",
            "--json",
            "--comment",
            "for tea",
        ]);
        assert_eq!(code, Some(0), "{err}");
        let sent: Value = serde_json::from_str(&out).unwrap();
        let number = |name: &str| sent[name].as_str().unwrap().parse::<u64>().unwrap();
        paid += number("amount") + number("fee");
    }
    // Bob's account pays a nanoTON of rent now and then, which the ledger lists.
    let rent: u64 = ledger
        .chain()
        .transactions(&bob.address)
        .iter()
        .map(|transaction| transaction.fees.nano())
        .sum();
    let held = 173_456_789 - rent;
    assert_eq!(ledger.chain().balance(&bob.address), held);
    assert_eq!(
        ledger.chain().balance(&alice.address),
        1_000_000_000 - paid,
        "the fee shown is the fee paid"
    );
    let (_, out, _) = bob.run(&["balance", "--chain", &ledger.url]);
    assert_eq!(out.trim(), cocoon_types::Nanoton::new(held).to_string());

    let (code, out, err) = alice_run(&["history", "--json"]);
    assert_eq!(code, Some(0), "{err}");
    let history: Vec<Value> = serde_json::from_str(&out).unwrap();
    assert_eq!(history.len(), 3, "{out}");
    assert_eq!(history[0]["amount"], "123456789");
    assert_eq!(history[0]["other"], bob.address);
    assert_eq!(history[0]["what"], "\"for tea\"");
    assert_eq!(history[2]["direction"], "in");
    let (_, out, _) = alice_run(&["history", "--limit", "1"]);
    assert!(
        out.contains("0.123456789 TON") && out.contains("for tea") && !out.contains("0.05 TON"),
        "{out}"
    );

    let (code, _, err) = alice_run(&["send", &bob.address, "5", "--yes"]);
    assert_eq!(code, Some(1), "more than there is");
    assert!(err.contains("hint:"), "{err}");
    let (code, _, err) = alice_run(&["send", &bob.address, "all", "--yes"]);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(ledger.chain().balance(&alice.address), 0);
}

#[test]
fn a_confirmation_is_waited_for_and_a_stalled_chain_is_not_taken_for_one() {
    let ledger = Ledger::start_with(&["--block-time", "0.3"]);
    let (alice, bob) = (Wallet::new(), Wallet::new());
    ledger.fill(&alice.address, "1");
    let chain = ["--chain", ledger.url.as_str()];
    let send = ["send", bob.address.as_str(), "0.05", "--yes"];
    let (code, out, err) = alice.run(&[&send, chain.as_slice()].concat());
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(out.trim().len(), 64, "the transaction's hash: {out}");

    // Each external is lost on its way: the chain's own clock says when it can no longer come.
    ledger.chain().lose_externals();
    let child = std::thread::scope(|scope| {
        let sending = scope.spawn(|| alice.run(&[&send, chain.as_slice()].concat()));
        nap();
        while !sending.is_finished() {
            ledger.chain().warp(30);
            nap();
        }
        sending.join().unwrap()
    });
    assert_eq!(child.0, Some(1));
    assert!(child.2.contains("nothing was sent"), "{}", child.2);
    assert!(ledger.chain().balance(&bob.address) <= 50_000_000);
}

#[test]
fn what_is_no_amount_address_or_chain_is_refused_at_once() {
    let wallet = Wallet::new();
    for arguments in [
        ["send", wallet.address.as_str(), "0.0000000001"],
        ["send", wallet.address.as_str(), "-1"],
        ["send", wallet.address.as_str(), "1e3"],
        ["send", "EQabc", "1"],
    ] {
        assert_eq!(wallet.run(&arguments).0, Some(2), "{arguments:?}");
    }
    let (code, _, err) = wallet.run(&["balance", "--chain", "http://127.0.0.1:9"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("127.0.0.1:9") && err.contains("hint:"), "{err}");
    let (code, _, err) = wallet.run(&["balance", "--chain", "http://192.0.2.1:80"]);
    assert_eq!(code, Some(2), "{err}");
}
