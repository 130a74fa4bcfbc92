//! `cocoon ledger` as a child of the test, and what the tests ask of it.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use cocoon_chain::{Account, At, Chain as _, Faults, HttpChain, Message, Transaction};
use cocoon_types::{Address, Nanoton};
use serde_json::Value;
use tempfile::TempDir;

use crate::network::{COCOON, Money, nap};

/// A running ledger of a test network; gone when dropped.
pub(crate) struct Ledger {
    pub(crate) url: String,
    child: Child,
    chain: ChainReader,
    _dir: TempDir,
}

/// Looks at a ledger from a test's own thread.
#[derive(Clone)]
pub(crate) struct ChainReader {
    runtime: Arc<tokio::runtime::Runtime>,
    chain: HttpChain,
}

// === impl Ledger ===

impl Ledger {
    /// One that makes a block as soon as there is something in it.
    pub(crate) fn start() -> Self {
        Self::start_with(&["--instant"])
    }

    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(COCOON)
            .args([
                "ledger",
                "--listen",
                "127.0.0.1:0",
                "--announce",
                "--exit-with-stdin",
                "--dir",
            ])
            .arg(dir.path().join("ledger"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let announced: Value = serde_json::from_str(&line).unwrap();
        let url = announced["url"].as_str().unwrap().to_owned();
        let chain = ChainReader::new(&url);
        Self {
            url,
            child,
            chain,
            _dir: dir,
        }
    }

    /// Coins out of nothing.
    pub(crate) fn fill(&self, address: &str, amount: &str) {
        let (address, amount): (Address, Nanoton) = (address.parse().unwrap(), amount.parse().unwrap());
        let chain = &self.chain;
        chain
            .runtime
            .block_on(chain.chain.faucet(address, amount))
            .unwrap();
        while chain.balance(&address.to_string()) < amount.nano() {
            nap();
        }
    }

    pub(crate) fn chain(&self) -> &ChainReader {
        &self.chain
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// === impl ChainReader ===

impl ChainReader {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            runtime: Arc::new(
                tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(1)
                    .enable_all()
                    .build()
                    .unwrap(),
            ),
            chain: HttpChain::new(url).unwrap(),
        }
    }

    pub(crate) fn account(&self, address: &str) -> Account {
        let address = address.parse().unwrap();
        self.runtime
            .block_on(self.chain.account(address, At::Latest))
            .unwrap()
    }

    /// From now on no external message arrives, though each is accepted for delivery.
    pub(crate) fn lose_externals(&self) {
        let faults = Faults {
            drop_every: 1,
            ..Faults::default()
        };
        self.runtime.block_on(self.chain.set_faults(faults)).unwrap();
    }

    /// Sets the ledger's clock forward.
    pub(crate) fn warp(&self, seconds: u64) {
        self.runtime.block_on(self.chain.warp(seconds)).unwrap();
    }

    /// In nanoTON.
    pub(crate) fn balance(&self, address: &str) -> u64 {
        self.account(address).balance.nano()
    }
}

/// What the transactions of some accounts add up to, in nanoTON.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    /// From the faucet.
    pub(crate) minted: u64,
    /// What the accounts hold.
    pub(crate) held: u64,
    /// Fees of all kinds.
    pub(crate) gas: u64,
    /// Sent between these accounts, and received from them: equal when nothing is under way.
    sent: u64,
    received: u64,
}

impl Totals {
    pub(crate) fn is_settled(&self) -> bool {
        self.sent == self.received
    }
}

/// The account that the faucet's messages come from.
const FAUCET: Address = Address::new([0; 32]);

impl ChainReader {
    /// Every transaction of an account, newest first.
    pub(crate) fn transactions(&self, address: &str) -> Vec<Transaction> {
        let Some(newest) = self.account(address).last else {
            return Vec::new();
        };
        let list = self.chain.transactions(address.parse().unwrap(), newest, 0, 256);
        let list = self.runtime.block_on(list).unwrap();
        assert!(list.len() < 256, "the test reads whole histories");
        list
    }

    /// Coins that came to an account with messages of one kind.
    pub(crate) fn received(&self, address: &str, op: u32) -> u64 {
        let list = self.transactions(address);
        let inbound = list.iter().filter_map(|transaction| transaction.inbound.as_ref());
        let of_kind = inbound.filter(|message| message.body.as_slice().unwrap().load_u32() == Ok(op));
        of_kind.map(|message| message.value.nano()).sum()
    }

    /// What a contract paid out to one of the network's wallets; it pays the carriage beside it.
    pub(crate) fn sent(&self, from: &str, money: &Money, wallet: &str) -> u64 {
        self.payouts(from, money, wallet)
            .iter()
            .map(|message| message.value.nano())
            .sum()
    }

    fn payouts(&self, from: &str, money: &Money, wallet: &str) -> Vec<Message> {
        let to: Address = money
            .wallets
            .iter()
            .find(|entry| entry.name == wallet)
            .unwrap()
            .address
            .parse()
            .unwrap();
        let list = self.transactions(from);
        let outbound = list.into_iter().flat_map(|transaction| transaction.outbound);
        let is_payout = |message: &Message| {
            message.body.as_slice().unwrap().load_u32() == Ok(cocoon_contracts::op::PAYOUT)
        };
        outbound
            .filter(|message| message.destination == Some(to) && is_payout(message))
            .collect()
    }

    /// Adds up what these accounts hold and what their transactions cost.
    pub(crate) fn totals(&self, addresses: &[String]) -> Totals {
        let known: HashSet<Address> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let mut totals = Totals::default();
        for address in addresses {
            totals.held += self.balance(address);
            for transaction in self.transactions(address) {
                totals.gas += transaction.fees.nano();
                for message in transaction.outbound {
                    totals.gas += message.forward_fee.nano();
                    totals.sent += message.value.nano();
                    let to = message.destination.expect("messages go to accounts");
                    assert!(known.contains(&to), "coins went to a stranger: {to}");
                }
                match transaction.inbound {
                    Some(message) if message.source == Some(FAUCET) => totals.minted += message.value.nano(),
                    Some(message) => totals.received += message.value.nano(),
                    None => {}
                }
            }
        }
        totals
    }
}
