//! Sending from a wallet so that nothing is sent twice and nothing is lost.
//!
//! What makes it safe (spec/ton.md 7.1, repaired):
//! 1. At most one external is under way. The wallet takes each seqno once, so two externals of one seqno are one at most.
//! 2. An external counts as dead only when the chain itself says so: its time has passed on the chain and its seqno is
//!    unused, or the seqno is used and no transaction since has its body. Then, and only then, it is built anew.
//! 3. A message counts as sent when the wallet's transaction shows it among the messages that it sent; the wallet skips
//!    what it cannot pay for, and says so nowhere else.

mod batch;
mod flight;
mod worker;

use std::{fmt, sync::Arc, time::Duration};

use cocoon_contracts::wallet::{ExternalError, Outgoing, Wallet};
use cocoon_types::{Address, Nanoton};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use self::worker::Worker;
use crate::chain::{Chain, ChainError, TxId};

/// Sends messages from one wallet, in order. Cheap to clone; the last clone that is dropped ends it.
///
/// There must be one of these for a wallet. Two are safe and slow: they take each other's seqnos away.
#[derive(Clone)]
pub struct WalletSender {
    queue: mpsc::Sender<Item>,
    address: Address,
    _task: Arc<JoinSet<()>>,
}

/// How a sender behaves.
#[derive(Clone, Copy, Debug)]
pub struct WalletSenderOptions {
    /// How long an external is valid, on the chain's clock. Kept within 60 to 120 s.
    pub valid: Duration,
    /// Between two looks at the chain while something is under way.
    pub poll: Duration,
    /// After how long the same external is handed over again.
    pub resend: Duration,
    /// Coins that stay in the wallet.
    pub keep: Nanoton,
}

/// A message that is on its way on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The wallet's transaction.
    pub transaction: TxId,
    /// The message's logical time, which with the wallet's address names it.
    pub created_lt: u64,
    /// Coins that travel with it, after what its carriage took.
    pub value: Nanoton,
}

/// Why a message was not sent. In every case but [`SendError::Stopped`] it will never be; trying again is safe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// Too many messages wait.
    #[error("{QUEUE} messages wait for this wallet")]
    Full,
    /// The wallet has not the coins.
    #[error("the wallet has {available} and this needs {needed} with fees")]
    Poor {
        /// For the message, its fees and what is to stay.
        needed: Nanoton,
        /// What there is.
        available: Nanoton,
    },
    /// The wallet worked and left this message out: the coins did not suffice after all, or the chain found it wrong.
    #[error("the wallet's transaction {transaction:?} left the message out")]
    LeftOut {
        /// The wallet's transaction.
        transaction: TxId,
    },
    /// The wallet does not take our externals.
    #[error("the wallet refuses to send")]
    Refused(#[source] ChainError),
    /// The account is not this wallet, or it is frozen.
    #[error("the account is not this wallet in working order: {0}")]
    Account(&'static str),
    /// It cannot be put into a message.
    #[error(transparent)]
    Message(#[from] ExternalError),
    /// The sender was stopped. The message may still be sent: look at the wallet's transactions.
    #[error("the sender was stopped before the message was confirmed")]
    Stopped,
}

struct Item {
    outgoing: Outgoing,
    done: oneshot::Sender<Result<Sent, SendError>>,
}

/// Messages that wait. A node sends a handful a minute; this is hours of a chain that stands still.
const QUEUE: usize = 256;

// === impl WalletSenderOptions ===

impl Default for WalletSenderOptions {
    fn default() -> Self {
        Self {
            // Long enough for several blocks and a resend, short for the deployed wallet's flaw (spec/ton.md 10.1, H1).
            valid: Duration::from_secs(90),
            poll: Duration::from_millis(500),
            resend: Duration::from_secs(5),
            keep: Nanoton::ZERO,
        }
    }
}

// === impl WalletSender ===

impl WalletSender {
    /// Starts a task that ends when the last clone is dropped.
    pub fn start(chain: Arc<dyn Chain>, wallet: Wallet, options: WalletSenderOptions) -> Self {
        let (queue, items) = mpsc::channel(QUEUE);
        let address = wallet.address();
        let mut task = JoinSet::new();
        task.spawn(Worker::new(chain, wallet, options).run(items));
        Self {
            queue,
            address,
            _task: Arc::new(task),
        }
    }

    /// The wallet's address.
    pub fn address(&self) -> Address {
        self.address
    }

    /// Sends a message and waits until it is on its way on the chain. Dropping this does not take the message back.
    ///
    /// # Errors
    /// [`SendError`]
    pub async fn send(&self, outgoing: Outgoing) -> Result<Sent, SendError> {
        let sending = self.enqueue(outgoing)?;
        sending.await
    }

    /// Puts a message into the queue; the future tells what became of it. Messages of one sender leave in order.
    ///
    /// # Errors
    /// [`SendError::Full`], [`SendError::Stopped`], [`SendError::Message`]
    pub fn enqueue(
        &self,
        outgoing: Outgoing,
    ) -> Result<impl Future<Output = Result<Sent, SendError>> + Send + use<>, SendError> {
        // A message that cannot be built would take its batch down with it.
        outgoing.contents()?;
        let (done, sent) = oneshot::channel();
        self.queue
            .try_send(Item { outgoing, done })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => SendError::Full,
                mpsc::error::TrySendError::Closed(_) => SendError::Stopped,
            })?;
        Ok(async { sent.await.unwrap_or(Err(SendError::Stopped)) })
    }
}

impl fmt::Debug for WalletSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WalletSender")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
