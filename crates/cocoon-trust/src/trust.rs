use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cocoon_attest::{Policy, Roots};
use cocoon_chain::{
    Chain, HttpChain, HttpChainError, PurseOptions, Registry, RegistryError, RegistryOptions,
};
use cocoon_contracts::RootConfig;
use cocoon_link::{Appraiser, CurrentIdentity, IdentityError, LinkOptions};
use cocoon_tee::MachineEvidence;
use cocoon_tee::collateral::CollateralServiceError;
use cocoon_tee::development::SaveError;
use cocoon_tee::machine::MachineError;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::blocks::Blocks;
use crate::clock::{ClockFault, ClockWatch};
use crate::judge::Remembered;
use crate::keys::TrustConfig;
use crate::policy::Peers;
use crate::tee::{self, Opened};

/// Longest time between two looks at whether the identity is due: somebody may have set the clock.
const RENEWAL_CHECK: Duration = Duration::from_secs(60);

/// After this an identity that could not be renewed is tried again.
const RENEWAL_AGAIN: Duration = Duration::from_secs(1);

/// Between two looks at whether this machine's collateral is due; most find nothing to ask for.
const COLLATERAL_CHECK: Duration = Duration::from_secs(60);

/// For the chain to say its head; then the clock is judged by what is known.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);

/// Statements that are verified at once: each takes milliseconds of a core, and handshakes must go on beside many of them.
const VERIFYING: usize = 2;

/// A node's identity, its policies, and its clock's standing. [`Trust::keep`] keeps them up to date.
pub struct Trust {
    config: TrustConfig,
    identity: CurrentIdentity,
    machine: Option<Arc<MachineEvidence>>,
    roots: Roots,
    blocks: Option<Blocks>,
    registry: Option<Registry>,
    /// Of the ports that were made, each with who is at its other end.
    appraisers: Mutex<Vec<(Peers, Appraiser)>>,
    clock: fn() -> u64,
    fault: watch::Sender<Option<ClockFault>>,
    /// How often the rules have changed.
    generation: watch::Sender<u64>,
    /// What was found of statements that others handed on.
    verdicts: Mutex<Remembered>,
    verifying: Semaphore,
}

/// A node has nothing to present, or nothing to go by.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// No key, certificate or quote could be made.
    #[error("cannot make this node's identity")]
    Identity(#[from] IdentityError),
    /// The development TEE cannot be used.
    #[error("development_tee: it cannot be used")]
    DevelopmentTee(#[source] SaveError),
    /// The machine gives no evidence.
    #[error("tee: this machine's cannot be used")]
    Machine(#[source] MachineError),
    /// Nobody can be asked what its maker vouches for.
    #[error("collateral_url: it cannot be used")]
    Collateral(#[source] CollateralServiceError),
    /// No chain to speak to.
    #[error("chain: it cannot be used")]
    Chain(#[from] HttpChainError),
    /// No registry.
    #[error("root: the registry cannot be read")]
    Registry(#[from] RegistryError),
    /// The node is going down.
    #[error("the node is going down")]
    Interrupted,
}

// === impl Trust ===

impl Trust {
    /// Opens the TEE, makes the identity, and reads the registry where one is configured. `role` names the image of the
    /// development TEE; `clock` tells Unix seconds.
    ///
    /// # Errors
    /// [`TrustError`] names the key that is to blame.
    pub async fn start(
        config: &TrustConfig,
        role: &'static str,
        registry: Option<&PurseOptions>,
        clock: fn() -> u64,
    ) -> Result<Self, TrustError> {
        let (chain, registry) = match registry {
            None => (None, None),
            Some(options) => {
                let chain: Arc<dyn Chain> = Arc::new(HttpChain::new(&options.chain)?);
                let follow = RegistryOptions {
                    poll: config.poll,
                    ..RegistryOptions::new(config.is_test)
                };
                let registry = Registry::start(Arc::clone(&chain), options.root, follow).await?;
                (Some(chain), Some(registry))
            }
        };
        let Opened {
            identity,
            roots,
            machine,
        } = tee::open(config, role, clock).await?;
        Ok(Self {
            config: config.clone(),
            identity,
            machine,
            roots,
            blocks: chain.map(Blocks::new),
            registry,
            appraisers: Mutex::default(),
            clock,
            fault: watch::Sender::new(None),
            generation: watch::Sender::new(0),
            verdicts: Mutex::default(),
            verifying: Semaphore::new(VERIFYING),
        })
    }

    /// What this node presents.
    pub const fn identity(&self) -> &CurrentIdentity {
        &self.identity
    }

    /// What links to these peers have in common. Their policy follows the registry while [`Trust::keep`] runs.
    pub fn link_options(&self, peers: Peers) -> LinkOptions {
        let appraiser = Appraiser::new(self.policy(peers), self.roots.clone());
        self.lock().push((peers, appraiser.clone()));
        let options = LinkOptions::new(self.identity.clone(), appraiser, self.clock);
        if self.registry.is_none() {
            options.with_simulated_on_loopback_only()
        } else {
            options
        }
    }

    /// Whom this node takes now.
    pub(crate) fn policy(&self, peers: Peers) -> Policy {
        let registry = self.registry.as_ref().map(Registry::config);
        peers.policy(&self.config, registry.as_deref())
    }

    pub(crate) const fn roots(&self) -> &Roots {
        &self.roots
    }

    pub(crate) const fn blocks(&self) -> Option<&Blocks> {
        self.blocks.as_ref()
    }

    pub(crate) fn now(&self) -> u64 {
        (self.clock)()
    }

    pub(crate) const fn generation(&self) -> &watch::Sender<u64> {
        &self.generation
    }

    pub(crate) const fn verdicts(&self) -> &Mutex<Remembered> {
        &self.verdicts
    }

    pub(crate) const fn verifying(&self) -> &Semaphore {
        &self.verifying
    }

    /// What is wrong with this node's clock, by the chain; nothing new may be served then.
    pub fn clock_fault(&self) -> Option<ClockFault> {
        *self.fault.borrow()
    }

    /// Every change of [`Trust::clock_fault`].
    pub fn clock_faults(&self) -> watch::Receiver<Option<ClockFault>> {
        self.fault.subscribe()
    }

    /// Follows registry and chain, and renews the identity, as long as it is polled.
    pub async fn keep(&self) {
        tokio::join!(
            self.follow_registry(),
            self.watch_clock(),
            self.renew(),
            self.follow_collateral()
        );
    }

    async fn follow_registry(&self) {
        let Some(registry) = &self.registry else { return };
        let mut changes = registry.subscribe();
        loop {
            let config = Arc::clone(&changes.borrow_and_update());
            self.apply(&config);
            // After the registry says the new: whoever reads this number and then the rules has not the older ones.
            self.generation.send_modify(|generation| *generation += 1);
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    fn apply(&self, registry: &RootConfig) {
        for (peers, appraiser) in self.lock().iter() {
            if appraiser.replace_policy(peers.policy(&self.config, Some(registry))) {
                tracing::info!(
                    ?peers,
                    version = registry.version,
                    "the registry changes whom this node takes; links are appraised again"
                );
            }
        }
    }

    async fn watch_clock(&self) {
        let Some(blocks) = &self.blocks else { return };
        let mut watch = ClockWatch::default();
        loop {
            let head = timeout(HEAD_DEADLINE, blocks.head()).await;
            let fault = match head {
                Ok(Ok(head)) => watch.look(head, (self.clock)(), Instant::now()),
                Ok(Err(_)) | Err(_) => watch.judge((self.clock)(), Instant::now()),
            };
            self.fault.send_if_modified(|before| {
                let (was, is) = (before.is_some(), fault.is_some());
                *before = fault;
                match fault {
                    Some(fault) if !was => {
                        tracing::error!(%fault, "this node takes no new work until its clock agrees with the chain's");
                    }
                    None if was => tracing::warn!("this node's clock agrees with the chain's again"),
                    _ => {}
                }
                was != is
            });
            sleep(self.config.poll).await;
        }
    }

    async fn renew(&self) {
        loop {
            let due = self.identity.get().renew_at().saturating_sub((self.clock)());
            let due = Duration::from_secs(due).clamp(RENEWAL_AGAIN, RENEWAL_CHECK);
            let renewed = match self.config.renew_every {
                None => {
                    sleep(due).await;
                    self.identity.renew_if_due((self.clock)()).await
                }
                Some(every) => {
                    sleep(every).await;
                    self.identity.renew((self.clock)()).await.map(|()| true)
                }
            };
            match renewed {
                Ok(true) => tracing::info!("this node has a fresh identity"),
                Ok(false) => {}
                Err(error) => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "this node's identity could not be renewed"
                ),
            }
        }
    }

    /// New collateral reaches verifiers in a new certificate; statements take it from themselves.
    async fn follow_collateral(&self) {
        let Some(machine) = &self.machine else { return };
        let mut shown = machine.collateral().await;
        loop {
            sleep(COLLATERAL_CHECK).await;
            let Some(current) = machine.collateral().await else {
                // It has been said; what is shown holds as long as it does.
                continue;
            };
            if shown.as_ref().is_some_and(|shown| Arc::ptr_eq(shown, &current)) {
                continue;
            }
            match self.identity.renew((self.clock)()).await {
                Ok(()) => {
                    tracing::info!("this node has an identity with new collateral");
                    shown = Some(current);
                }
                Err(error) => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "this node's identity could not be renewed with new collateral"
                ),
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Peers, Appraiser)>> {
        // Only ever pushed to.
        self.appraisers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust")
            .field("config", &self.config)
            .field("clock_fault", &self.clock_fault())
            .finish_non_exhaustive()
    }
}
