//! The contracts around a proxy: addresses, deployment, what the registry says.

use std::{path::PathBuf, sync::Arc, time::Duration};

use cocoon_accounting::{ContractState, Policy, Status};
use cocoon_chain::{
    Account, At, Chain, ChainError, ProxyContract, TermsError, WalletSender, WalletSenderOptions,
};
use cocoon_contracts::{
    CellError, RootConfig, SigningKey, code, hash, proxy,
    wallet::{Outgoing, Wallet, mode},
};
use cocoon_types::{Address, ModelName, Nanoton};
use tokio::time::sleep;

use super::statement::query_id;

/// Coins for a new proxy contract: its float, and storage for years.
const DEPLOY_VALUE: Nanoton = Nanoton::new(100_000_000);
/// Coins beside a stake, for the commission; the rest comes back.
const STAKE_VALUE: Nanoton = Nanoton::new(150_000_000);
/// Between two looks at an account that something was sent to.
const LOOK: Duration = Duration::from_millis(500);
/// Looks before it is sent again: a minute.
const LOOKS: u32 = 120;

/// What a proxy needs to keep real accounts.
#[derive(Debug)]
pub struct Payments {
    /// The chain.
    pub chain: Arc<dyn Chain>,
    /// The network's root contract.
    pub root: Address,
    /// Who owns the proxy's contract and is paid its share.
    pub owner: Address,
    /// Signs payments. Together with the owner it makes the contract's address.
    pub key: SigningKey,
    /// Pays gas and sends commits. There must be no other sender for it.
    pub wallet: Wallet,
    /// Where the journal is.
    pub directory: PathBuf,
    /// When to commit and to settle.
    pub policy: Policy,
    /// How often contracts are looked at.
    pub poll: Duration,
    /// How often the registry is looked at.
    pub registry_poll: Duration,
}

/// Why accounts cannot be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PaymentsError {
    /// The registry cannot be read.
    #[error("the root contract cannot be read")]
    Registry(#[source] cocoon_chain::RegistryError),
    /// The chain does not answer.
    #[error("the chain does not answer")]
    Chain(#[from] ChainError),
    /// A contract's data is not what it should be.
    #[error("the data of a contract cannot be read")]
    Cell(#[from] CellError),
    /// The registry has no code, or prices that no contract could work with.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// The journal cannot be used.
    #[error("the accounts' journal cannot be used")]
    Journal(#[from] cocoon_store::OpenError),
    /// The wallet cannot send.
    #[error("the wallet {address} cannot pay for the proxy's contract: send it coins")]
    Wallet {
        /// The wallet.
        address: Address,
        /// Why.
        #[source]
        source: cocoon_chain::SendError,
    },
    /// A thread of ours ended.
    #[error("a task of the accounts ended")]
    Task,
    /// The state does not allow it.
    #[error("the accounts cannot be opened")]
    Command(#[from] cocoon_accounting::CommandRefused),
}

/// Our contract under one set of terms.
#[derive(Clone, Debug)]
pub(super) struct Network {
    pub(super) own: ProxyContract,
    /// Version of the registry, for clients that ask for one.
    pub(super) version: u32,
    /// What the registry said then; nothing for old contracts.
    pub(super) config: Option<Arc<RootConfig>>,
}

impl Network {
    /// The contract that the registry's parameters give this proxy.
    pub(super) fn new(
        root: Address,
        config: &Arc<RootConfig>,
        owner: Address,
        key: [u8; 32],
    ) -> Result<Self, PaymentsError> {
        Ok(Self {
            config: Some(Arc::clone(config)),
            own: ProxyContract::new(root, config.params.clone(), owner, key)?,
            version: config.version,
        })
    }

    /// That of an old contract of ours, out of what the contract itself remembers.
    pub(super) async fn old(
        chain: &dyn Chain,
        contract: Address,
        key: [u8; 32],
    ) -> Result<Option<Self>, PaymentsError> {
        let account = chain.account(contract, At::Latest).await?;
        let (Some(code), Some(data)) = (account.code, account.data) else {
            return Ok(None);
        };
        let storage = proxy::Storage::parse(&data)?;
        let mut params = storage.params;
        params.codes.proxy = Some(code);
        let own = ProxyContract::new(storage.root, params, storage.owner, key)?;
        // The initial data makes the address, and nothing of it changes.
        Ok((own.address() == contract).then_some(Self {
            own,
            version: 0,
            config: None,
        }))
    }

    /// Whether the registry allows workers to serve this model.
    pub(super) fn allows(&self, model: &ModelName) -> bool {
        self.config
            .as_ref()
            .is_some_and(|config| config.allows_model(model))
    }

    /// Where the contract of the client with this owner is.
    pub(super) fn client(&self, owner: &Address) -> Address {
        self.own.client(owner).address()
    }

    /// Where the contract of the worker with this owner is.
    pub(super) fn worker(&self, owner: &Address) -> Address {
        self.own.worker(owner).address()
    }

    /// Deploys the contract and its stake, and waits until they are there.
    pub(super) async fn deploy(&self, chain: &dyn Chain, wallet: &WalletSender) -> Result<(), PaymentsError> {
        let contract = self.own.address();
        let deploy = || Outgoing {
            to: contract,
            value: DEPLOY_VALUE,
            bounce: false,
            state_init: Some(self.own.init()),
            body: None,
            mode: mode::ORDINARY,
            comment: None,
        };
        let is_there = |account: &Account| account.status == cocoon_chain::Status::Active;
        self.until(chain, wallet, "deployed", is_there, deploy).await?;
        let least = self.own.deployment().params().min_proxy_stake;
        let stake = |account: &Account| {
            let data = account.data.as_ref()?;
            proxy::Storage::parse(data).ok().map(|storage| storage.stake)
        };
        let account = chain.account(contract, At::Latest).await?;
        let missing = least.saturating_sub(stake(&account).unwrap_or_default());
        if missing == Nanoton::ZERO {
            return Ok(());
        }
        let body = proxy::Message::IncreaseStake {
            query_id: query_id(),
            coins: missing,
            excesses: wallet.address(),
        };
        let add = || Outgoing {
            to: contract,
            value: Nanoton::new(missing.nano().saturating_add(STAKE_VALUE.nano())),
            bounce: true,
            state_init: None,
            body: Some(body.to_cell()),
            mode: mode::ORDINARY,
            comment: None,
        };
        let is_enough = |account: &Account| stake(account).is_some_and(|stake| stake >= least);
        self.until(chain, wallet, "staked", is_enough, add).await
    }

    /// Sends until the account is as it should be.
    async fn until(
        &self,
        chain: &dyn Chain,
        wallet: &WalletSender,
        what: &'static str,
        reached: impl Fn(&Account) -> bool + Sync,
        outgoing: impl Fn() -> Outgoing + Sync,
    ) -> Result<(), PaymentsError> {
        let contract = self.own.address();
        loop {
            if reached(&chain.account(contract, At::Latest).await?) {
                tracing::info!(%contract, "the proxy's contract is {what}");
                return Ok(());
            }
            wallet
                .send(outgoing())
                .await
                .map_err(|source| PaymentsError::Wallet {
                    address: wallet.address(),
                    source,
                })?;
            for _ in 0..LOOKS {
                sleep(LOOK).await;
                if reached(&chain.account(contract, At::Latest).await?) {
                    break;
                }
            }
        }
    }
}

/// What the accounts need of a proxy contract's account.
pub(super) fn contract_state(account: &Account) -> Option<ContractState> {
    let storage = proxy::Storage::parse(account.data.as_ref()?).ok()?;
    let is_ours = account
        .code
        .as_ref()
        .is_some_and(|code| Some(hash(code)) == code::codes().proxy.as_ref().map(hash));
    let pool = storage.pool.unwrap_or_default();
    // Settled charges that are not paid out, and the stake as far as it is not lent already (contracts/README.md).
    let payable = pool
        .payable
        .checked_add(storage.stake.saturating_sub(pool.advance));
    Some(ContractState {
        status: match storage.state {
            proxy::State::Open => Status::Open,
            proxy::State::Closing => Status::Closing,
            proxy::State::Closed => Status::Closed,
        },
        balance: storage.balance,
        stake: storage.stake,
        unlock_at: storage.unlock_at,
        payable: payable.filter(|_| is_ours),
    })
}

/// The wallet's sender as the bookkeeper uses it.
pub(super) fn start_wallet(chain: &Arc<dyn Chain>, wallet: Wallet) -> WalletSender {
    WalletSender::start(Arc::clone(chain), wallet, WalletSenderOptions::default())
}
