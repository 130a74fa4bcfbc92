//! The ledger as a [`Chain`], shared between tasks.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use cocoon_types::{Address, Nanoton};
use futures_util::{FutureExt, future::BoxFuture};
use tokio::{task::spawn_blocking, time};
use tokio_util::sync::CancellationToken;
use tycho_types::cell::Cell;

use super::{Block, Faults, Ledger, LedgerError};
use crate::chain::{Account, At, Chain, ChainError, Head, Transaction, TxId};

/// A [`Ledger`] that several tasks use. Cheap to clone. Its work, which may wait for the disk, runs off the runtime.
#[derive(Clone)]
pub struct LedgerChain {
    ledger: Arc<Mutex<Ledger>>,
    clock: Clock,
}

type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

// === impl LedgerChain ===

impl LedgerChain {
    /// `clock` gives Unix seconds.
    pub fn new(ledger: Ledger, clock: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self {
            ledger: Arc::new(Mutex::new(ledger)),
            clock: Arc::new(clock),
        }
    }

    /// Makes a block every `block_time` until `shutdown`. A block that cannot be stored is tried again with the next.
    pub async fn run(&self, block_time: Duration, shutdown: CancellationToken) {
        let mut ticks = time::interval(block_time);
        ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.block().await {
                tracing::error!(%error, "the ledger made no block");
            }
        }
    }

    /// Makes a block now.
    ///
    /// # Errors
    /// As [`Ledger::block`].
    pub async fn block(&self) -> Result<Block, LedgerError> {
        self.with(Ledger::block).await
    }

    /// As [`Ledger::faucet`]; on an instant ledger the coins have arrived when this returns.
    ///
    /// # Errors
    /// As [`Ledger::faucet`].
    pub async fn faucet(&self, to: Address, amount: Nanoton) -> Result<(), LedgerError> {
        self.with(move |ledger, now| {
            ledger.faucet(to, amount)?;
            ledger.at_once(now)
        })
        .await
    }

    /// As [`Ledger::warp`]; on an instant ledger the time has come when this returns.
    ///
    /// # Errors
    /// As [`Ledger::warp`].
    pub async fn warp(&self, seconds: u64) -> Result<(), LedgerError> {
        self.with(move |ledger, now| {
            ledger.warp(seconds)?;
            ledger.at_once(now)
        })
        .await
    }

    /// As [`Ledger::set_faults`].
    ///
    /// # Errors
    /// As [`Ledger::set_faults`].
    pub async fn set_faults(&self, faults: Faults) -> Result<(), LedgerError> {
        self.with(move |ledger, _| ledger.set_faults(faults)).await
    }

    /// Runs `work` on the ledger, with the clock's time.
    pub async fn with<T, F>(&self, work: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(&mut Ledger, u64) -> T + Send + 'static,
    {
        let (ledger, now) = (Arc::clone(&self.ledger), (self.clock)());
        let done = spawn_blocking(move || {
            // The ledger undoes a block that it could not finish, so a panic elsewhere leaves it whole.
            let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut ledger, now)
        });
        match done.await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is going down; nothing that waits here will run again.
                Err(_) => std::future::pending().await,
            },
        }
    }

    async fn ask<T, F>(&self, ask: F) -> Result<T, ChainError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Ledger, u64) -> Result<T, ChainError> + Send + 'static,
    {
        self.with(|ledger, now| {
            if ledger.faults.unreachable {
                return Err(ChainError::Unreachable("by a fault that was set".into()));
            }
            ask(ledger, now)
        })
        .await
    }
}

impl fmt::Debug for LedgerChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LedgerChain").finish_non_exhaustive()
    }
}

impl Chain for LedgerChain {
    fn head(&self) -> BoxFuture<'_, Result<Head, ChainError>> {
        self.ask(|ledger, now| Ok(ledger.fresh_head(now)?)).boxed()
    }

    fn block_at(&self, seqno: u32) -> BoxFuture<'_, Result<Head, ChainError>> {
        self.ask(move |ledger, _| ledger.block_at(seqno)).boxed()
    }

    fn account(&self, address: Address, at: At) -> BoxFuture<'_, Result<Account, ChainError>> {
        self.ask(move |ledger, _| ledger.account(address, at)).boxed()
    }

    fn transactions(
        &self,
        address: Address,
        newest: TxId,
        until_lt: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Transaction>, ChainError>> {
        self.ask(move |ledger, _| ledger.transactions(address, newest, until_lt, limit))
            .boxed()
    }

    fn send<'a>(&'a self, external: &'a Cell) -> BoxFuture<'a, Result<(), ChainError>> {
        let external = external.clone();
        self.ask(move |ledger, now| ledger.take(&external, now)).boxed()
    }
}

impl Ledger {
    /// Takes an external message as the ledger's options say: for the next block, or at once.
    pub(crate) fn take(&mut self, external: &Cell, now: u64) -> Result<(), ChainError> {
        self.submit(external, now)?;
        Ok(self.at_once(now)?)
    }

    /// Makes a block now if the ledger is an instant one.
    fn at_once(&mut self, now: u64) -> Result<(), LedgerError> {
        if self.options.instant {
            self.block(now)?;
        }
        Ok(())
    }
}
