//! One signature for many receipts: what the proxy of one link is sent after them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cocoon_link::Session;
use cocoon_seal::{Batch, Digest, Role};
use cocoon_tl::{TlObject as _, v3};
use cocoon_web::clock::unix_now;
use tokio::{sync::Notify, time::timeout};

use super::Sealing;

/// Receipts under one signature: so many share its 20 us.
const TOGETHER: usize = 16;
/// A receipt waits no longer for others.
const PATIENCE: Duration = Duration::from_secs(1);

/// Receipts of one link that wait for their signature. Bounded by [`Batch::MAX`].
#[derive(Debug, Default)]
pub(crate) struct Batches {
    waiting: Mutex<Waiting>,
    pushed: Notify,
    full: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    batch: Batch,
    leaves: Vec<Digest>,
}

// === impl Batches ===

impl Batches {
    /// A receipt has gone out. False: too many wait, since the proxy takes none; this one stays unsigned.
    pub(crate) fn push(&self, leaf: Digest) -> bool {
        let mut waiting = self.lock();
        if waiting.batch.push(leaf).is_err() {
            return false;
        }
        waiting.leaves.push(leaf);
        let is_full = waiting.leaves.len() >= TOGETHER;
        drop(waiting);
        self.pushed.notify_one();
        if is_full {
            self.full.notify_one();
        }
        true
    }

    /// Signs and sends batches as long as it is polled and the link stands.
    pub(crate) async fn keep(&self, sealing: &Sealing, session: &Session) {
        loop {
            self.pushed.notified().await;
            let _ = timeout(PATIENCE, self.full.notified()).await;
            if !self.flush(sealing, session).await {
                return;
            }
        }
    }

    /// Signs and sends what waits. False: the link is over.
    pub(crate) async fn flush(&self, sealing: &Sealing, session: &Session) -> bool {
        let signs: Vec<v3::Countersign> = {
            let mut waiting = self.lock();
            let signed = waiting
                .batch
                .sign(Role::Worker, sealing.receipt_key(), unix_now());
            let leaves = std::mem::take(&mut waiting.leaves);
            let one = |(leaf, sign): (Digest, cocoon_seal::Countersign)| v3::Countersign {
                leaf: leaf.0,
                worker: sign.encode().into(),
            };
            leaves.into_iter().zip(signed).map(one).collect()
        };
        if signs.is_empty() {
            return true;
        }
        let message = v3::Countersigns { signs };
        session.link().send(message.to_boxed()).await.is_ok()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
