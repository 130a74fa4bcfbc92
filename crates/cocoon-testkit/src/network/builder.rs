use std::net::{Ipv4Addr, SocketAddr};

use cocoon_trust::TrustConfig;
use cocoon_types::Endpoint;

use super::{GatewayNode, Network, ProxyNode, WorkerNode};
use crate::canned::{CannedEngine, CannedOptions};

type Change<T> = Box<dyn Fn(usize, &mut T) + Send + Sync>;

/// What a network will be. Every closure gets the index of its node and the options made so far.
pub struct NetworkBuilder {
    proxies: usize,
    workers: usize,
    gateway: bool,
    engine: Change<CannedOptions>,
    proxy: Change<cocoon_proxy::Options>,
    worker: Change<cocoon_worker::Options>,
    client: Change<cocoon_client::Options>,
    trust: Change<TrustConfig>,
}

// === impl NetworkBuilder ===

impl Default for NetworkBuilder {
    fn default() -> Self {
        Self {
            proxies: 1,
            workers: 1,
            gateway: true,
            engine: Box::new(|_, _| {}),
            proxy: Box::new(|_, _| {}),
            worker: Box::new(|_, _| {}),
            client: Box::new(|_, _| {}),
            trust: Box::new(|_, _| {}),
        }
    }
}

impl NetworkBuilder {
    /// How many proxies; every worker and the gateway know all of them.
    #[must_use]
    pub fn proxies(self, proxies: usize) -> Self {
        Self { proxies, ..self }
    }

    /// How many workers, each with a canned engine of its own.
    #[must_use]
    pub fn workers(self, workers: usize) -> Self {
        Self { workers, ..self }
    }

    /// No gateway: the test speaks to the proxies itself.
    #[must_use]
    pub fn without_gateway(self) -> Self {
        Self {
            gateway: false,
            ..self
        }
    }

    /// Changes the canned engine of each worker.
    #[must_use]
    pub fn engine(self, change: impl Fn(usize, &mut CannedOptions) + Send + Sync + 'static) -> Self {
        Self {
            engine: Box::new(change),
            ..self
        }
    }

    /// Changes each proxy.
    #[must_use]
    pub fn proxy(self, change: impl Fn(usize, &mut cocoon_proxy::Options) + Send + Sync + 'static) -> Self {
        Self {
            proxy: Box::new(change),
            ..self
        }
    }

    /// Changes each worker. One that names another engine than its canned one leaves that one idle.
    #[must_use]
    pub fn worker(self, change: impl Fn(usize, &mut cocoon_worker::Options) + Send + Sync + 'static) -> Self {
        Self {
            worker: Box::new(change),
            ..self
        }
    }

    /// Changes the gateway.
    #[must_use]
    pub fn client(self, change: impl Fn(&mut cocoon_client::Options) + Send + Sync + 'static) -> Self {
        Self {
            client: Box::new(move |_, options| change(options)),
            ..self
        }
    }

    /// Changes what every node shows and takes, after its options were checked.
    #[must_use]
    pub fn trust(self, change: impl Fn(&mut TrustConfig) + Send + Sync + 'static) -> Self {
        Self {
            trust: Box::new(move |_, trust| change(trust)),
            ..self
        }
    }

    /// Starts everything, and waits until every proxy has every worker and the gateway lists the model.
    ///
    /// # Errors
    /// When a node cannot start, or they do not come together.
    pub async fn start(self) -> anyhow::Result<Network> {
        let network = self.start_at_once().await?;
        for proxy in 0..network.proxies.len() {
            network.wait_for_workers(proxy, network.workers.len()).await?;
        }
        if network.gateway.is_some() && !network.workers.is_empty() {
            network.wait_for_model("canned").await?;
        }
        Ok(network)
    }

    /// Starts everything, and waits for nothing.
    ///
    /// # Errors
    /// When a node cannot start.
    pub async fn start_at_once(self) -> anyhow::Result<Network> {
        let mut network = Network {
            proxies: Vec::new(),
            workers: Vec::new(),
            gateway: None,
            engines: Vec::new(),
        };
        for index in 0..self.proxies {
            let mut options = proxy_options();
            (self.proxy)(index, &mut options);
            let mut config = options.build()?;
            (self.trust)(index, &mut config.trust);
            network.proxies.push(ProxyNode::start(config).await?);
        }
        for index in 0..self.workers {
            let mut canned = CannedOptions::default();
            (self.engine)(index, &mut canned);
            let engine = CannedEngine::start(canned).await?;
            let proxies = network
                .proxies
                .iter()
                .map(|proxy| proxy.workers_addr().to_string());
            let mut options = worker_options(engine.url(), proxies.collect());
            (self.worker)(index, &mut options);
            network.engines.push(Some(engine));
            let mut config = options.build()?;
            (self.trust)(index, &mut config.trust);
            network.workers.push(WorkerNode::start(config).await?);
        }
        if self.gateway {
            let proxies = network
                .proxies
                .iter()
                .map(|proxy| proxy.clients_addr().to_string());
            let mut options = client_options(proxies.collect());
            (self.client)(0, &mut options);
            // Without a chain nothing can be sealed.
            let sealed = options.chain.is_some();
            options.allow_proxy_plaintext = options.allow_proxy_plaintext.or((!sealed).then_some(true));
            let mut config = options.build()?;
            (self.trust)(0, &mut config.trust);
            network.gateway = Some(GatewayNode::start(config).await?);
        }
        Ok(network)
    }
}

impl std::fmt::Debug for NetworkBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NetworkBuilder")
            .field("proxies", &self.proxies)
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}

fn any_port() -> Option<SocketAddr> {
    Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
}

fn proxy_options() -> cocoon_proxy::Options {
    cocoon_proxy::Options {
        listen_clients: any_port(),
        listen_workers: any_port(),
        admin: any_port(),
        is_test: Some(true),
        accept_simulated: Some(true),
        pow_difficulty: Some(0),
        drain_s: Some(2),
        ..cocoon_proxy::Options::default()
    }
}

fn worker_options(engine: String, proxies: Vec<String>) -> cocoon_worker::Options {
    cocoon_worker::Options {
        proxies,
        engine: Some(engine),
        // Named, so that the worker does not try them out: tests count what the engine is asked.
        endpoints: Endpoint::ALL.map(|endpoint| endpoint.path().to_owned()).to_vec(),
        admin: any_port(),
        is_test: Some(true),
        accept_simulated: Some(true),
        drain_s: Some(2),
        ..cocoon_worker::Options::default()
    }
}

fn client_options(proxies: Vec<String>) -> cocoon_client::Options {
    cocoon_client::Options {
        proxies,
        listen: any_port(),
        // The canned engine is somebody else's process to its worker, so that it serves at tier open.
        tier: Some("open+simulated".to_owned()),
        is_test: Some(true),
        accept_simulated: Some(true),
        drain_s: Some(2),
        ..cocoon_client::Options::default()
    }
}
