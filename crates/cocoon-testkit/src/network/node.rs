//! One role that runs, can be stopped or killed, and started again where it was.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// For a role to end after its signal: its own grace and some more.
const STOP: Duration = Duration::from_secs(30);

/// A role of the network: how it is started and what of its configuration the next start must keep.
pub trait Role: Sized + Send + 'static {
    /// Its configuration.
    type Config: Clone + std::fmt::Debug + Send + 'static;
    /// Binds its listeners.
    fn start(config: Self::Config) -> impl Future<Output = anyhow::Result<Self>> + Send;
    /// Writes the real addresses into the configuration.
    fn pin(&self, config: &mut Self::Config);
    /// Serves until the signal.
    fn run(self, shutdown: CancellationToken) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// One node. Dropping it ends it as signal 9 would.
#[derive(Debug)]
pub struct Node<R: Role> {
    config: R::Config,
    running: Option<Running>,
}

/// A proxy.
pub type ProxyNode = Node<cocoon_proxy::App>;
/// A worker.
pub type WorkerNode = Node<cocoon_worker::App>;
/// A gateway.
pub type GatewayNode = Node<cocoon_client::App>;

/// A role in a runtime of its own, as it would have a process of its own. When that ends at once, nothing of the role
/// runs again: no goodbye is said, and all its sockets close.
#[derive(Debug)]
struct Running {
    shutdown: CancellationToken,
    ended: oneshot::Receiver<anyhow::Result<()>>,
    runtime: Option<Runtime>,
}

// === impl Node ===

impl<R: Role> Node<R> {
    /// Starts it and keeps its addresses for the next start.
    ///
    /// # Errors
    /// When it cannot start.
    pub async fn start(config: R::Config) -> anyhow::Result<Self> {
        let mut node = Self {
            config,
            running: None,
        };
        node.restart().await?;
        Ok(node)
    }

    /// Its configuration, with the addresses that it has.
    pub fn config(&self) -> &R::Config {
        &self.config
    }

    /// Its configuration, for the next start.
    pub fn config_mut(&mut self) -> &mut R::Config {
        &mut self.config
    }

    /// Starts it (again), at the same addresses; kills it first if it runs.
    ///
    /// # Errors
    /// When it cannot start.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.kill().await;
        let (running, config) = Running::start::<R>(self.config.clone()).await?;
        self.config = config;
        self.running = Some(running);
        Ok(())
    }

    /// Lets it end in order, and waits for that.
    ///
    /// # Errors
    /// When it ends with an error, or not at all.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        match self.running.take() {
            Some(running) => running.stop().await,
            None => Ok(()),
        }
    }

    /// Ends it at once, and waits until its sockets are closed.
    pub async fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill().await;
        }
    }
}

impl ProxyNode {
    /// Where clients dial.
    pub fn clients_addr(&self) -> SocketAddr {
        self.config.listen_clients
    }

    /// Where workers dial.
    pub fn workers_addr(&self) -> SocketAddr {
        self.config.listen_workers
    }

    /// Its admin listener.
    pub fn admin_addr(&self) -> SocketAddr {
        self.config.admin
    }
}

impl WorkerNode {
    /// Its admin listener.
    pub fn admin_addr(&self) -> SocketAddr {
        self.config.admin
    }
}

impl GatewayNode {
    /// Where the API is.
    pub fn api_addr(&self) -> SocketAddr {
        self.config.listen
    }
}

// === impl Running ===

impl Running {
    /// Starts a role; gives its configuration back with its real addresses in it.
    async fn start<R: Role>(mut config: R::Config) -> anyhow::Result<(Self, R::Config)> {
        // One thread: once it is told to end, nothing of the role is polled again.
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let shutdown = CancellationToken::new();
        let (started_out, started) = oneshot::channel();
        let (ended_out, ended) = oneshot::channel();
        let signal = shutdown.clone();
        runtime.spawn(async move {
            let role = match R::start(config.clone()).await {
                Ok(role) => role,
                Err(error) => {
                    let _ = started_out.send(Err(error));
                    return;
                }
            };
            role.pin(&mut config);
            let _ = started_out.send(Ok(config));
            let _ = ended_out.send(role.run(signal).await);
        });
        let running = Self {
            shutdown,
            ended,
            runtime: Some(runtime),
        };
        let config = started.await.context("the role panicked at its start")??;
        Ok((running, config))
    }

    async fn stop(mut self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        let ended = timeout(STOP, &mut self.ended).await;
        let ended = ended
            .context("the node did not end")?
            .context("the node panicked")?;
        self.kill().await;
        ended
    }

    async fn kill(mut self) {
        if let Some(runtime) = self.runtime.take() {
            let closed = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(STOP));
            let _ = closed.await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

// === impl Role ===

impl Role for cocoon_proxy::App {
    type Config = cocoon_proxy::Config;

    async fn start(config: Self::Config) -> anyhow::Result<Self> {
        Ok(Self::start(config).await?)
    }

    fn pin(&self, config: &mut Self::Config) {
        config.listen_clients = self.clients_addr();
        config.listen_workers = self.workers_addr();
        config.admin = self.admin_addr();
    }

    async fn run(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        Ok(self.run(shutdown).await?)
    }
}

impl Role for cocoon_worker::App {
    type Config = cocoon_worker::Config;

    async fn start(config: Self::Config) -> anyhow::Result<Self> {
        Ok(Self::start(config).await?)
    }

    fn pin(&self, config: &mut Self::Config) {
        config.admin = self.admin_addr();
    }

    async fn run(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        Ok(self.run(shutdown).await?)
    }
}

impl Role for cocoon_client::App {
    type Config = cocoon_client::Config;

    async fn start(config: Self::Config) -> anyhow::Result<Self> {
        Ok(Self::start(config).await?)
    }

    fn pin(&self, config: &mut Self::Config) {
        config.listen = self.api_addr();
    }

    async fn run(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        Ok(self.run(shutdown).await?)
    }
}
