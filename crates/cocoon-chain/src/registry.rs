//! The root contract's configuration, followed while a node runs (spec/ton.md 3.1).

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use cocoon_contracts::{CellError, RootConfig};
use cocoon_types::Address;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    backoff::Backoff,
    chain::{At, Chain, ChainError},
};

/// What a network's root contract says, kept up to date by a task that ends when this is dropped.
pub struct Registry {
    config: watch::Receiver<Arc<RootConfig>>,
    seen: Arc<Mutex<Seen>>,
    _task: JoinSet<()>,
}

/// How a registry is followed.
#[derive(Clone, Copy, Debug)]
pub struct RegistryOptions {
    /// Whether this node is for test networks; must be what the root contract says.
    pub is_test: bool,
    /// Shortest time between two looks; the longest is twice that.
    pub poll: Duration,
}

/// Why a network's configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The chain did not answer.
    #[error("the root contract cannot be read")]
    Chain(#[from] ChainError),
    /// There is no contract.
    #[error("there is no root contract at {0}")]
    Missing(Address),
    /// What is there is not a root contract's data.
    #[error("the data of the account is not a root contract's")]
    Data(#[from] CellError),
    /// The other kind of network.
    #[error("the root contract {}", if *is_test { "is of a test network, this node is not" } else { "is not of a test network, this node is" })]
    OtherKind {
        /// What the contract says.
        is_test: bool,
    },
}

/// When the chain last showed that the configuration holds.
#[derive(Clone, Copy, Debug)]
struct Seen {
    when: Instant,
    /// The chain's head at that time: a chain that stands still shows nothing new.
    seqno: u32,
}

// === impl RegistryOptions ===

impl RegistryOptions {
    /// A look every 30 to 60 s, as the original's nodes.
    pub fn new(is_test: bool) -> Self {
        Self {
            is_test,
            poll: Duration::from_secs(30),
        }
    }
}

// === impl Registry ===

impl Registry {
    /// Reads the root contract and follows it.
    ///
    /// # Errors
    /// [`RegistryError`]: without a first configuration there is nothing to start with. Later failures are logged, and
    /// [`Registry::age`] grows.
    pub async fn start(
        chain: Arc<dyn Chain>,
        root: Address,
        options: RegistryOptions,
    ) -> Result<Self, RegistryError> {
        let (first, seqno) = read(&*chain, root, options.is_test).await?;
        let seen = Seen {
            when: Instant::now(),
            seqno,
        };
        let seen = Arc::new(Mutex::new(seen));
        let (publish, config) = watch::channel(Arc::new(first));
        let mut task = JoinSet::new();
        task.spawn(follow(chain, root, options, publish, Arc::clone(&seen)));
        Ok(Self {
            config,
            seen,
            _task: task,
        })
    }

    /// The configuration now.
    pub fn config(&self) -> Arc<RootConfig> {
        Arc::clone(&self.config.borrow())
    }

    /// Every configuration from now on.
    pub fn subscribe(&self) -> watch::Receiver<Arc<RootConfig>> {
        self.config.clone()
    }

    /// How long ago the chain showed, with a new block, that the configuration holds.
    pub fn age(&self) -> Duration {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.when.elapsed()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("version", &self.config.borrow().version)
            .field("age", &self.age())
            .finish_non_exhaustive()
    }
}

async fn follow(
    chain: Arc<dyn Chain>,
    root: Address,
    options: RegistryOptions,
    publish: watch::Sender<Arc<RootConfig>>,
    seen: Arc<Mutex<Seen>>,
) {
    let mut backoff = Backoff::new(options.poll);
    loop {
        sleep(options.poll.mul_f64(1.0 + fastrand::f64())).await;
        let (config, seqno) = match read(&*chain, root, options.is_test).await {
            Ok(read) => read,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the registry cannot be read"
                );
                backoff.wait().await;
                continue;
            }
        };
        backoff.reset();
        let version = publish.borrow().version;
        if config.version < version {
            tracing::warn!(
                version,
                older = config.version,
                "an older registry was shown and is ignored"
            );
            continue;
        }
        {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seqno > seen.seqno {
                *seen = Seen {
                    when: Instant::now(),
                    seqno,
                };
            }
        }
        if config.version > version {
            tracing::info!(version = config.version, "the registry has changed");
            publish.send_replace(Arc::new(config));
        }
    }
}

async fn read(chain: &dyn Chain, root: Address, is_test: bool) -> Result<(RootConfig, u32), RegistryError> {
    let account = chain.account(root, At::Latest).await?;
    let data = account.data.ok_or(RegistryError::Missing(root))?;
    let config = RootConfig::parse(&data)?;
    if config.params.is_test != is_test {
        return Err(RegistryError::OtherKind {
            is_test: config.params.is_test,
        });
    }
    Ok((config, account.block))
}

#[cfg(test)]
mod tests;
