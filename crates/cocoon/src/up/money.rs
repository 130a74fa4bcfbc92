//! Payments of a network on this machine: its ledger, wallets with test coins, and its registry.
//!
//! Everything is found again on the next start in the same directory: `ledger/`, `wallets/*.toml` and `network.toml`,
//! which holds the root contract's address. The roles' own contracts are the roles' business.

mod price;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use cocoon_attest::Measurements;
use cocoon_chain::wallet_file::WalletFile;
use cocoon_chain::{HttpChain, Status};
use cocoon_contracts::root::Change;
use cocoon_contracts::{RegisteredProxy, RootConfig};
use cocoon_types::{Address, Coefficient, ModelName, Nanoton};
use tokio::task::JoinSet;
use toml::{Table, Value};

pub(super) use self::price::{Price, Settle};
use super::plan::write_whole;
use crate::chain::Opened;
use crate::exit::Hinted;
use crate::network;
use crate::wallet::explain;

/// What the flags say.
#[derive(Clone, Debug, Default)]
pub(super) struct Wishes {
    pub(super) price: Option<Price>,
    pub(super) settle: Option<Settle>,
}

/// A network's money, ready for its roles.
#[derive(Debug)]
pub(super) struct Money {
    dir: PathBuf,
    on: Opened,
    root: Address,
    owner: WalletFile,
    wallets: Vec<(String, Address)>,
    coefficient: Option<Coefficient>,
    settle: Option<Settle>,
}

/// What each wallet is filled up to at a start, when it holds less than half of it: enough for thousands of settlements.
const OWNER_COINS: Nanoton = Nanoton::new(10_000_000_000);
const ROLE_COINS: Nanoton = Nanoton::new(10_000_000_000);
const OWNER: &str = "owner";
/// Gets what the workers earn, so that it does not mix with what they pay for gas.
const EARNINGS: &str = "earnings";
const NETWORK_FILE: &str = "network.toml";

// === impl Money ===

impl Money {
    /// Opens or makes wallets and registry, and fills the wallets up.
    pub(super) async fn prepare(
        dir: &Path,
        ledger: &str,
        workers: u16,
        model: Option<&ModelName>,
        wishes: &Wishes,
    ) -> anyhow::Result<Self> {
        let on = Opened::new(ledger.to_owned())?;
        let (owner, wallets) = open_wallets(dir, workers).await?;
        fund(&on, ledger, &wallets).await?;
        let models: Vec<[u8; 32]> = model
            .into_iter()
            .map(cocoon_contracts::root::model_hash)
            .collect();
        let (root, config) = registry(dir, &on, &owner, &models).await?;
        let base = config.params.price_per_token;
        let coefficient = wishes.price.map(|price| price.coefficient(base)).transpose()?;
        let money = Self {
            dir: dir.to_owned(),
            on,
            root,
            owner,
            wallets,
            coefficient,
            settle: wishes.settle,
        };
        money.allow(config, &models).await?;
        Ok(money)
    }

    /// Lists the proxy where it listens now.
    pub(super) async fn register(
        &self,
        workers: std::net::SocketAddr,
        clients: std::net::SocketAddr,
    ) -> anyhow::Result<()> {
        let before = network::read(&self.on, self.root).await?;
        let (workers, clients) = (workers.to_string(), clients.to_string());
        let listed = before.proxies.first();
        if listed.is_some_and(|proxy| proxy.workers == workers && proxy.clients == clients) {
            return Ok(());
        }
        let seqno = listed.map_or(0, |proxy| proxy.seqno);
        let proxy = RegisteredProxy {
            seqno,
            workers,
            clients,
        };
        let change = match listed {
            Some(_) => Change::UpdateProxy(proxy),
            None => Change::RegisterProxy(proxy),
        };
        network::apply(change, self.root, &before, self.owner.wallet(), &self.on)
            .await
            .map(drop)
    }

    /// What every role has to know, and its own.
    pub(super) fn fill(&self, role: &str, name: &str, table: &mut Table) {
        let text = |value: &dyn ToString| Value::String(value.to_string());
        table.insert("chain".into(), text(&self.on.url));
        table.insert("root".into(), text(&self.root));
        table.insert(
            "wallet_file".into(),
            text(&wallet_path(&self.dir, name).display()),
        );
        match role {
            "worker" => {
                if let Some((_, address)) = self.wallets.iter().find(|(name, _)| name == EARNINGS) {
                    table.insert("owner".into(), text(address));
                }
                if let Some(coefficient) = self.coefficient {
                    table.insert(
                        "coefficient".into(),
                        Value::Integer(coefficient.per_mille().into()),
                    );
                }
            }
            "proxy" => {
                table.insert("owner".into(), text(&self.owner.address()));
                // What was used can be settled at once: gas is free here, and a person who looks does not wait minutes.
                table.insert("commit_age_s".into(), Value::Integer(1));
                if let Some(settle) = self.settle {
                    table.insert("settle".into(), settle.to_value());
                }
            }
            _ => {
                // Who asks for a price here is ready to pay it.
                if let Some(coefficient) = self
                    .coefficient
                    .filter(|asked| *asked > Coefficient::DEFAULT_LIMIT)
                {
                    table.insert(
                        "max_coefficient".into(),
                        Value::Integer(coefficient.per_mille().into()),
                    );
                }
            }
        }
    }

    pub(super) fn root(&self) -> Address {
        self.root
    }

    pub(super) fn ledger(&self) -> &str {
        &self.on.url
    }

    /// Name, address and file of each wallet.
    pub(super) fn wallets(&self) -> impl Iterator<Item = (&str, Address, PathBuf)> {
        self.wallets
            .iter()
            .map(|(name, address)| (name.as_str(), *address, wallet_path(&self.dir, name)))
    }

    /// Allows what a registry of an earlier start does not yet.
    async fn allow(&self, mut config: RootConfig, models: &[[u8; 32]]) -> anyhow::Result<()> {
        let images = network::Images::development();
        let mut changes: Vec<Change> = models
            .iter()
            .filter(|model| !config.model_hashes.contains(*model))
            .map(|model| Change::AddModelHash(*model))
            .collect();
        if !config.worker_hashes.contains(&images.worker) {
            changes.push(Change::AddWorkerHash(images.worker));
        }
        if !config.proxy_hashes.contains(&images.proxy) {
            changes.push(Change::AddProxyHash(images.proxy));
        }
        // What the original's simulated quote names, which anybody can make; networks of earlier versions listed it.
        let simulated = Measurements::ZERO.image_hash();
        if config.worker_hashes.contains(&simulated) {
            changes.push(Change::DeleteWorkerHash(simulated));
        }
        if config.proxy_hashes.contains(&simulated) {
            changes.push(Change::DeleteProxyHash(simulated));
        }
        for change in changes {
            config = network::apply(change, self.root, &config, self.owner.wallet(), &self.on).await?;
        }
        Ok(())
    }
}

/// The registry that this directory remembers, or a new one.
async fn registry(
    dir: &Path,
    on: &Opened,
    owner: &WalletFile,
    models: &[[u8; 32]],
) -> anyhow::Result<(Address, RootConfig)> {
    let path = dir.join(NETWORK_FILE);
    if let Ok(text) = std::fs::read_to_string(&path) {
        let wrong = || {
            Hinted::failed(
                format!("{} does not hold a root contract's address", path.display()),
                "start in another --dir, or remove it together with ledger/ to begin anew",
            )
        };
        let table: Table = toml::from_str(&text).map_err(|_| wrong())?;
        let root: Address = table
            .get("root")
            .and_then(Value::as_str)
            .and_then(|root| root.parse().ok())
            .ok_or_else(wrong)?;
        if on.account(root).await?.status == Status::Active {
            return Ok((root, network::read(on, root).await?));
        }
        tracing::warn!(%root, "the ledger does not know this network's root contract (was ledger/ removed?); deploying a new one");
    }
    let terms = network::Terms::test(network::Images::development(), models);
    let (root, _) = network::deploy(terms, owner.wallet(), on).await?;
    let table = Table::from_iter([("root".to_owned(), Value::String(root.to_string()))]);
    write_whole(&path, toml::to_string(&table)?.as_bytes())?;
    Ok((root, network::read(on, root).await?))
}

/// Each wallet takes a tenth of a second or two to make, so they are made side by side.
async fn open_wallets(dir: &Path, workers: u16) -> anyhow::Result<(WalletFile, Vec<(String, Address)>)> {
    let mut names = vec![
        OWNER.to_owned(),
        EARNINGS.to_owned(),
        "proxy".to_owned(),
        "gateway".to_owned(),
    ];
    names.extend((1..=workers).map(|index| format!("worker-{index}")));
    let mut opening = JoinSet::new();
    for (index, name) in names.iter().enumerate() {
        let path = wallet_path(dir, name);
        opening.spawn_blocking(move || (index, WalletFile::open_or_create(&path)));
    }
    let mut files = Vec::new();
    while let Some(opened) = opening.join_next().await {
        let (index, file) = opened?;
        files.push((index, file.map_err(explain)?));
    }
    files.sort_by_key(|(index, _)| *index);
    let addresses = files.iter().map(|(_, file)| file.address());
    let wallets = names.into_iter().zip(addresses).collect();
    let owner = files.into_iter().next().context("no wallet was opened")?.1;
    Ok((owner, wallets))
}

/// Test coins for who has few.
async fn fund(on: &Opened, ledger: &str, wallets: &[(String, Address)]) -> anyhow::Result<()> {
    let faucet = HttpChain::new(ledger)?;
    for (name, address) in wallets.iter().filter(|(name, _)| name != EARNINGS) {
        let enough = if name == OWNER { OWNER_COINS } else { ROLE_COINS };
        let held = on.account(*address).await?.balance;
        if held.nano() < enough.nano() / 2 {
            let missing = enough.saturating_sub(held);
            faucet
                .faucet(*address, missing)
                .await
                .map_err(|error| on.failed(error))?;
            await_balance(on, *address, held).await?;
        }
    }
    Ok(())
}

/// The faucet's coins arrive with a block.
async fn await_balance(on: &Opened, address: Address, before: Nanoton) -> anyhow::Result<()> {
    let arrived = async {
        while on.account(address).await?.balance <= before {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), arrived)
        .await
        .context("the faucet's coins did not arrive within 30 s")?
}

fn wallet_path(dir: &Path, name: &str) -> PathBuf {
    dir.join("wallets").join(format!("{name}.toml"))
}
