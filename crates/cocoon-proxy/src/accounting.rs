//! The seam that the money issue fills: what a request may cost is set aside before it runs and settled after.

use std::{fmt, future::Future, pin::Pin};

use cocoon_attest::VerifiedPeer;
use cocoon_link::RequestHead;
use cocoon_types::{Coefficient, Refusal, Usage};

/// Who keeps the accounts of a proxy.
pub trait Ledger: fmt::Debug + Send + Sync {
    /// Sets aside the most that the request may cost its client.
    ///
    /// # Errors
    /// The client cannot pay for it.
    fn reserve(&self, client: &VerifiedPeer, head: &RequestHead) -> Result<Reservation, Refusal>;
}

/// What a [`Ledger`] keeps for one open reservation.
pub trait Hold: Send {
    /// Charges the usage at the price of the worker that served it, and frees the rest. Durable when it resolves: the
    /// last message of the answer leaves after it. Idempotent by request id.
    fn settle(self: Box<Self>, worker: VerifiedPeer, coefficient: Coefficient, usage: Usage) -> Settling;
    /// Frees everything; nothing is charged.
    fn release(self: Box<Self>);
}

/// The future of a settlement.
pub type Settling = Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send>>;

/// Money set aside for one request. Exactly one of settle and release happens; dropping it releases.
///
/// Trying another worker keeps the same reservation.
pub struct Reservation(Option<Box<dyn Hold>>);

/// Accounts that charge nothing. Nothing about it pretends otherwise: it signs nothing and shows no sums.
#[derive(Clone, Copy, Debug)]
pub struct Unpaid;

// === impl Reservation ===

impl Reservation {
    /// A reservation that its ledger watches over.
    pub fn new(hold: Box<dyn Hold>) -> Self {
        Self(Some(hold))
    }

    /// The request was served: charges it.
    ///
    /// # Errors
    /// The ledger could not make it durable.
    pub async fn settle(
        mut self,
        worker: &VerifiedPeer,
        coefficient: Coefficient,
        usage: Usage,
    ) -> Result<(), Refusal> {
        match self.0.take() {
            Some(hold) => hold.settle(worker.clone(), coefficient, usage).await,
            None => Ok(()),
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(hold) = self.0.take() {
            hold.release();
        }
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reservation")
    }
}

// === impl Unpaid ===

impl Ledger for Unpaid {
    fn reserve(&self, _client: &VerifiedPeer, _head: &RequestHead) -> Result<Reservation, Refusal> {
        Ok(Reservation::new(Box::new(Self)))
    }
}

impl Hold for Unpaid {
    fn settle(self: Box<Self>, _worker: VerifiedPeer, _coefficient: Coefficient, _usage: Usage) -> Settling {
        Box::pin(std::future::ready(Ok(())))
    }

    fn release(self: Box<Self>) {}
}
