//! What requests cost: set aside before they run, settled after.
//!
//! [`Ledger`] is the seam to the relay. [`Unpaid`] is for networks without a chain. [`Books`] are real accounts: a task
//! ([`Bookkeeper`]) owns the state (`cocoon-accounting`), its journal (`cocoon-store`), the wallet and what the chain
//! tells (`cocoon-chain`); the handle asks it and is what handshakes and status questions talk to.

mod bookkeeper;
mod books;
mod events;
mod network;
mod outgoing;
mod statement;

use std::{fmt, future::Future, pin::Pin};

use cocoon_attest::VerifiedPeer;
use cocoon_link::RequestHead;
use cocoon_types::{Address, Coefficient, Refusal, Usage};

pub use bookkeeper::{Bookkeeper, BooksError};
pub use books::{Books, ClientGreeting, Overview};
pub use network::{Payments, PaymentsError};
pub use statement::{Paid, Statement};

/// Who keeps the accounts of a proxy.
pub trait Ledger: fmt::Debug + Send + Sync {
    /// Sets aside the most that the request may cost its client.
    ///
    /// # Errors
    /// The client cannot pay for it.
    fn reserve<'a>(&'a self, client: &'a Party, head: &'a RequestHead) -> Reserving<'a>;

    /// The accounts behind it; `None` where nothing is paid.
    fn books(&self) -> Option<&Books> {
        None
    }
}

/// What a [`Ledger`] keeps for one open reservation.
pub trait Hold: Send {
    /// Charges the usage at the price of the worker that served it, and frees the rest. Durable when it resolves: the
    /// last message of the answer leaves after it. Idempotent by request id. It goes on when the future is dropped.
    fn settle(self: Box<Self>, worker: Party, coefficient: Coefficient, usage: Usage) -> Settling;
    /// Frees everything; nothing is charged.
    fn release(self: Box<Self>);
}

/// A client or worker: the link's other end, and whose money it is.
#[derive(Clone, Debug)]
pub struct Party {
    /// Who is at the other end of the link.
    pub peer: VerifiedPeer,
    /// Who owns its contract. `None` for a peer without a wallet.
    pub owner: Option<Address>,
}

/// The future of a reservation.
pub type Reserving<'a> = Pin<Box<dyn Future<Output = Result<Reservation, Refusal>> + Send + 'a>>;

/// The future of a settlement. What was paid is told where anything is.
pub type Settling = Pin<Box<dyn Future<Output = Result<Option<Paid>, Refusal>> + Send>>;

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
        worker: &Party,
        coefficient: Coefficient,
        usage: Usage,
    ) -> Result<Option<Paid>, Refusal> {
        match self.0.take() {
            Some(hold) => hold.settle(worker.clone(), coefficient, usage).await,
            None => Ok(None),
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
    fn reserve<'a>(&'a self, _client: &'a Party, _head: &'a RequestHead) -> Reserving<'a> {
        Box::pin(std::future::ready(Ok(Reservation::new(Box::new(Self)))))
    }
}

impl Hold for Unpaid {
    fn settle(self: Box<Self>, _worker: Party, _coefficient: Coefficient, _usage: Usage) -> Settling {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn release(self: Box<Self>) {}
}

#[cfg(test)]
mod tests;
