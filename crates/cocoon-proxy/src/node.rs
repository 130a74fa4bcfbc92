//! What all tasks of one proxy share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cocoon_link::{EnginePlace, Session};
use cocoon_trust::Trust;
use cocoon_types::{Address, ModelName, Tier, TierPolicy};
use tokio::{
    sync::{Semaphore, mpsc},
    time::{Instant, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker, task::task_tracker::TaskTrackerToken};

use crate::{
    accounting::{Books, Ledger, Statement},
    board::{Asker, Board, Slot},
    handshake::Expected,
    listing::Listing,
    metrics::{OpenGuard, ProxyMetrics},
    options::Config,
    original,
    sealed::{Record, Sealed},
    stated::{Book, Stated},
    teller::Teller,
};

/// A place at a worker.
pub(crate) type WorkerSlot = Slot<Arc<WorkerPeer>>;

/// How long a place stays taken after its worker said, against our count, that it is busy.
const REST: Duration = Duration::from_millis(500);
/// Places that rest at once; past that they are free at once, which costs a worker some more refusals.
const MAX_RESTING: usize = 1024;

/// The shared state of a proxy.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) board: Arc<Board<Arc<WorkerPeer>>>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) metrics: ProxyMetrics,
    pub(crate) limits: Limits,
    /// The lowest tier that serves the requests of the original's clients; `None` when its peers are refused.
    pub(crate) original_floor: Option<Tier>,
    /// Places for links to the original's peers.
    pub(crate) original_links: Arc<Semaphore>,
    /// What this proxy shows, whom it takes, and its clock's standing.
    pub(crate) trust: Trust,
    /// For sealed requests; none without payments, whose key signs offers.
    pub(crate) sealed: Option<Arc<Sealed>>,
    /// Sealed requests that may wait for the last of their candidates.
    pub(crate) sealed_line: Semaphore,
    /// What workers have stated.
    pub(crate) stated: Book,
    pub(crate) is_test: bool,
    pub(crate) accepts_simulated: bool,
    pub(crate) listing: Listing,
    /// New requests are refused once it is cancelled.
    pub(crate) draining: CancellationToken,
    /// What is still open is cut off, and the links are closed.
    pub(crate) stopped: CancellationToken,
    requests: TaskTracker,
    resting: mpsc::Sender<Resting>,
    clients: AtomicU64,
}

/// The bounds of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_timeout: Duration,
    pub(crate) queue_wait: Duration,
}

/// How a worker is reached, and what it said of itself.
#[derive(Debug)]
pub(crate) struct WorkerPeer {
    pub(crate) session: Session,
    /// Tells it of its earnings.
    pub(crate) teller: Teller,
    /// Whose money it earns.
    pub(crate) owner: Option<Address>,
    pub(crate) software: String,
    pub(crate) context_length: u32,
    pub(crate) engine: EnginePlace,
    /// What it did that it should not have.
    pub(crate) record: Record,
    /// What it has stated on this link.
    pub(crate) stated: Stated,
    pub(crate) since: Instant,
}

/// Frees places that rest, one after the other: they all rest equally long.
#[derive(Debug)]
pub(crate) struct RestRoom(mpsc::Receiver<Resting>);

#[derive(Debug)]
struct Resting {
    slot: WorkerSlot,
    until: Instant,
}

/// Counts one open request, for the metrics and for the drain.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    _counted: OpenGuard,
    _awaited: TaskTrackerToken,
}

// === impl Node ===

impl Node {
    pub(crate) fn new(
        config: &Config,
        trust: Trust,
        ledger: Arc<dyn Ledger>,
        sealed: Option<Sealed>,
    ) -> (Arc<Self>, RestRoom) {
        let (resting, rest_room) = mpsc::channel(MAX_RESTING);
        let board = Board::new(config.queue);
        let node = Self {
            metrics: ProxyMetrics::new(),
            board,
            ledger,
            limits: Limits {
                max_timeout: config.max_timeout,
                queue_wait: config.queue_wait,
            },
            original_floor: config.original_floor,
            original_links: Arc::new(Semaphore::new(original::MAX_LINKS)),
            trust,
            sealed: sealed.map(Arc::new),
            sealed_line: Semaphore::new(config.queue),
            stated: Book::default(),
            is_test: config.is_test,
            accepts_simulated: config.trust.accept_simulated,
            listing: Listing::default(),
            draining: CancellationToken::new(),
            stopped: CancellationToken::new(),
            requests: TaskTracker::new(),
            resting,
            clients: AtomicU64::new(0),
        };
        (Arc::new(node), RestRoom(rest_room))
    }

    /// Ends when a peer that comes now has to come again, because its account is at another contract. Never without payments.
    pub(crate) fn moved(&self) -> impl Future<Output = ()> + Send + use<> {
        or_never(self.ledger.books().map(Books::moved))
    }

    /// Ends when the network no longer allows this model. Never without a registry.
    pub(crate) fn disallowed(&self, model: &ModelName) -> impl Future<Output = ()> + Send + use<> {
        or_never(self.ledger.books().map(|books| books.disallowed(model)))
    }

    /// What a peer is to be told of its account; nothing but zeros where there is none.
    pub(crate) async fn statement(&self, party: Option<cocoon_accounting::Party>) -> Statement {
        let Some((books, party)) = self.ledger.books().zip(party) else {
            return Statement::default();
        };
        books.statement(party).await.ok().flatten().unwrap_or_default()
    }

    /// What a peer that comes now is held against.
    pub(crate) fn expected(&self) -> Expected {
        Expected {
            is_test: self.is_test,
            public_key: *self.trust.identity().get().public_key(),
            books: self.ledger.books().cloned(),
            original: self.original_policy(),
        }
    }

    /// The tiers that serve the requests of the original's clients, which know no tiers (docs/adr/0006).
    pub(crate) fn original_policy(&self) -> Option<TierPolicy> {
        let policy = TierPolicy::at_least(self.original_floor?);
        Some(if self.is_test && self.accepts_simulated {
            policy.and_simulated()
        } else {
            policy
        })
    }

    /// For the requests of a client that has come.
    pub(crate) fn new_asker(&self) -> Asker {
        Asker(self.clients.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    pub(crate) fn open_request(&self) -> OpenRequest {
        OpenRequest {
            _counted: self.metrics.open_request(),
            _awaited: self.requests.token(),
        }
    }

    /// Keeps a place taken for a moment: another proxy of the same worker fills it just now.
    pub(crate) fn rest(&self, slot: WorkerSlot) {
        let until = Instant::now() + REST;
        // A full room frees the place at once.
        let _ = self.resting.try_send(Resting { slot, until });
    }

    /// Refuses what comes, and waits for what runs.
    pub(crate) async fn drain(&self) {
        self.draining.cancel();
        self.requests.close();
        self.requests.wait().await;
    }
}

// === impl RestRoom ===

impl RestRoom {
    pub(crate) async fn run(mut self) {
        while let Some(Resting { slot, until }) = self.0.recv().await {
            sleep_until(until).await;
            drop(slot);
        }
    }
}

async fn or_never<F: Future<Output = ()>>(future: Option<F>) {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
