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
use cocoon_attest::Measurements;
use cocoon_chain::{
    At, Chain, Ledger, LedgerChain, LedgerOptions, Status, WalletSender, WalletSenderOptions, serve,
    wallet_file::WalletFile,
};
use cocoon_contracts::{
    Params, RootConfig, code,
    root::{Change, Message},
    wallet::{Outgoing, mode},
};
use cocoon_tee::development::image;
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
    /// The registry's owner.
    owner: WalletSender,
    dir: TempDir,
    _tasks: JoinSet<()>,
}

/// A tenth of a TON starts an account; this is enough for a hundred of them.
const COINS: Nanoton = Nanoton::new(10_000_000_000);
/// So many seconds ago the chain began.
const BEGAN: u64 = 5000;
/// A client is asked to keep this much in reserve.
const MIN_CLIENT_STAKE: Nanoton = Nanoton::new(20_000_000);

impl Money {
    /// Starts a ledger, and deploys a registry with the usual prices.
    ///
    /// # Errors
    /// When the chain or the root contract cannot be had.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_as(true).await
    }

    /// The same; `is_test` is what the registry says of the network. The ledger is one for tests in any case.
    ///
    /// # Errors
    /// When the chain or the root contract cannot be had.
    pub async fn start_as(is_test: bool) -> anyhow::Result<Self> {
        let options = LedgerOptions {
            is_test: true,
            instant: true,
        };
        // Its first block is older than a statement's may be, and still known.
        let begin = unix_now() - BEGAN;
        let chain = LedgerChain::new(Ledger::in_memory(options, begin)?, unix_now);
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let address = listener.local_addr()?;
        let guard = Guard::new(address, GuardOptions::default())?;
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(chain.clone(), listener, guard, CancellationToken::new()));
        let dir = tempfile::tempdir()?;
        let params = Params { is_test, ..params() };
        let path = dir.path().join("owner.toml");
        let owner = WalletFile::open_or_create(&path)?;
        chain.faucet(owner.address(), COINS).await?;
        let owner = owner.into_wallet();
        let config = RootConfig {
            owner: owner.address(),
            version: 1,
            proxies: Vec::new(),
            last_proxy_seqno: 0,
            proxy_hashes: images("proxy"),
            worker_hashes: images("worker"),
            model_hashes: BTreeSet::new(),
            params: params.clone(),
            key_manager: None,
        };
        let state_init = config.state_init();
        let sender = WalletSender::start(Arc::new(chain.clone()), owner, WalletSenderOptions::default());
        let money = Self {
            chain,
            url: format!("http://{address}"),
            root: state_init.address(),
            params,
            owner: sender,
            dir,
            _tasks: tasks,
        };
        let deploy = Outgoing {
            to: money.root,
            value: Nanoton::new(100_000_000),
            bounce: false,
            state_init: Some(state_init),
            body: None,
            mode: mode::PAY_FEE,
            comment: None,
        };
        money.owner.send(deploy).await?;
        let root = money.chain.account(money.root, At::Latest).await?;
        anyhow::ensure!(
            root.status == Status::Active,
            "the root contract did not come to be"
        );
        Ok(money)
    }

    /// Changes the registry.
    ///
    /// # Errors
    /// When the chain refuses.
    pub async fn change(&self, change: Change) -> anyhow::Result<()> {
        let message = Message {
            query_id: unix_now(),
            change,
        };
        let outgoing = Outgoing {
            to: self.root,
            value: Nanoton::new(100_000_000),
            bounce: true,
            state_init: None,
            body: Some(message.to_cell()),
            mode: mode::PAY_FEE,
            comment: None,
        };
        self.owner.send(outgoing).await?;
        Ok(())
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

/// What nodes here show: the original's simulated quote, or the development TEE's.
fn images(role: &str) -> BTreeSet<[u8; 32]> {
    BTreeSet::from([Measurements::ZERO.image_hash(), image(role).image_hash()])
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
