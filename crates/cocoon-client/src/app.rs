use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use cocoon_accounting::ClientPolicy;
use cocoon_chain::{Purse, PurseError};
use cocoon_link::PowOptions;
use cocoon_trust::{Peers, Trust, TrustError};
use cocoon_types::Tier;
use cocoon_web::{
    ServeOptions,
    admin::Health,
    clock::unix_now,
    guard::{Guard, GuardError, GuardOptions},
    keys::{SpendingError, default_dir},
    serve,
};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    Config,
    allowance::Allowances,
    http::{self, Budget, Gateway, Limits},
    idempotency::{Answers, TIME_TO_LIVE},
    links::{Common, Links, Money},
    metrics::GatewayMetrics,
    receipts::Receipts,
};

/// A gateway whose address is bound and whose links are being dialled.
pub struct App {
    listener: TcpListener,
    api_addr: SocketAddr,
    gateway: Arc<Gateway>,
    drain: Duration,
    /// Keeps the links up; they end when it is dropped.
    tasks: JoinSet<()>,
}

/// The gateway could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The listener must not open like this.
    #[error("the API cannot be served at this address")]
    Guard(#[from] GuardError),
    /// There is nothing to present, or nothing to go by.
    #[error("this node's evidence and policies cannot be had")]
    Trust(#[from] TrustError),
    /// The wallet or the registry cannot be used.
    #[error("the money of this network cannot be reached")]
    Purse(#[from] PurseError),
    /// What API keys have spent is not known.
    #[error("the limits of API keys cannot be kept")]
    Spending(#[from] SpendingError),
    /// There is nobody to send requests to.
    #[error("proxies: none is named, and the registry has none (hint: --proxy HOST:PORT)")]
    NoProxy,
    /// The address is taken or not ours.
    #[error("{addr} cannot be listened on")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// The gateway ended other than by its shutdown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A task that keeps a link has ended, which none does.
    #[error("a task that keeps a link has ended")]
    LinkTask,
}

/// How long a request's body may take (spec/network.md 6.11).
const BODY_DEADLINE: Duration = Duration::from_secs(60);

// === impl App ===

impl App {
    /// Checks the door, makes an identity, binds the address, begins to dial.
    ///
    /// # Errors
    /// [`StartError`]; then nothing is bound and nothing runs.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let guard = Guard::new(
            config.listen,
            GuardOptions {
                state_dir: config.state_dir.clone(),
                api_keys: config.api_keys,
                allowed_origins: config.allowed_origins.clone(),
            },
        )?;
        let allowances = if guard.requires_key() {
            let dir = config.state_dir.clone().or_else(default_dir).unwrap_or_default();
            Some(Allowances::open(&dir)?)
        } else {
            None
        };
        let trust = Trust::start(&config.trust, "client", config.purse.as_ref(), unix_now).await?;
        // Whom we link to is the wider question; whether a request goes there is asked for each request.
        let peers = Peers::Proxies {
            or_open: config.tier.floor() == Tier::Open,
        };
        let options = trust.link_options(peers).with_pow(PowOptions {
            max_difficulty: config.max_pow_difficulty,
            ..PowOptions::default()
        });
        let trust = Arc::new(trust);
        let addr = config.listen;
        let listen = |source| StartError::Listen { addr, source };
        let listener = TcpListener::bind(addr).await.map_err(listen)?;
        let api_addr = listener.local_addr().map_err(listen)?;
        let metrics = GatewayMetrics::new();
        let receipts = Arc::new(Receipts::new(config.keep_receipts, config.max_receipts));
        let mut tasks = JoinSet::new();
        let money = match &config.purse {
            None => None,
            Some(options) => Some(Money {
                purse: Arc::new(Purse::open(options).await?),
                policy: ClientPolicy {
                    top_up: config.top_up,
                    auto_top_up: config.auto_top_up,
                },
            }),
        };
        let proxies = proxies(config.proxies, money.as_ref())?;
        let common = Common {
            is_test: config.is_test,
            allow_plaintext: config.allow_proxy_plaintext,
            money: money.clone(),
            trust: Arc::clone(&trust),
            receipts: Arc::clone(&receipts),
            metrics: metrics.clone(),
        };
        let links = Links::start(proxies, options, &common, &mut tasks);
        let kept = Arc::clone(&trust);
        tasks.spawn(async move { kept.keep().await });
        if let Some(allowances) = &allowances {
            tasks.spawn(Arc::clone(allowances).keep());
        }
        let gateway = Gateway {
            guard,
            allowances,
            links,
            trust,
            purse: money.map(|money| money.purse),
            metrics,
            answers: Answers::new(TIME_TO_LIVE),
            receipts: Arc::clone(&receipts),
            budget: Budget::new(Budget::DEFAULT),
            limits: Limits {
                max_body_bytes: config.max_body_bytes,
                body_deadline: BODY_DEADLINE,
                timeout: config.timeout,
                max_timeout: config.max_timeout,
                tier: config.tier,
                max_coefficient: config.max_coefficient,
                accept_simulated: config.trust.accept_simulated,
                seal: config.seal,
            },
        };
        Ok(Self {
            listener,
            api_addr,
            gateway: Arc::new(gateway),
            drain: config.drain,
            tasks,
        })
    }

    /// Where the API is served; the port is real even if 0 was asked for.
    pub fn api_addr(&self) -> SocketAddr {
        self.api_addr
    }

    /// Whether requests can be served, as `/health` tells it.
    pub fn health(&self) -> Health {
        self.gateway.health()
    }

    /// Serves until `shutdown`; then takes nothing new, lets open requests end within the grace, and closes the links.
    ///
    /// # Errors
    /// [`RunError`] when a part of the gateway ended by itself.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), RunError> {
        let Self {
            listener,
            gateway,
            drain,
            mut tasks,
            ..
        } = self;
        let options = ServeOptions {
            drain,
            ..ServeOptions::default()
        };
        let allowances = gateway.allowances.clone();
        let stop = shutdown.child_token();
        let mut serving = std::pin::pin!(serve(http::router(gateway), listener, options, stop.clone()));
        let ended = tokio::select! {
            () = &mut serving => Ok(()),
            Some(_) = tasks.join_next() => Err(RunError::LinkTask),
        };
        if ended.is_err() {
            stop.cancel();
            serving.await;
        }
        tasks.shutdown().await;
        if let Some(allowances) = allowances {
            allowances.write().await;
        }
        ended
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("api_addr", &self.api_addr)
            .finish_non_exhaustive()
    }
}

/// Those that are named, else those of the registry.
fn proxies(named: Vec<String>, money: Option<&Money>) -> Result<Vec<String>, StartError> {
    let proxies = match money {
        Some(money) if named.is_empty() => money
            .purse
            .registry()
            .proxies
            .iter()
            .map(|proxy| proxy.clients.clone())
            .collect(),
        _ => named,
    };
    if proxies.is_empty() {
        return Err(StartError::NoProxy);
    }
    Ok(proxies)
}
