//! What all tasks of one worker share.

use std::collections::BTreeMap;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};
use std::{pin::pin, time::Duration};

use cocoon_link::EnginePlace;
use cocoon_trust::{TeeChoice, Trust};
use cocoon_types::{Coefficient, Fault, Refusal, Tier};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use crate::{
    engine::{EngineView, Served},
    metrics::WorkerMetrics,
    options::Config,
    pay::{Pay, Till},
    sealing::Sealing,
    stating::Stating,
};

/// The shared state of a worker.
#[derive(Debug)]
pub(crate) struct Shop {
    /// What this worker shows, whom it takes, and its clock's standing.
    pub(crate) trust: Trust,
    pub(crate) is_test: bool,
    pub(crate) coefficient: Coefficient,
    /// The tier of this machine's own evidence without its statement, for an engine that the worker started.
    pub(crate) own_tier: Tier,
    /// This worker's statement.
    pub(crate) stating: Stating,
    /// What it opens, seals and signs.
    pub(crate) sealing: Sealing,
    pub(crate) proxies: usize,
    /// Where the worker is paid from; none in a network without payments.
    pub(crate) till: Option<Till>,
    /// The accounts at the proxies that this worker has worked for, by the proxy's address.
    pays: Mutex<BTreeMap<String, Arc<Pay>>>,
    /// A person wants the pay taken now.
    pub(crate) payday: Notify,
    pub(crate) max_timeout: Duration,
    pub(crate) metrics: WorkerMetrics,
    /// The engine as it is now.
    pub(crate) engine: watch::Receiver<EngineView>,
    /// Somebody has reason to believe that the engine is not well.
    pub(crate) suspicion: Arc<Notify>,
    /// Announced as disabled, new requests refused.
    pub(crate) draining: CancellationToken,
    /// The links are to be closed.
    pub(crate) stopped: CancellationToken,
    places: Arc<Places>,
    requests: TaskTracker,
}

/// The right to run one request; dropping it gives the place back.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Places>);

#[derive(Debug, Default)]
struct Places {
    running: AtomicUsize,
    freed: Notify,
}

/// How long a request may wait for a place. A proxy hears of the end of a request, or decides to cancel it, a moment
/// before the place is free here; a refusal then would cost the next request a detour.
const PATIENCE: Duration = Duration::from_millis(250);

// === impl Shop ===

impl Shop {
    pub(crate) fn new(
        config: &Config,
        trust: Trust,
        engine: watch::Receiver<EngineView>,
        suspicion: Arc<Notify>,
        till: Option<Till>,
        sealing: Sealing,
    ) -> Arc<Self> {
        Arc::new(Self {
            trust,
            is_test: config.is_test,
            coefficient: config.coefficient,
            own_tier: match config.trust.tee {
                TeeChoice::ReportData | TeeChoice::Development | TeeChoice::Other(_) => Tier::Simulated,
                // No accelerator is attested without a statement.
                TeeChoice::Machine => Tier::Attested,
                TeeChoice::None => Tier::Open,
            },
            stating: Stating::new(),
            sealing,
            proxies: config.proxies.len(),
            till,
            pays: Mutex::default(),
            payday: Notify::new(),
            max_timeout: config.max_timeout,
            metrics: WorkerMetrics::new(),
            engine,
            suspicion,
            draining: CancellationToken::new(),
            stopped: CancellationToken::new(),
            places: Arc::default(),
            requests: TaskTracker::new(),
        })
    }

    /// What is served, if the engine is well and the worker is not about to stop.
    ///
    /// # Errors
    /// A refusal that lets the request go to another worker.
    pub(crate) fn open_for_requests(&self) -> Result<Arc<Served>, Refusal> {
        if self.draining.is_cancelled() {
            return Err(Refusal::new(Fault::Draining, "the worker is shutting down"));
        }
        if let Some(fault) = self.trust.clock_fault() {
            let message = format!("the worker takes nothing new: {fault}");
            return Err(Refusal::new(Fault::Draining, message));
        }
        let view = self.engine.borrow();
        match (&view.served, view.ready) {
            (Some(served), true) => Ok(Arc::clone(served)),
            _ => Err(Refusal::new(Fault::NoWorker, "the worker's engine is not ready")),
        }
    }

    /// A place among `limit`, if one is free, or becomes free in a moment.
    ///
    /// # Errors
    /// [`Fault::Busy`].
    pub(crate) async fn admit(&self, limit: u16) -> Result<Permit, Refusal> {
        let place = async {
            loop {
                let mut freed = pin!(self.places.freed.notified());
                // Registered before looking: two waiters could otherwise share one wake-up.
                freed.as_mut().enable();
                if let Some(permit) = Permit::take(&self.places, limit) {
                    return permit;
                }
                freed.await;
            }
        };
        timeout(PATIENCE, place).await.map_err(|_| {
            let message = format!("the worker runs {} requests already", self.running());
            Refusal::new(Fault::Busy, message)
        })
    }

    /// Lets the drain wait for something.
    pub(crate) fn awaited(&self) -> TaskTrackerToken {
        self.requests.token()
    }

    pub(crate) fn running(&self) -> usize {
        self.places.running.load(Ordering::Acquire)
    }

    /// Whether new requests are welcome; what the proxies are told.
    pub(crate) fn is_enabled(&self) -> bool {
        self.open_for_requests().is_ok()
    }

    /// The tier that answers have where no proxy believes more or less: never above `open` when the engine is somebody else's
    /// process.
    pub(crate) fn serving_tier(&self, place: EnginePlace) -> Tier {
        place.serving_tier(self.own_tier)
    }

    /// The account at this proxy: the one that is known, if this is the same; else this one, which is kept from now on.
    pub(crate) fn account(&self, proxy: &str, found: Pay) -> Arc<Pay> {
        let mut pays = self.pays.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = pays.get(proxy).filter(|known| known.is_same(&found)) {
            return Arc::clone(known);
        }
        let found = Arc::new(found);
        pays.insert(proxy.to_owned(), Arc::clone(&found));
        found
    }

    /// All accounts, by the proxy's address.
    pub(crate) fn pays(&self) -> Vec<(String, Arc<Pay>)> {
        let pays = self.pays.lock().unwrap_or_else(PoisonError::into_inner);
        pays.iter()
            .map(|(proxy, pay)| (proxy.clone(), Arc::clone(pay)))
            .collect()
    }

    /// Refuses what comes, and waits for what runs.
    pub(crate) async fn drain(&self) {
        self.draining.cancel();
        self.requests.close();
        self.requests.wait().await;
    }
}

// === impl Permit ===

impl Permit {
    fn take(places: &Arc<Places>, limit: u16) -> Option<Self> {
        let more = |running| (running < usize::from(limit)).then_some(running + 1);
        let taken = places
            .running
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        taken.ok().map(|_| Self(Arc::clone(places)))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
        self.0.freed.notify_one();
    }
}
