//! A chain, a registry and wallets with test coins, for a network in which requests cost something.
//!
//! The chain is the embedded ledger, in instant mode and in memory, reached over HTTP as by separate processes. The
//! contracts are the real ones.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use anyhow::Context as _;
use cocoon_chain::{
    At, Chain, Ledger, LedgerChain, LedgerOptions, Status, WalletSender, WalletSenderOptions, serve,
    wallet_file::WalletFile,
};
use cocoon_contracts::{
    Params, RootConfig, code,
    wallet::{Outgoing, mode},
};
use cocoon_types::{Address, Multipliers, Nanoton};
use cocoon_web::{
    clock::unix_now,
    guard::{Guard, GuardOptions},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// A running chain with a network's root contract on it. Dropping it ends it.
#[derive(Debug)]
pub struct Money {
    /// The ledger itself.
    pub chain: LedgerChain,
    /// Where nodes reach it.
    pub url: String,
    /// The network's root contract.
    pub root: Address,
    /// The parameters that it was deployed with.
    pub params: Params,
    dir: TempDir,
    _tasks: JoinSet<()>,
}

/// A tenth of a TON starts an account; this is enough for a hundred of them.
const COINS: Nanoton = Nanoton::new(10_000_000_000);
/// A client is asked to keep this much in reserve.
const MIN_CLIENT_STAKE: Nanoton = Nanoton::new(20_000_000);

impl Money {
    /// Starts a ledger, and deploys a registry with the usual prices.
    ///
    /// # Errors
    /// When the chain or the root contract cannot be had.
    pub async fn start() -> anyhow::Result<Self> {
        let options = LedgerOptions {
            is_test: true,
            instant: true,
        };
        let chain = LedgerChain::new(Ledger::in_memory(options, unix_now())?, unix_now);
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let address = listener.local_addr()?;
        let guard = Guard::new(address, GuardOptions::default())?;
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(chain.clone(), listener, guard, CancellationToken::new()));
        let dir = tempfile::tempdir()?;
        let params = params();
        let mut money = Self {
            chain,
            url: format!("http://{address}"),
            root: Address::new([0; 32]),
            params: params.clone(),
            dir,
            _tasks: tasks,
        };
        let (owner, _) = money.wallet("owner").await?;
        let owner = WalletFile::open(&owner)?.into_wallet();
        let config = RootConfig {
            owner: owner.address(),
            version: 1,
            proxies: Vec::new(),
            last_proxy_seqno: 0,
            proxy_hashes: BTreeSet::new(),
            worker_hashes: BTreeSet::new(),
            model_hashes: BTreeSet::new(),
            params,
            key_manager: None,
        };
        let state_init = config.state_init();
        money.root = state_init.address();
        let sender = WalletSender::start(
            Arc::new(money.chain.clone()),
            owner,
            WalletSenderOptions::default(),
        );
        let deploy = Outgoing {
            to: money.root,
            value: Nanoton::new(100_000_000),
            bounce: false,
            state_init: Some(state_init),
            body: None,
            mode: mode::PAY_FEE,
            comment: None,
        };
        sender.send(deploy).await?;
        let root = money.chain.account(money.root, At::Latest).await?;
        anyhow::ensure!(
            root.status == Status::Active,
            "the root contract did not come to be"
        );
        Ok(money)
    }

    /// A wallet of this name with coins in it; its file and its address.
    ///
    /// # Errors
    /// When the disk or the faucet refuses.
    pub async fn wallet(&self, name: &str) -> anyhow::Result<(PathBuf, Address)> {
        let path = self.dir.path().join(format!("{name}.toml"));
        let address = WalletFile::open_or_create(&path)?.address();
        self.chain.faucet(address, COINS).await?;
        Ok((path, address))
    }

    /// A directory for a node's state, which lives as long as this.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn state_dir(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(&path).context("a state directory")?;
        Ok(path)
    }

    /// Coins of an account.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn balance(&self, address: Address) -> anyhow::Result<Nanoton> {
        Ok(self.chain.account(address, At::Latest).await?.balance)
    }
}

fn params() -> Params {
    Params {
        struct_version: Params::STRUCT_VERSION,
        params_version: 1,
        unique_id: 1,
        is_test: true,
        price_per_token: Nanoton::new(20),
        worker_fee_per_token: Nanoton::new(19),
        multipliers: Multipliers {
            prompt: 10_000,
            cached: 1_000,
            completion: 80_000,
            reasoning: 80_000,
        },
        proxy_delay_before_close: 660,
        client_delay_before_close: 60,
        min_proxy_stake: Nanoton::ZERO,
        min_client_stake: MIN_CLIENT_STAKE,
        codes: code::codes(),
    }
}
