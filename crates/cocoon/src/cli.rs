use clap::{Parser, Subcommand};

use crate::{
    account, attest, chat, doctor, earnings, key, ledger, logging, model, network, receipt, role, settle,
    threads, up, verify, wallet,
};

/// Confidential AI computing on TON.
#[derive(Debug, Parser)]
#[command(name = "cocoon", version, propagate_version = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes, and hands on to the processes that it starts.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) log: logging::LogArgs,
    #[command(flatten)]
    pub(crate) threads: threads::ThreadArgs,
}

const EXAMPLES: &str = "Examples:
  cocoon up                               a whole network on this machine, with a real model
  cocoon chat \"What is TON?\"              ask it
  cocoon worker --config worker.toml      serve your GPU to a proxy
  cocoon client --config client.toml      the OpenAI API for your apps, on 127.0.0.1:10000
  cocoon doctor                           what this machine can do, and what is missing";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a whole network on this machine: proxy, workers, gateway, and a model that answers.
    Up(up::UpArgs),
    /// Talk to a model through the gateway: one question, or a conversation.
    Chat(chat::ChatArgs),
    /// Run the client gateway: the OpenAI API for your apps.
    Client(role::RoleArgs<cocoon_client::Options>),
    /// Run a proxy: matches clients' requests to workers.
    Proxy(role::RoleArgs<cocoon_proxy::Options>),
    /// Run a worker: serves an engine on this machine to proxies.
    Worker(role::RoleArgs<cocoon_worker::Options>),
    /// List, fetch and verify models.
    Model(model::ModelArgs),
    /// Make, list and revoke the gateway's API keys.
    Key(key::KeyArgs),
    /// What the gateway has with each proxy: look, top up, take back.
    Account(account::AccountArgs),
    /// What workers earned.
    Earnings(earnings::EarningsArgs),
    /// Have a proxy bring its accounts to the chain now.
    Settle(settle::SettleArgs),
    /// Make a wallet, look at it, send from it.
    Wallet(wallet::WalletArgs),
    /// Deploy a network's registry, show it, change it.
    Network(network::NetworkArgs),
    /// Run a chain for a test network on this machine: real contracts and gas, test coins.
    Ledger(ledger::LedgerArgs),
    /// Look at evidence: this machine's, or somebody's in a file.
    Attest(attest::AttestArgs),
    /// The receipts of answers that the gateway keeps: list, show, export.
    Receipt(receipt::ReceiptArgs),
    /// Check a receipt of an answer offline: what is proven, what is only claimed, and by whom.
    Verify(Box<verify::VerifyArgs>),
    /// Say what this machine can do and what is missing for more.
    Doctor(doctor::DoctorArgs),
}

impl Common {
    /// The same choices as flags, for a child process.
    pub(crate) fn as_flags(&self) -> impl Iterator<Item = String> {
        let threads = self.threads.as_flags().into_iter().flatten();
        self.log.as_flags().into_iter().chain(threads)
    }
}
