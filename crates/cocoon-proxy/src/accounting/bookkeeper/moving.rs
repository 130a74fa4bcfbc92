//! The registry, followed while the proxy runs. Other terms are another contract: it is deployed beside the old one, which is
//! closed in order once the requests on it have ended.

use std::{mem, sync::Arc};

use cocoon_accounting::CommandRefused;
use cocoon_contracts::RootConfig;
use tokio::task::JoinSet;

use super::{Bookkeeper, BooksError, Network, PaymentsError};

/// After a deployment that failed, in seconds: most likely the wallet waits for coins.
const AGAIN: u64 = 30;

/// The way to another contract.
#[derive(Debug, Default)]
pub(super) struct Moving {
    /// Version of the registry that was read last.
    read: u32,
    step: Step,
    deploying: JoinSet<Result<(), PaymentsError>>,
}

#[derive(Debug, Default)]
enum Step {
    #[default]
    Settled,
    /// To be deployed at this Unix second.
    Wanted(Arc<Network>, u64),
    Deploying(Arc<Network>),
    /// It is taken over when no request is open.
    Deployed(Arc<Network>),
}

// === impl Moving ===

impl Moving {
    /// A deployment has ended. Never, while there is none. Cancel-safe.
    pub(super) async fn deployed(&mut self) -> Option<Result<(), PaymentsError>> {
        let ended = self.deploying.join_next().await?;
        Some(ended.unwrap_or(Err(PaymentsError::Task)))
    }
}

// === impl Bookkeeper ===

impl Bookkeeper {
    /// Looks at what the registry says, and goes on with what it made necessary.
    pub(super) fn follow_registry(&mut self) -> Result<(), BooksError> {
        if self.accounts.halted().is_some() {
            return Ok(());
        }
        let config = self.registry.config();
        if config.version != self.moving.read {
            self.moving.read = config.version;
            self.read_registry(&config)?;
        }
        match mem::take(&mut self.moving.step) {
            Step::Wanted(network, at) if at <= self.now() => {
                let (chain, wallet) = (Arc::clone(&self.chain), self.wallet.clone());
                let next = Arc::clone(&network);
                self.moving
                    .deploying
                    .spawn(async move { next.deploy(&*chain, &wallet).await });
                self.moving.step = Step::Deploying(network);
            }
            Step::Deployed(network) => self.take_over(network)?,
            step => self.moving.step = step,
        }
        Ok(())
    }

    fn read_registry(&mut self, config: &Arc<RootConfig>) -> Result<(), BooksError> {
        let current = Arc::clone(&self.network.borrow());
        let network = match Network::new(self.root, config, current.own.owner, current.own.key) {
            Ok(network) => Arc::new(network),
            Err(error) => {
                tracing::error!(%error, "the registry's parameters cannot be used");
                return Ok(());
            }
        };
        // With what it may have come to already: its result must not pass for the next one's.
        self.moving.deploying = JoinSet::new();
        self.moving.step = Step::Settled;
        if network.own.address() == current.own.address() {
            self.network.send_replace(network);
            return Ok(());
        }
        tracing::warn!(contract = %network.own.address(), "the network has new terms: no new requests until they are in force");
        let now = self.now();
        if !self.accounts.is_closing()
            && let Ok(record) = self.accounts.stop(now)
        {
            self.apply(record)?;
        }
        self.moving.step = Step::Wanted(network, now);
        Ok(())
    }

    /// What came of a deployment.
    pub(super) fn deployed(&mut self, deployed: Result<(), PaymentsError>) -> Result<(), BooksError> {
        match mem::take(&mut self.moving.step) {
            Step::Deploying(network) => match deployed {
                Ok(()) => self.take_over(network),
                Err(error) => {
                    tracing::error!(%error, "the contract of the new terms cannot be deployed");
                    self.moving.step = Step::Wanted(network, self.now().saturating_add(AGAIN));
                    Ok(())
                }
            },
            // Not without a deployment.
            step => {
                self.moving.step = step;
                Ok(())
            }
        }
    }

    /// From here on the new contract counts; the old one is closed in order.
    fn take_over(&mut self, network: Arc<Network>) -> Result<(), BooksError> {
        let now = self.now();
        match self.accounts.open(network.own.terms, now) {
            Ok(record) => {
                self.apply(record)?;
                self.start_session()?;
                // Whoever hears of the new contract must not find it ready before its first commit.
                self.tell_ready();
                let old = self.network.send_replace(Arc::clone(&network));
                self.old.insert(old.own.address(), old);
                self.follow_all();
                tracing::info!(contract = %network.own.address(), "the new terms are in force");
            }
            Err(CommandRefused::RequestsOpen(_)) => self.moving.step = Step::Deployed(network),
            Err(refused) => {
                tracing::error!(%refused, "the new terms cannot be taken over");
                self.moving.step = Step::Wanted(network, now.saturating_add(AGAIN));
            }
        }
        Ok(())
    }
}
