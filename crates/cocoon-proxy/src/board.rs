//! Which workers there are, what each is doing, and who waits for one: the one shared state of a proxy.
//!
//! All of it stands behind one lock that is never held across an await. A place at a worker is a [`Slot`]; dropping
//! it frees the place, whatever happened to the request, so that no count can leak (spec/network.md 10.2, 18).
//!
//! Nobody in a line is overtaken: a place that becomes free goes to the first in the line whom it suits, under the
//! same lock, so that a new request can only find places that nobody in the line could use.

mod departed;
mod line;
mod slot;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cocoon_matching::{Choice, Counts, NoMatch, Obstacle, Offer, Table, Verdict, Wanted, WorkerId};
use cocoon_types::{Coefficient, Endpoint, Fault, ModelName, Refusal, Tier, TierPolicy};
use tokio::sync::oneshot;

use departed::Departed;
use line::{Lines, Ticket, Waiter};
pub(crate) use slot::Slot;

/// Who asks: all requests of one client have the same. It decides nothing but how much of a line one client may fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Asker(pub(crate) u64);

/// What a request asks of a worker, owned so that it can wait.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) asker: Asker,
    pub(crate) model: ModelName,
    pub(crate) endpoint: Endpoint,
    pub(crate) tier: TierPolicy,
    pub(crate) max_coefficient: Coefficient,
    /// It came in a protocol that leaves it readable here (2 or less), so that workers of such a protocol may have it.
    pub(crate) plaintext: bool,
}

/// Why there is no place.
#[derive(Debug)]
pub(crate) enum NoPlace {
    /// Nobody can serve it, and waiting does not help.
    NoMatch(NoMatch),
    /// All who can are busy, and this many wait already, of this client or in all.
    LineFull(usize),
    /// The model had workers a while ago.
    Departed,
    /// A defect of ours: the board lost track.
    Lost,
}

/// The board; `P` is what the holder of a slot needs to reach its worker.
#[derive(Debug)]
pub(crate) struct Board<P: Clone> {
    inner: Mutex<Inner<P>>,
    /// Most requests in the line of one model.
    line_limit: usize,
}

#[derive(Debug)]
struct Inner<P: Clone> {
    table: Table,
    peers: HashMap<WorkerId, P>,
    lines: Lines<P>,
    departed: Departed,
    last_worker: u64,
}

/// A worker that was named, with a place if one was free.
#[derive(Debug)]
pub(crate) struct Claim<P: Clone> {
    pub(crate) worker: WorkerId,
    pub(crate) peer: P,
    place: Option<Slot<P>>,
}

/// What a line's head gets, once the lock is released.
#[derive(Debug)]
struct Delivery<P: Clone> {
    reply: oneshot::Sender<Result<Slot<P>, NoMatch>>,
    outcome: Result<Place<P>, NoMatch>,
}

/// A place that the table already counts as taken.
#[derive(Debug)]
struct Place<P> {
    worker: WorkerId,
    peer: P,
    choice: Choice,
}

// === impl Claim ===

impl<P: Clone> Claim<P> {
    /// Whether a place was free.
    pub(crate) const fn is_placed(&self) -> bool {
        self.place.is_some()
    }
}

// === impl Ask ===

impl Ask {
    pub(crate) fn wanted<'a>(&'a self, excluded: &'a [WorkerId]) -> Wanted<'a> {
        Wanted {
            model: self.model.as_str(),
            endpoint: self.endpoint,
            tier: self.tier,
            max_coefficient: self.max_coefficient,
            plaintext: self.plaintext,
            excluded,
        }
    }
}

// === impl NoPlace ===

impl NoPlace {
    pub(crate) fn to_refusal(&self, ask: &Ask) -> Refusal {
        match self {
            Self::NoMatch(none) => none.to_refusal(&ask.wanted(&[])),
            Self::LineFull(waiting) => Refusal::new(
                Fault::Busy,
                format!(
                    "{}: all workers are busy and {waiting} requests wait already",
                    ask.model
                ),
            ),
            Self::Departed => Refusal::new(Fault::NoWorker, format!("{}: no worker just now", ask.model)),
            Self::Lost => Refusal::new(Fault::Internal, "the proxy lost its place in the line"),
        }
    }
}

// === impl Board ===

impl<P: Clone> Board<P> {
    /// An empty board whose lines hold at most `line_limit` requests each.
    pub(crate) fn new(line_limit: usize) -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(Inner {
                table: Table::new(),
                peers: HashMap::new(),
                lines: Lines::default(),
                departed: Departed::default(),
                last_worker: 0,
            }),
            line_limit,
        })
    }

    /// A worker has come.
    pub(crate) fn add(self: &Arc<Self>, offer: Offer, peer: P) -> WorkerId {
        let mut inner = self.lock();
        inner.last_worker += 1;
        let id = WorkerId(inner.last_worker);
        let model = offer.model.base().to_owned();
        // The number is fresh, so that it cannot be taken.
        let _ = inner.table.insert(id, offer);
        inner.peers.insert(id, peer);
        let deliveries = inner.serve_line(&model, id);
        drop(inner);
        self.deliver(deliveries);
        id
    }

    /// A worker has gone. Who waits only for such as it is told at once.
    pub(crate) fn remove(self: &Arc<Self>, id: WorkerId) {
        let mut inner = self.lock();
        inner.peers.remove(&id);
        let deliveries = match inner.table.remove(id) {
            Some(offer) => {
                let model = offer.model.base();
                if !inner.table.has_model(model) {
                    inner.departed.remember(model);
                }
                inner.recheck(model)
            }
            None => Vec::new(),
        };
        drop(inner);
        self.deliver(deliveries);
    }

    /// A worker takes requests, or does not.
    pub(crate) fn set_enabled(self: &Arc<Self>, id: WorkerId, enabled: bool) {
        self.change(id, |table| table.set_enabled(id, enabled).is_ok());
    }

    /// A worker has another price.
    pub(crate) fn set_coefficient(self: &Arc<Self>, id: WorkerId, coefficient: Coefficient) {
        self.change(id, |table| table.set_coefficient(id, coefficient).is_ok());
    }

    /// A worker's tier is another one, by what it has stated.
    pub(crate) fn set_tier(self: &Arc<Self>, id: WorkerId, tier: Tier) {
        self.change(id, |table| table.set_tier(id, tier).is_ok());
    }

    /// A place at the best worker, as soon as there is one. Dropping the future leaves the line.
    ///
    /// # Errors
    /// [`NoPlace`]; the caller brings the deadline.
    pub(crate) async fn place(
        self: &Arc<Self>,
        ask: &Ask,
        excluded: &[WorkerId],
    ) -> Result<Slot<P>, NoPlace> {
        let waiting = {
            let mut inner = self.lock();
            match inner.table.choose(&ask.wanted(excluded), fastrand::u64(..)) {
                Ok(choice) => match inner.seat(choice) {
                    Some(place) => return Ok(Slot::new(Arc::clone(self), place)),
                    None => return Err(NoPlace::Lost),
                },
                Err(none) if !none.is_worth_waiting() => return Err(inner.no_place(ask, none)),
                Err(_) => {
                    let waiting = inner.lines.waiting(ask.model.as_str());
                    // A client may have no more in a line than is still free in it: alone it fills half, and however
                    // many press in, the next one finds a place.
                    let free = self.line_limit.saturating_sub(waiting);
                    if inner.lines.waiting_of(ask.model.as_str(), ask.asker) >= free {
                        return Err(NoPlace::LineFull(waiting));
                    }
                    let (reply, receiver) = oneshot::channel();
                    let ticket = inner.lines.join(ask.clone(), excluded.to_vec(), reply);
                    InLine {
                        board: self,
                        ask,
                        ticket,
                        receiver,
                    }
                }
            }
        };
        waiting.wait().await
    }

    /// Whether there is a worker of this model, or was one a while ago.
    pub(crate) fn knows(&self, model: &str) -> bool {
        let inner = self.lock();
        inner.table.has_model(model) || inner.departed.is_missed(model)
    }

    /// This very worker, with a place at it if one is free; nothing when it is not here.
    pub(crate) fn claim(self: &Arc<Self>, worker: WorkerId) -> Option<Claim<P>> {
        let mut inner = self.lock();
        let view = inner.table.worker(worker)?;
        let choice = Choice {
            worker,
            coefficient: view.offer.coefficient,
            tier: view.offer.tier,
            load: view.load,
            tied: 1,
            counts: Counts::default(),
        };
        let peer = inner.peers.get(&worker)?.clone();
        let place = inner.seat(choice);
        drop(inner);
        Some(Claim {
            worker,
            peer,
            place: place.map(|place| Slot::new(Arc::clone(self), place)),
        })
    }

    /// How many wait, over all models.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().lines.total()
    }

    /// How many wait for one model.
    pub(crate) fn waiting_for(&self, model: &str) -> usize {
        self.lock().lines.waiting(model)
    }

    /// What would become of a request that came now, and of every worker of its model in that choice.
    pub(crate) fn explain(&self, ask: &Ask) -> (Result<Choice, NoMatch>, Vec<(WorkerId, Verdict)>) {
        let inner = self.lock();
        let wanted = ask.wanted(&[]);
        let outcome = inner.table.choose(&wanted, fastrand::u64(..));
        let verdicts = inner.table.explain(&wanted, outcome.as_ref().ok());
        (outcome, verdicts)
    }

    /// Reads the table and the peers under the lock; quick and without side effects.
    pub(crate) fn view<T>(&self, read: impl FnOnce(&Table, &HashMap<WorkerId, P>) -> T) -> T {
        let inner = self.lock();
        read(&inner.table, &inner.peers)
    }

    fn change(self: &Arc<Self>, id: WorkerId, change: impl FnOnce(&mut Table) -> bool) {
        let mut inner = self.lock();
        let Some(model) = inner
            .table
            .worker(id)
            .map(|worker| worker.offer.model.base().to_owned())
        else {
            return;
        };
        let mut deliveries = Vec::new();
        if change(&mut inner.table) {
            deliveries = inner.serve_line(&model, id);
            deliveries.extend(inner.recheck(&model));
        }
        drop(inner);
        self.deliver(deliveries);
    }

    fn finish(self: &Arc<Self>, id: WorkerId) {
        let mut inner = self.lock();
        inner.table.finish(id);
        let deliveries = match inner
            .table
            .worker(id)
            .map(|worker| worker.offer.model.base().to_owned())
        {
            Some(model) => inner.serve_line(&model, id),
            None => Vec::new(),
        };
        drop(inner);
        self.deliver(deliveries);
    }

    /// Hands out places; never under the lock, since a place that nobody takes is freed right here.
    fn deliver(self: &Arc<Self>, deliveries: Vec<Delivery<P>>) {
        for Delivery { reply, outcome } in deliveries {
            let outcome = outcome.map(|place| Slot::new(Arc::clone(self), place));
            let _ = reply.send(outcome);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<P>> {
        // Every change leaves the state whole before anything can panic, so that a poisoned lock is still good.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Inner ===

impl<P: Clone> Inner<P> {
    /// Takes a place that was chosen under this very lock.
    fn seat(&mut self, choice: Choice) -> Option<Place<P>> {
        let worker = choice.worker;
        let peer = self.peers.get(&worker)?.clone();
        self.table.start(worker).ok()?;
        Some(Place { worker, peer, choice })
    }

    /// What the caller is told when nobody is found.
    fn no_place(&self, ask: &Ask, none: NoMatch) -> NoPlace {
        if none.obstacle == Obstacle::UnknownModel && self.departed.is_missed(ask.model.as_str()) {
            NoPlace::Departed
        } else {
            NoPlace::NoMatch(none)
        }
    }

    /// Gives the free places of one worker to the first in the line whom they suit.
    fn serve_line(&mut self, model: &str, id: WorkerId) -> Vec<Delivery<P>> {
        let mut deliveries = Vec::new();
        loop {
            let table = &self.table;
            let suits = |waiter: &Waiter<P>| table.could_serve(id, &waiter.ask.wanted(&waiter.excluded));
            let Some(waiter) = self.lines.take_first(model, suits) else {
                return deliveries;
            };
            // Only this worker can have become free, so choosing among all finds it.
            deliveries.extend(self.seat_waiter(waiter));
        }
    }

    /// Looks at a whole line again after workers became fewer: who waits in vain is told.
    fn recheck(&mut self, model: &str) -> Vec<Delivery<P>> {
        let mut deliveries = Vec::new();
        for waiter in self.lines.take_all(model) {
            let wanted = waiter.ask.wanted(&waiter.excluded);
            match self.table.choose(&wanted, fastrand::u64(..)) {
                Err(none) if none.is_worth_waiting() => self.lines.put_back(model, waiter),
                _ => deliveries.extend(self.seat_waiter(waiter)),
            }
        }
        deliveries
    }

    fn seat_waiter(&mut self, waiter: Waiter<P>) -> Option<Delivery<P>> {
        let chosen = self
            .table
            .choose(&waiter.ask.wanted(&waiter.excluded), fastrand::u64(..));
        let outcome = match chosen {
            Ok(choice) => Ok(self.seat(choice)?),
            Err(none) => Err(none),
        };
        Some(Delivery {
            reply: waiter.reply,
            outcome,
        })
    }
}

/// A place in a line; dropping it leaves the line, and frees a place that was handed out meanwhile.
struct InLine<'a, P: Clone> {
    board: &'a Arc<Board<P>>,
    ask: &'a Ask,
    ticket: Ticket,
    receiver: oneshot::Receiver<Result<Slot<P>, NoMatch>>,
}

impl<P: Clone> InLine<'_, P> {
    async fn wait(mut self) -> Result<Slot<P>, NoPlace> {
        match (&mut self.receiver).await {
            Ok(outcome) => outcome.map_err(|none| self.board.lock().no_place(self.ask, none)),
            Err(_) => Err(NoPlace::Lost),
        }
    }
}

impl<P: Clone> Drop for InLine<'_, P> {
    fn drop(&mut self) {
        self.board
            .lock()
            .lines
            .leave(self.ask.model.as_str(), self.ticket);
    }
}

#[cfg(test)]
mod tests;
