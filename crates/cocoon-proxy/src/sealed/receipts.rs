//! What was served sealed: the price of each receipt, countersigned in batches and sent to its client, and who disagrees.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use cocoon_link::Link;
use cocoon_seal::{Batch, Charge, Countersign, Digest, Receipt, Role, SigningKey};
use cocoon_tl::{TlObject as _, v3};
use cocoon_web::clock::unix_now;
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use crate::{board::Asker, node::WorkerPeer};

/// How long a receipt waits for its worker's signature; workers sign every second.
const PATIENCE: Duration = Duration::from_secs(5);
/// So long, or until [`TOGETHER`] are there, charges wait for each other.
const BATCH_EVERY: Duration = Duration::from_millis(500);
const TOGETHER: usize = 16;
/// Receipts that wait for their worker: five seconds of three thousand requests a second. Past that they go on unsigned.
const MAX_WAITING: usize = 16_384;
/// Signatures that came before their receipt was settled: settling waits for the disk. Each is searched for once.
const MAX_EARLY: usize = 512;
/// Receipts that a client may still dispute, some 200 bytes each; the oldest are forgotten.
const MAX_REMEMBERED: usize = 16_384;
/// A client that does not take what it was charged so long is not told; it can be seen from its account.
const TELL: Duration = Duration::from_secs(5);
/// Clients that are told at once.
const MAX_TELLING: usize = 1024;
/// Countersigns in one message.
const MAX_SIGNS: usize = Batch::MAX;
/// Bytes of a dispute's field and of what was expected, that are looked at.
const MAX_DISPUTE: usize = 4096;

/// The receipts of a proxy.
pub(crate) struct Receipts {
    key: Arc<SigningKey>,
    inner: Mutex<Inner>,
    changed: Notify,
}

/// One exchange that was settled.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) asker: Asker,
    pub(crate) client: Link,
    pub(crate) worker: Arc<WorkerPeer>,
    /// The key that signs this worker's receipts.
    pub(crate) receipt_key: [u8; 32],
    pub(crate) charge: Charge,
}

#[derive(Default)]
struct Inner {
    /// By leaf: the worker has not signed yet.
    waiting: HashMap<[u8; 32], Waiting>,
    /// Leaves in the order in which their time is up.
    order: VecDeque<[u8; 32]>,
    /// Signatures that came before their receipt was settled, and who made them; in the order of coming.
    early: VecDeque<([u8; 32], [u8; 32], Bytes)>,
    /// To be signed by this proxy.
    ready: Vec<Ready>,
    remembered: HashMap<[u8; 32], (Asker, Arc<WorkerPeer>)>,
    oldest: VecDeque<[u8; 32]>,
}

struct Waiting {
    until: Instant,
    receipt_key: [u8; 32],
    ready: Ready,
}

struct Ready {
    client: Link,
    charge: Charge,
    worker: Bytes,
}

// === impl Receipts ===

impl Receipts {
    pub(super) fn new(key: Arc<SigningKey>) -> Self {
        Self {
            key,
            inner: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// A request was settled; its worker's signature follows.
    pub(crate) fn settled(&self, served: Served) {
        let Served {
            asker,
            client,
            worker,
            receipt_key,
            charge,
        } = served;
        let leaf = charge.leaf.0;
        let ready = Ready {
            client,
            charge,
            worker: Bytes::new(),
        };
        let mut inner = self.lock();
        if inner.remembered.insert(leaf, (asker, worker)).is_none() {
            inner.oldest.push_back(leaf);
        }
        while inner.oldest.len() > MAX_REMEMBERED {
            if let Some(oldest) = inner.oldest.pop_front() {
                inner.remembered.remove(&oldest);
            }
        }
        let early = inner
            .early
            .iter()
            .position(|(signed, signer, _)| *signed == leaf && *signer == receipt_key);
        if let Some((_, _, worker)) = early.and_then(|at| inner.early.remove(at)) {
            inner.ready.push(Ready { worker, ..ready });
        } else if inner.waiting.len() >= MAX_WAITING {
            inner.ready.push(ready);
        } else {
            let until = Instant::now() + PATIENCE;
            let waiting = Waiting {
                until,
                receipt_key,
                ready,
            };
            inner.waiting.insert(leaf, waiting);
            inner.order.push_back(leaf);
        }
        drop(inner);
        self.changed.notify_one();
    }

    /// A worker has signed a batch. False: it signs what is not its own, or not at all.
    pub(crate) fn signed(&self, message: Bytes) -> bool {
        let Ok(message) = v3::Countersigns::from_boxed(message) else {
            return false;
        };
        if message.signs.len() > MAX_SIGNS {
            return false;
        }
        let mut verified: Option<Countersign> = None;
        for one in message.signs {
            let Ok(sign) = Countersign::decode(&one.worker) else {
                return false;
            };
            // One signature for the whole batch.
            if !verified.as_ref().is_some_and(|known| known.same_batch(&sign)) {
                if !sign.is_signed() {
                    return false;
                }
                verified = Some(sign.clone());
            }
            if sign.role != Role::Worker || !sign.covers(Digest(one.leaf)) {
                return false;
            }
            let mut inner = self.lock();
            let Some(waiting) = inner.waiting.get(&one.leaf) else {
                // It came before the journal had the receipt's price, or too late.
                if inner.early.len() >= MAX_EARLY {
                    inner.early.pop_front();
                }
                let copy = Bytes::copy_from_slice(&one.worker);
                inner.early.push_back((one.leaf, sign.signer, copy));
                continue;
            };
            if waiting.receipt_key != sign.signer {
                return false;
            }
            if let Some(Waiting { mut ready, .. }) = inner.waiting.remove(&one.leaf) {
                // A copy: what came keeps the whole message alive.
                ready.worker = Bytes::copy_from_slice(&one.worker);
                inner.ready.push(ready);
            }
        }
        self.changed.notify_one();
        true
    }

    /// A client disagrees with a receipt of its own. Each counts once; gives the worker's record and the field.
    pub(crate) fn disputed(&self, asker: Asker, message: Bytes) -> Option<(Arc<WorkerPeer>, String)> {
        let dispute = v3::Dispute::from_boxed(message).ok()?;
        if dispute.field.len() > MAX_DISPUTE || dispute.expected.len() > MAX_DISPUTE {
            return None;
        }
        if dispute.receipt.len() > Receipt::BYTES {
            return None;
        }
        let receipt = Receipt::decode(&dispute.receipt).ok()?;
        if receipt.leaf().0 != dispute.leaf {
            return None;
        }
        let mut inner = self.lock();
        let (whose, _) = inner.remembered.get(&dispute.leaf)?;
        if *whose != asker {
            return None;
        }
        let (_, worker) = inner.remembered.remove(&dispute.leaf)?;
        drop(inner);
        worker.record.dispute();
        Some((worker, dispute.field.lossy(64)))
    }

    /// Signs and sends as long as it is polled.
    pub(crate) async fn run(&self) {
        let mut telling = JoinSet::new();
        let mut batch_at = Instant::now();
        loop {
            let (ready, due) = self.look(Instant::now(), batch_at);
            if !ready.is_empty() {
                batch_at = Instant::now() + BATCH_EVERY;
                for (client, message) in self.countersigned(ready) {
                    if telling.len() >= MAX_TELLING {
                        tracing::warn!("too many clients do not take what they are told of receipts");
                        break;
                    }
                    telling.spawn(async move { timeout(TELL, client.send(message)).await.is_ok() });
                }
                continue;
            }
            tokio::select! {
                () = self.changed.notified() => {}
                () = sleep_until(due) => {}
                Some(_) = telling.join_next() => {}
            }
        }
    }

    /// What is to be signed now, and when to look again if nothing comes.
    fn look(&self, now: Instant, batch_at: Instant) -> (Vec<Ready>, Instant) {
        let mut inner = self.lock();
        let far = now + Duration::from_secs(3600);
        let mut due = far;
        while let Some(leaf) = inner.order.front().copied() {
            match inner.waiting.get(&leaf) {
                // It was signed.
                None => {}
                Some(waiting) if waiting.until > now => {
                    due = waiting.until;
                    break;
                }
                Some(_) => {
                    if let Some(waiting) = inner.waiting.remove(&leaf) {
                        inner.ready.push(waiting.ready);
                    }
                }
            }
            inner.order.pop_front();
        }
        if inner.ready.is_empty() {
            return (Vec::new(), due);
        }
        if inner.ready.len() < TOGETHER && now < batch_at {
            return (Vec::new(), due.min(batch_at));
        }
        let most = inner.ready.len().min(Batch::MAX);
        let ready = inner.ready.drain(..most).collect();
        (ready, due)
    }

    /// One message for each client of a batch.
    fn countersigned(&self, ready: Vec<Ready>) -> Vec<(Link, Bytes)> {
        let mut batch = Batch::default();
        for one in &ready {
            // No more than fit.
            let _ = batch.push(one.charge.charge_leaf());
        }
        let signs = batch.sign(Role::Proxy, &self.key, unix_now());
        let mut by_client: Vec<(Link, Vec<v3::Charged>)> = Vec::new();
        for (one, sign) in ready.into_iter().zip(signs) {
            let charged = v3::Charged {
                leaf: one.charge.leaf.0,
                worker: one.worker,
                charge: one.charge.encode().into(),
                proxy: sign.encode().into(),
            };
            let known = by_client
                .iter_mut()
                .find(|(client, _)| client.is_same(&one.client));
            match known {
                Some((_, all)) => all.push(charged),
                None => by_client.push((one.client, vec![charged])),
            }
        }
        let message =
            |(client, receipts): (Link, Vec<v3::Charged>)| (client, v3::Settled { receipts }.to_boxed());
        by_client.into_iter().map(message).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Receipts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receipts")
    }
}

#[cfg(test)]
mod tests;
