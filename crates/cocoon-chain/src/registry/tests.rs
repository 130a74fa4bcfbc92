use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use cocoon_contracts::{Cell, Codes, Params, RootConfig};
use cocoon_types::{Address, Nanoton};
use futures_util::future::{BoxFuture, FutureExt as _};
use tokio::time::sleep;

use super::{Registry, RegistryError, RegistryOptions};
use crate::{
    chain::{Account, At, Chain, ChainError, Head, Status, Transaction, TxId},
    testing::params,
};

const ROOT: Address = Address::new([0xaa; 32]);

/// A chain with one account, whose data and block the test sets.
#[derive(Debug, Default)]
struct OneAccount(Mutex<Shown>);

#[derive(Debug, Default)]
struct Shown {
    data: Option<Cell>,
    block: u32,
    away: bool,
}

impl OneAccount {
    fn show(&self, data: Option<Cell>) {
        let mut shown = self.0.lock().unwrap();
        shown.data = data;
        shown.block += 1;
    }

    fn away(&self, away: bool) {
        self.0.lock().unwrap().away = away;
    }
}

impl Chain for OneAccount {
    fn head(&self) -> BoxFuture<'_, Result<Head, ChainError>> {
        async { Err(ChainError::Unreachable("not asked".into())) }.boxed()
    }

    fn block_at(&self, _: u32) -> BoxFuture<'_, Result<Head, ChainError>> {
        async { Err(ChainError::Unreachable("not asked".into())) }.boxed()
    }

    fn account(&self, address: Address, _: At) -> BoxFuture<'_, Result<Account, ChainError>> {
        assert_eq!(address, ROOT);
        let shown = self.0.lock().unwrap();
        let answer = match shown.away {
            true => Err(ChainError::Unreachable("away".into())),
            false => Ok(Account {
                balance: Nanoton::new(1),
                status: Status::Active,
                data: shown.data.clone(),
                ..Account::missing(shown.block)
            }),
        };
        async { answer }.boxed()
    }

    fn transactions(
        &self,
        _: Address,
        _: TxId,
        _: u64,
        _: usize,
    ) -> BoxFuture<'_, Result<Vec<Transaction>, ChainError>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn send<'a>(&'a self, _: &'a Cell) -> BoxFuture<'a, Result<(), ChainError>> {
        async { Ok(()) }.boxed()
    }
}

fn config(version: u32, is_test: bool) -> RootConfig {
    RootConfig {
        owner: Address::new([0xee; 32]),
        version,
        proxies: Vec::new(),
        last_proxy_seqno: version,
        proxy_hashes: BTreeSet::new(),
        worker_hashes: BTreeSet::from([[0x22; 32]]),
        model_hashes: BTreeSet::new(),
        params: Params {
            is_test,
            codes: Codes::default(),
            ..params()
        },
        key_manager: None,
    }
}

async fn start(chain: &Arc<OneAccount>) -> Result<Registry, RegistryError> {
    let chain: Arc<dyn Chain> = Arc::<OneAccount>::clone(chain);
    Registry::start(chain, ROOT, RegistryOptions::new(true)).await
}

/// Long enough for a look.
async fn look() {
    sleep(Duration::from_secs(61)).await;
}

#[tokio::test(start_paused = true)]
async fn higher_versions_replace_same_ones_refresh_lower_ones_are_ignored() {
    let chain = Arc::new(OneAccount::default());
    chain.show(Some(config(5, true).to_cell()));
    let registry = start(&chain).await.unwrap();
    assert_eq!(registry.config().version, 5);
    let mut changes = registry.subscribe();

    chain.show(Some(config(6, true).to_cell()));
    look().await;
    assert_eq!(*registry.config(), config(6, true));
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();

    // The same version with other contents is somebody's trick or mistake.
    let mut other = config(6, true);
    other.worker_hashes.clear();
    chain.show(Some(other.to_cell()));
    look().await;
    assert_eq!(*registry.config(), config(6, true));
    assert!(!changes.has_changed().unwrap());
    assert!(registry.age() < Duration::from_secs(61));

    for _ in 0..10 {
        chain.show(Some(config(4, true).to_cell()));
        look().await;
    }
    assert_eq!(registry.config().version, 6);
    assert!(
        registry.age() > Duration::from_secs(500),
        "a lower version proves nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn a_chain_that_fails_lies_or_stands_still_makes_the_registry_old() {
    let chain = Arc::new(OneAccount::default());
    chain.show(Some(config(5, true).to_cell()));
    let registry = start(&chain).await.unwrap();
    sleep(Duration::from_secs(600)).await;
    assert!(registry.age() > Duration::from_secs(599), "no new block");

    chain.show(Some(config(5, true).to_cell()));
    look().await;
    assert!(registry.age() < Duration::from_secs(61));
    for bad in [None, Some(Cell::default()), Some(config(9, false).to_cell())] {
        chain.show(bad);
        look().await;
        assert_eq!(registry.config().version, 5);
    }
    assert!(registry.age() > Duration::from_secs(180));
    chain.away(true);
    sleep(Duration::from_secs(3600)).await;
    assert!(registry.age() > Duration::from_secs(3600));
    chain.away(false);
    chain.show(Some(config(7, true).to_cell()));
    look().await;
    look().await;
    assert_eq!(registry.config().version, 7);
    assert!(registry.age() < Duration::from_secs(122));
}

#[tokio::test(start_paused = true)]
async fn there_is_no_start_without_a_registry() {
    let chain = Arc::new(OneAccount::default());
    assert!(matches!(start(&chain).await, Err(RegistryError::Missing(ROOT))));
    chain.show(Some(Cell::default()));
    assert!(matches!(start(&chain).await, Err(RegistryError::Data(_))));
    chain.show(Some(config(5, false).to_cell()));
    assert!(matches!(
        start(&chain).await,
        Err(RegistryError::OtherKind { is_test: false })
    ));
    chain.away(true);
    assert!(matches!(start(&chain).await, Err(RegistryError::Chain(_))));
}
