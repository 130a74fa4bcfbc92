//! The worker as a running thing: engine, links, admin listener, drain.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use cocoon_accounting::WorkerPolicy;
use cocoon_chain::{Purse, PurseError};
use cocoon_engine::{EngineKey, EngineKeyError, EngineOptions};
use cocoon_link::{LinkOptions, PowOptions};
use cocoon_seal::NoRandomness;
use cocoon_trust::{Peers, TeeChoice, Trust, TrustError};
use cocoon_types::Private;
use cocoon_web::{
    admin::{self, Health},
    clock::unix_now,
    guard::{Guard, GuardError, GuardOptions},
};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    earnings,
    engine::EngineWatch,
    legs,
    options::{Config, EngineChoice},
    pay::{self, Till},
    sealing::{self, Sealing},
    shop::Shop,
    stating, status,
};

/// A worker whose listener is bound; [`App::run`] makes it work.
#[derive(Debug)]
pub struct App {
    config: Config,
    shop: Arc<Shop>,
    engine: EngineWatch,
    links: Arc<LinkOptions>,
    admin: TcpListener,
    admin_addr: SocketAddr,
    guard: Guard,
}

/// Why a worker cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is nothing to present, or nothing to go by.
    #[error("this node's evidence and policies cannot be had")]
    Trust(#[from] TrustError),
    /// A file that the configuration names is not there.
    #[error("{key}: cannot read {path}")]
    File {
        /// The option that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The engine's key is not one.
    #[error("engine_key_file: {0}")]
    Key(#[source] EngineKeyError),
    /// The admin listener cannot be bound.
    #[error("admin: cannot listen on {addr}")]
    Admin {
        /// The address.
        addr: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The admin listener must not open like this.
    #[error("admin: {0}")]
    Guard(#[source] GuardError),
    /// No key of its own can be made.
    #[error("no key for receipts can be made")]
    Randomness(#[from] NoRandomness),
    /// The wallet or the registry cannot be used.
    #[error("the money of this network cannot be reached")]
    Purse(#[from] PurseError),
}

/// Why a worker ended by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A task that the worker cannot do without has ended.
    #[error("a task that the worker cannot do without ended: {0}")]
    Task(&'static str),
}

// === impl App ===

impl App {
    /// Binds the listener and makes the identity. The engine and the proxies may come later.
    ///
    /// # Errors
    /// [`StartError`] names what cannot be had.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let guard = Guard::new(
            config.admin,
            GuardOptions {
                state_dir: config.state_dir.clone(),
                ..GuardOptions::default()
            },
        )
        .map_err(StartError::Guard)?;
        if let EngineChoice::BuiltIn { model_file, .. } = &config.engine {
            let found = tokio::fs::metadata(model_file).await;
            found.map_err(|source| StartError::File {
                key: "model_file",
                path: model_file.clone(),
                source,
            })?;
        }
        let engine_options = EngineOptions {
            key: engine_key(&config).await?,
            ..EngineOptions::default()
        };
        let trust = Trust::start(&config.trust, "worker", config.purse.as_ref(), unix_now).await?;
        let proxies = Peers::Proxies { or_open: false };
        let links = trust.link_options(proxies).with_pow(PowOptions {
            max_difficulty: config.max_pow,
            ..PowOptions::default()
        });
        let on_admin = |source| StartError::Admin {
            addr: config.admin,
            source,
        };
        let admin = TcpListener::bind(config.admin).await.map_err(on_admin)?;
        let admin_addr = admin.local_addr().map_err(on_admin)?;
        let (engine, view, suspicion) = EngineWatch::new(&config, engine_options);
        let till = match &config.purse {
            None => None,
            Some(options) => {
                let purse = Arc::new(Purse::open(options).await?);
                let owner = config.owner.unwrap_or_else(|| purse.address());
                let policy = WorkerPolicy::default();
                Some(Till { purse, owner, policy })
            }
        };
        let sealing = Sealing::new()?;
        let shop = Shop::new(&config, trust, view, suspicion, till, sealing);
        Ok(Self {
            config,
            shop,
            engine,
            links: Arc::new(links),
            admin,
            admin_addr,
            guard,
        })
    }

    /// Where `/health`, `/metrics` and `/status` are.
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin_addr
    }

    /// Works until `shutdown`; then announces itself as disabled, lets running requests end within the grace, closes its
    /// links and ends an engine that it started.
    ///
    /// # Errors
    /// [`RunError`] when a task that the worker cannot do without has ended.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), RunError> {
        if matches!(self.config.trust.tee, TeeChoice::None) {
            tracing::warn!(
                "this worker shows no evidence (tee): only a test network without a registry takes it, at tier open"
            );
        }
        let shop = self.shop;
        let mut tasks: JoinSet<&'static str> = JoinSet::new();
        let stopped = shop.stopped.clone();
        tasks.spawn(async move {
            self.engine.run(stopped).await;
            "engine"
        });
        for proxy in self.config.proxies {
            let leg = legs::keep(Arc::clone(&shop), Arc::clone(&self.links), proxy);
            tasks.spawn(async move {
                leg.await;
                "link to a proxy"
            });
        }
        if let Some(till) = &shop.till {
            let keep = pay::keep(Arc::clone(&shop), Arc::clone(&till.purse));
            let stopped = shop.stopped.clone();
            tasks.spawn(async move {
                tokio::select! {
                    () = keep => {}
                    () = stopped.cancelled() => {}
                }
                "pay"
            });
        }
        let (kept, stopped) = (Arc::clone(&shop), shop.stopped.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = kept.trust.keep() => {}
                () = stopped.cancelled() => {}
            }
            "trust"
        });
        let (stating, engine) = (Arc::clone(&shop), self.config.engine.clone());
        tasks.spawn(async move {
            let stopped = stating.stopped.clone();
            tokio::select! {
                () = stating::keep(stating, engine) => {}
                () = stopped.cancelled() => {}
            }
            "statement"
        });
        let (sealed, stopped) = (Arc::clone(&shop), shop.stopped.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = sealing::keep(&sealed) => {}
                () = stopped.cancelled() => {}
            }
            "sealing keys"
        });
        tasks.spawn(serve_admin(Arc::clone(&shop), self.admin, self.guard));
        let ended = tokio::select! {
            () = shutdown.cancelled() => None,
            ended = tasks.join_next() => Some(ended.and_then(Result::ok).unwrap_or("it panicked")),
        };
        if timeout(self.config.drain, shop.drain()).await.is_err() {
            tracing::warn!(
                running = shop.running(),
                "requests still running after the drain are cut off"
            );
        }
        shop.stopped.cancel();
        // Links close, the built-in engine ends; it has a grace of its own, after which it is killed.
        while tasks.join_next().await.is_some() {}
        ended.map_or(Ok(()), |task| Err(RunError::Task(task)))
    }
}

async fn serve_admin(shop: Arc<Shop>, listener: TcpListener, guard: Guard) -> &'static str {
    let asked = Arc::clone(&shop);
    let health = Arc::new(move || Health {
        ready: asked.is_enabled() && asked.metrics.links() > 0,
        detail: json!({
            "engine": asked.engine.borrow().ready,
            "proxies": asked.metrics.links(),
            "clock": asked.trust.clock_fault().map(|fault| fault.to_string()),
        }),
    });
    let stopped = shop.stopped.clone();
    let routes = admin::router(health, shop.metrics.registry.clone())
        .merge(earnings::routes(Arc::clone(&shop)))
        .merge(status::routes(shop));
    admin::serve_with(listener, guard, routes, stopped).await;
    "admin listener"
}

async fn engine_key(config: &Config) -> Result<Option<EngineKey>, StartError> {
    let Some(path) = &config.engine_key_file else {
        return Ok(None);
    };
    let text = tokio::fs::read_to_string(path)
        .await
        .map_err(|source| StartError::File {
            key: "engine_key_file",
            path: path.clone(),
            source,
        })?;
    EngineKey::new(&Private::new(text))
        .map(Some)
        .map_err(StartError::Key)
}
