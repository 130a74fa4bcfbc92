//! The links to the configured proxies: kept up, and chosen from.

mod handshake;
mod models;
mod target;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use cocoon_accounting::ClientPolicy;
use cocoon_attest::VerifiedPeer;
use cocoon_chain::Purse;
use cocoon_link::{Link, LinkOptions, Session};
use cocoon_original::Bridge;
use cocoon_seal::Receipt;
use cocoon_tl::{TlObject as _, TlString, v3};
use cocoon_trust::Trust;
use cocoon_types::{Fault, Refusal, Tier, TierPolicy};
use futures_util::FutureExt as _;
use tokio::task::JoinSet;

use crate::{
    account::Account,
    metrics::GatewayMetrics,
    receipts::{Disagreement, Receipts},
    sealed::Board,
};
pub(crate) use models::{Model, Models};

/// The links to all configured proxies.
#[derive(Debug)]
pub(crate) struct Links {
    targets: Vec<Arc<Target>>,
    /// Where the next choice begins, so that equals take turns.
    turn: AtomicUsize,
    models: models::Cache,
}

/// One configured proxy and the link to it, if there is one.
#[derive(Debug)]
struct Target {
    addr: String,
    live: Mutex<Option<Arc<Live>>>,
}

/// A session that takes requests.
#[derive(Debug)]
struct Live {
    addr: Arc<str>,
    session: Session,
    open: AtomicUsize,
    /// What pays for them.
    account: Option<Arc<Account>>,
    /// Between us and a proxy of protocol 2 or less, which reads them all.
    bridge: Option<Bridge>,
    /// Whom requests are sealed for; without it the proxy reads them.
    board: Option<Arc<Board>>,
    /// The operator lets proxies read requests.
    allow_plaintext: bool,
    /// The link to the proxy itself.
    outer: Link,
}

/// Who pays for requests.
#[derive(Clone, Debug)]
pub(crate) struct Money {
    pub(crate) purse: Arc<Purse>,
    pub(crate) policy: ClientPolicy,
}

/// What all links share.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    pub(crate) is_test: bool,
    /// Proxies may read requests: those of protocol 2 or less, and all where there is no chain.
    pub(crate) allow_plaintext: bool,
    pub(crate) money: Option<Money>,
    pub(crate) trust: Arc<Trust>,
    pub(crate) receipts: Arc<Receipts>,
    pub(crate) metrics: GatewayMetrics,
}

/// A chosen link, counted as in use until this is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Which proxy; for [`Links::pick`]'s `tried`.
    pub(crate) index: usize,
    live: Arc<Live>,
}

// === impl Links ===

impl Links {
    /// Starts to dial every proxy; the tasks live in `tasks` and keep the links up until they are dropped.
    pub(crate) fn start(
        proxies: Vec<String>,
        options: LinkOptions,
        common: &Common,
        tasks: &mut JoinSet<()>,
    ) -> Arc<Self> {
        let options = Arc::new(options);
        let targets: Vec<_> = proxies
            .into_iter()
            .map(|addr| {
                Arc::new(Target {
                    addr,
                    live: Mutex::new(None),
                })
            })
            .collect();
        for target in &targets {
            let keeper = target::Keeper {
                target: Arc::clone(target),
                options: Arc::clone(&options),
                common: common.clone(),
            };
            tasks.spawn(keeper.run());
        }
        Arc::new(Self {
            targets,
            turn: AtomicUsize::new(0),
            models: models::Cache::new(),
        })
    }

    /// How many proxies are configured.
    pub(crate) fn count(&self) -> usize {
        self.targets.len()
    }

    /// How many links take requests.
    pub(crate) fn up(&self) -> usize {
        self.live().count()
    }

    /// The least loaded link to a proxy of an acceptable tier that is not in `tried`; equals take turns.
    ///
    /// # Errors
    /// [`Fault::NoWorker`] when no proxy is connected, [`Fault::TierUnavailable`] when none is acceptable.
    pub(crate) fn pick(&self, tier: TierPolicy, tried: &[usize]) -> Result<Slot, Refusal> {
        let count = self.targets.len().max(1);
        // A second choice takes no turn: with two proxies, one of them failing, it would always come first again.
        let turn = self
            .turn
            .fetch_add(usize::from(tried.is_empty()), Ordering::Relaxed);
        let mut best: Option<(usize, Slot)> = None;
        let mut unacceptable = false;
        for (index, live) in self.live() {
            if tried.contains(&index) {
                continue;
            }
            if live.admit(tier).is_err() {
                unacceptable = true;
                continue;
            }
            // Fewest open requests first, then whose turn it is.
            let rank = live.open.load(Ordering::Relaxed) * count + (index + count - turn % count) % count;
            if best.as_ref().is_none_or(|(least, _)| rank < *least) {
                best = Some((rank, Slot::new(index, live)));
            }
        }
        match best {
            Some((_, slot)) => Ok(slot),
            None if unacceptable => Err(Refusal::new(
                Fault::TierUnavailable,
                format!("no connected proxy has a tier that the request accepts ({tier})"),
            )),
            None => Err(Refusal::new(
                Fault::NoWorker,
                "no proxy is connected (hint: GET /health, and `cocoon doctor` on the gateway's machine)",
            )),
        }
    }

    /// The accounts at the proxies that are linked, with the proxies' addresses.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = (&str, Arc<Account>)> {
        self.targets
            .iter()
            .filter_map(|target| Some((target.addr.as_str(), target.live()?.account.clone()?)))
    }

    /// What the linked proxies offer, with their addresses.
    pub(crate) fn boards(&self) -> impl Iterator<Item = (&str, Arc<Board>, Link)> {
        self.targets.iter().filter_map(|target| {
            let live = target.live()?;
            let board = live.board.clone()?;
            Some((target.addr.as_str(), board, live.session.link().clone()))
        })
    }

    /// The models of all proxies, at most two seconds old.
    pub(crate) async fn models(&self) -> Arc<Models> {
        let lives: Vec<_> = self.live().map(|(_, live)| live).collect();
        self.models.get(lives).await
    }

    fn live(&self) -> impl Iterator<Item = (usize, Arc<Live>)> {
        self.targets
            .iter()
            .enumerate()
            .filter_map(|(index, target)| Some((index, target.live()?)))
    }
}

// === impl Live ===

impl Live {
    /// Whether the body of a request that accepts `tier` may be handed to this peer.
    ///
    /// What is sealed past it, a proxy carries whatever its tier. What it reads goes only where the operator said so by name, and
    /// its own tier must be acceptable, for which it counts as [`readable`]. Of the workers of a proxy of protocol 2 or less
    /// nothing is known (docs/adr/0006).
    fn admit(&self, tier: TierPolicy) -> Result<(), Refusal> {
        if self.is_sealed() {
            return Ok(());
        }
        let peer = readable(self.session.link().peer().tier());
        let message = if !self.allow_plaintext {
            "requests cannot be sealed past this proxy, which would read them: the network has no chain (hint: `chain` and `root`, \
             or allow_proxy_plaintext)"
                .to_owned()
        } else if !tier.accepts(peer) {
            format!("the proxy would read the request and is {peer} for that; the request accepts {tier}")
        } else if self.is_plaintext() && !tier.accepts(Tier::Open) {
            format!("the proxy speaks protocol 2 or less, which is tier open; the request accepts {tier}")
        } else {
            return Ok(());
        };
        Err(Refusal::new(Fault::TierUnavailable, message))
    }

    fn is_plaintext(&self) -> bool {
        self.bridge.is_some()
    }

    fn is_sealed(&self) -> bool {
        self.board.is_some()
    }
}

/// What a tier is worth to a request that the proxy reads: somebody else than the client can, so that it is never
/// `confidential`.
pub(crate) fn readable(tier: Tier) -> Tier {
    match tier {
        Tier::Confidential => Tier::Attested,
        tier => tier,
    }
}

// === impl Target ===

impl Target {
    /// The session, if it is up.
    fn live(&self) -> Option<Arc<Live>> {
        self.lock()
            .as_ref()
            .filter(|live| !live.session.link().is_closed())
            .cloned()
    }

    fn set(&self, live: Arc<Live>) {
        *self.lock() = Some(live);
    }

    /// Whether new requests go to this session.
    fn offers(&self, live: &Arc<Live>) -> bool {
        self.lock()
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, live))
    }

    /// Gives new requests to this session no longer.
    fn withdraw(&self, live: &Arc<Live>) {
        let mut current = self.lock();
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, live)) {
            *current = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Live>>> {
        // The only change is one assignment; a panic elsewhere cannot leave it half done.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Slot ===

impl Slot {
    fn new(index: usize, live: Arc<Live>) -> Self {
        live.open.fetch_add(1, Ordering::Relaxed);
        Self { index, live }
    }

    pub(crate) fn session(&self) -> &Session {
        &self.live.session
    }

    /// What pays at this proxy.
    pub(crate) fn account(&self) -> Option<&Arc<Account>> {
        self.live.account.as_ref()
    }

    /// Tells the proxy that a worker's receipt disagrees with what we know; it counts that against the worker. Best effort.
    pub(crate) fn dispute(&self, receipt: &Receipt, disagreement: &Disagreement) {
        let dispute = v3::Dispute {
            leaf: receipt.leaf().0,
            field: TlString::from_static(disagreement.field),
            expected: Bytes::copy_from_slice(disagreement.expected.as_bytes()),
            receipt: receipt.encode().into(),
        };
        // A link that has no room for it at once goes without.
        let sent = self.live.session.link().send(dispute.to_boxed()).now_or_never();
        if !matches!(sent, Some(Ok(()))) {
            tracing::warn!(receipt = %receipt.leaf(), "the proxy was not told of a dispute");
        }
    }

    /// Whether the body of a request that accepts `tier` may be handed to this proxy.
    ///
    /// # Errors
    /// [`Fault::TierUnavailable`].
    pub(crate) fn admit(&self, tier: TierPolicy) -> Result<(), Refusal> {
        self.live.admit(tier)
    }

    /// Whom requests are sealed for; nothing where the proxy reads them.
    pub(crate) fn board(&self) -> Option<&Arc<Board>> {
        self.live.board.as_ref()
    }

    /// The proxy's address, as it was configured.
    pub(crate) fn proxy(&self) -> Arc<str> {
        Arc::clone(&self.live.addr)
    }

    /// Whether the proxy's protocol is 2 or less, of which nothing else is known.
    pub(crate) fn is_plaintext(&self) -> bool {
        self.live.is_plaintext()
    }

    /// Who is at the other end of the link.
    pub(crate) fn peer(&self) -> &VerifiedPeer {
        self.live.session.link().peer()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.live.open.fetch_sub(1, Ordering::Relaxed);
    }
}
