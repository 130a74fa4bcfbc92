//! The proxy as a running thing: listeners, tasks, drain.

mod payments;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use cocoon_chain::{HttpChainError, wallet_file::WalletFileError};
use cocoon_contracts::KeyError;
use cocoon_link::{Inbox, Link, ListenError, Listener, PowOptions};
use cocoon_seal::SigningKey;
use cocoon_trust::{Peers, Trust, TrustError};
use cocoon_web::{
    admin::{self, Health},
    clock::unix_now,
    guard::{Guard, GuardError, GuardOptions},
    keys::state_file,
};
use serde_json::json;
use tokio::{
    net::TcpListener,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    accounting::{Bookkeeper, BooksError, Ledger, Payments, PaymentsError, Unpaid},
    clients,
    node::{Node, RestRoom},
    options::Config,
    sealed::{LastEpoch, Sealed},
    statement, status, workers,
};

/// A proxy whose listeners are bound; [`App::run`] makes it work.
#[derive(Debug)]
pub struct App {
    config: Config,
    node: Arc<Node>,
    rest_room: RestRoom,
    clients: Listener,
    workers: Listener,
    admin: TcpListener,
    admin_addr: SocketAddr,
    guard: Guard,
    /// Keeps the accounts; none in a network without payments.
    bookkeeper: Option<Bookkeeper>,
}

/// Why a proxy cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is nothing to present, or nothing to go by.
    #[error("this node's evidence and policies cannot be had")]
    Trust(#[from] TrustError),
    /// A listener of the network cannot be bound.
    #[error("{key}: cannot listen on {addr}")]
    Listen {
        /// The option that names the address.
        key: &'static str,
        /// The address.
        addr: SocketAddr,
        /// What the system said.
        #[source]
        source: ListenError,
    },
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
    /// No chain to speak to.
    #[error("chain: it cannot be used")]
    Chain(#[from] HttpChainError),
    /// No wallet.
    #[error("wallet_file: it cannot be used")]
    Wallet(#[from] WalletFileError),
    /// Accounts were given up again and again.
    #[error("state_dir: its accounts were given up {0} times (hint: a new wallet, or another state_dir)")]
    GivenUp(u32),
    /// No key to sign payments with.
    #[error("the key that signs payments cannot be made")]
    Key(#[from] KeyError),
    /// The key that signs payments signs no offers.
    #[error("the key that signs payments cannot sign offers")]
    SealingKey,
    /// The accounts cannot be opened.
    #[error("the accounts cannot be opened")]
    Payments(#[from] PaymentsError),
}

/// Why a proxy ended by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A task that the proxy cannot do without has ended.
    #[error("a task that the proxy cannot do without ended: {0}")]
    Task(&'static str),
    /// The accounts cannot go on.
    #[error("the accounts cannot go on")]
    Books(#[from] BooksError),
}

/// Between two looks at the lines: much shorter than any scrape.
const LINES_EVERY: Duration = Duration::from_secs(1);

/// Largest frame that a peer may send: a piece of 64 KiB and its head, several times over. Protocol 3 needs no more, and
/// anybody can make us hold one such frame for each link that it opens.
const LARGEST_FRAME: usize = 256 * 1024;

/// For the last words of all links after the drain.
const CLOSING: Duration = Duration::from_secs(3);

// === impl App ===

impl App {
    /// Binds every listener. Nobody is served before [`App::run`].
    ///
    /// # Errors
    /// [`StartError`] names what cannot be had.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let Some(money) = &config.money else {
            return Self::start_with(config, Arc::new(Unpaid)).await;
        };
        let payments = payments::open(money, config.state_dir.clone()).await?;
        let sealed = sealed(&payments, &config).await?;
        let opening = Bookkeeper::open(payments, config.is_test, unix_now);
        let (bookkeeper, books) = Box::pin(opening).await?;
        let mut app = Box::pin(Self::start_for(config, Arc::new(books), Some(sealed))).await?;
        app.bookkeeper = Some(bookkeeper);
        Ok(app)
    }

    /// As [`App::start`], with other accounts than [`Unpaid`].
    ///
    /// # Errors
    /// [`StartError`] names what cannot be had.
    pub async fn start_with(config: Config, ledger: Arc<dyn Ledger>) -> Result<Self, StartError> {
        Self::start_for(config, ledger, None).await
    }

    async fn start_for(
        config: Config,
        ledger: Arc<dyn Ledger>,
        sealed: Option<Sealed>,
    ) -> Result<Self, StartError> {
        let guard = Guard::new(
            config.admin,
            GuardOptions {
                state_dir: config.state_dir.clone(),
                ..GuardOptions::default()
            },
        )
        .map_err(StartError::Guard)?;
        let registry = config.money.as_ref().map(|money| &money.purse);
        let trust = Trust::start(&config.trust, "proxy", registry, unix_now).await?;
        let clients = listen(
            "listen_clients",
            config.listen_clients,
            &config,
            &trust,
            Peers::Clients,
        )
        .await?;
        let workers = listen(
            "listen_workers",
            config.listen_workers,
            &config,
            &trust,
            Peers::Workers,
        )
        .await?;
        let on_admin = |source| StartError::Admin {
            addr: config.admin,
            source,
        };
        let admin = TcpListener::bind(config.admin).await.map_err(on_admin)?;
        let admin_addr = admin.local_addr().map_err(on_admin)?;
        let (node, rest_room) = Node::new(&config, trust, ledger, sealed);
        Ok(Self {
            config,
            node,
            rest_room,
            clients,
            workers,
            admin,
            admin_addr,
            guard,
            bookkeeper: None,
        })
    }

    /// Where clients dial.
    pub fn clients_addr(&self) -> SocketAddr {
        self.clients.local_addr()
    }

    /// Where workers dial.
    pub fn workers_addr(&self) -> SocketAddr {
        self.workers.local_addr()
    }

    /// Where `/health`, `/metrics`, `/status` and `/explain` are.
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin_addr
    }

    /// Serves until `shutdown`; then refuses new requests, lets the open ones end within the grace, and closes.
    ///
    /// # Errors
    /// [`RunError`] when a task that the proxy cannot do without has ended.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), RunError> {
        let node = self.node;
        let stopped = node.stopped.clone();
        // Those that end when the proxy stops, and those that never do.
        let (mut doors, mut chores) = (JoinSet::new(), JoinSet::new());
        let (clients, workers) = (Arc::clone(&node), Arc::clone(&node));
        let max_links = self.config.max_links;
        doors.spawn(accept(
            "clients",
            self.clients,
            max_links,
            stopped.clone(),
            move |link, inbox| clients::serve(Arc::clone(&clients), link, inbox),
        ));
        doors.spawn(accept(
            "workers",
            self.workers,
            max_links,
            stopped.clone(),
            move |link, inbox| workers::serve(Arc::clone(&workers), link, inbox),
        ));
        chores.spawn(async move {
            self.rest_room.run().await;
            "resting places"
        });
        chores.spawn(watch_lines(Arc::clone(&node)));
        if let Some(sealed) = node.sealed.clone() {
            chores.spawn(async move {
                sealed.receipts.run().await;
                "receipts"
            });
        }
        let kept = Arc::clone(&node);
        chores.spawn(async move {
            kept.trust.keep().await;
            "trust"
        });
        doors.spawn(serve_admin(
            Arc::clone(&node),
            self.admin,
            self.guard,
            stopped.clone(),
        ));
        // The accounts outlive everything that they are asked by.
        let closed_books = CancellationToken::new();
        let mut books = JoinSet::new();
        if let Some(bookkeeper) = self.bookkeeper {
            books.spawn(bookkeeper.run(closed_books.clone()));
        }
        let mut failed = None;
        let ended = tokio::select! {
            Some(kept) = books.join_next() => {
                failed = kept.ok().and_then(Result::err);
                Some("accounts")
            }
            () = shutdown.cancelled() => None,
            ended = doors.join_next() => Some(ended.and_then(Result::ok).unwrap_or("it panicked")),
            ended = chores.join_next() => Some(ended.and_then(Result::ok).unwrap_or("it panicked")),
        };
        if timeout(self.config.drain, node.drain()).await.is_err() {
            tracing::warn!(
                open = node.metrics.open_requests(),
                "requests still open after the drain are cut off"
            );
        }
        stopped.cancel();
        // Links say their last words and close; what then still lives is ended.
        let closed = async { while doors.join_next().await.is_some() {} };
        if timeout(CLOSING, closed).await.is_err() {
            tracing::warn!("links that did not close in time are cut off");
        }
        doors.shutdown().await;
        chores.shutdown().await;
        closed_books.cancel();
        while let Some(kept) = books.join_next().await {
            failed = kept.ok().and_then(Result::err).or(failed);
        }
        if let Some(error) = failed {
            return Err(error.into());
        }
        ended.map_or(Ok(()), |task| Err(RunError::Task(task)))
    }
}

/// The key of the payments signs offers too.
async fn sealed(payments: &Payments, config: &Config) -> Result<Sealed, StartError> {
    let key = SigningKey::from_seed(payments.key.seed()).ok_or(StartError::SealingKey)?;
    let file = state_file(config.state_dir.clone(), "offers-epoch");
    Ok(Sealed::new(key, LastEpoch::open(file, unix_now()).await))
}

/// Takes links as they come, each in a task of its own.
async fn accept<F, S>(
    name: &'static str,
    mut listener: Listener,
    max_links: usize,
    stopped: CancellationToken,
    serve: F,
) -> &'static str
where
    F: Fn(Link, Inbox) -> S,
    S: Future<Output = ()> + Send + 'static,
{
    let mut links = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = links.join_next() => {}
            () = stopped.cancelled() => break,
            (link, inbox) = listener.accept() => {
                if links.len() < max_links {
                    links.spawn(serve(link, inbox));
                } else {
                    tracing::warn!(listener = name, max_links, "too many links, one was turned away");
                    link.close("too many links");
                }
            }
        }
    }
    drop(listener);
    while links.join_next().await.is_some() {}
    name
}

/// Shows the length of the lines in the metrics.
async fn watch_lines(node: Arc<Node>) -> &'static str {
    loop {
        sleep(LINES_EVERY).await;
        node.metrics
            .waiting
            .set(i64::try_from(node.board.waiting()).unwrap_or(i64::MAX));
    }
}

async fn serve_admin(
    node: Arc<Node>,
    listener: TcpListener,
    guard: Guard,
    stopped: CancellationToken,
) -> &'static str {
    let asked = Arc::clone(&node);
    let health = Arc::new(move || Health {
        ready: !asked.is_draining() && asked.trust.clock_fault().is_none(),
        detail: json!({
            "workers": asked.board.view(|table, _| table.workers().count()),
            "clock": asked.trust.clock_fault().map(|fault| fault.to_string()),
        }),
    });
    let routes = admin::router(health, node.metrics.registry.clone())
        .merge(statement::routes(Arc::clone(&node)))
        .merge(status::routes(node));
    admin::serve_with(listener, guard, routes, stopped).await;
    "admin listener"
}

async fn listen(
    key: &'static str,
    addr: SocketAddr,
    config: &Config,
    trust: &Trust,
    peers: Peers,
) -> Result<Listener, StartError> {
    let options = trust.link_options(peers).with_pow(PowOptions {
        difficulty: config.pow_difficulty,
        ..PowOptions::default()
    });
    let options = options.with_largest_frame(LARGEST_FRAME);
    let bound = Listener::bind(addr, Arc::new(options)).await;
    bound.map_err(|source| StartError::Listen { key, addr, source })
}

#[cfg(test)]
mod tests;
