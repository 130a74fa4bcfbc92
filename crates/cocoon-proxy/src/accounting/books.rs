//! The handle: what relay, handshakes and people ask the bookkeeper.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use cocoon_accounting::{ClientAccount, ContractState, Levels, Terms, WorkerAccount, worst_case};
use cocoon_link::RequestHead;
use cocoon_types::{Address, Coefficient, Fault, ModelName, Multipliers, Nanoton, Refusal, RequestId, Usage};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

use super::{Hold, Ledger, Paid, Party, Reservation, Reserving, Settling, Statement, network::Network};

/// Questions that wait for the bookkeeper: it answers tens of thousands a second.
pub(super) const MAIL: usize = 4096;
/// How long a client may take to register on the chain (spec/ton.md 5.1).
const REGISTRATION: Duration = Duration::from_secs(300);
/// How long a request waits for the chain to secure what is owed, before it is refused.
const SECURING: Duration = Duration::from_secs(5);
const SECURING_LOOK: Duration = Duration::from_millis(250);

/// A proxy's accounts, to be asked. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Books {
    mail: mpsc::Sender<Ask>,
    network: watch::Receiver<Arc<Network>>,
    ready: watch::Receiver<bool>,
    left: Left,
}

/// Releases that found the mailbox full; the bookkeeper looks after them. As many as there are reservations at most.
pub(super) type Left = Arc<Mutex<Vec<(Address, RequestId)>>>;

/// What a client is told when it connects.
#[derive(Clone, Debug)]
pub struct ClientGreeting {
    /// Its contract at this proxy.
    pub contract: Address,
    /// SHA-256 of its secret, if it may show it; else it registers on the chain.
    pub secret_hash: Option<[u8; 32]>,
    /// The number that it registers with.
    pub nonce: u64,
    /// What it owes.
    pub statement: Statement,
}

/// The state of the accounts, for people.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// The current contract's terms and state.
    pub terms: Option<Terms>,
    /// As last seen.
    pub contract: Option<ContractState>,
    /// Why nothing is served any more, and what to do.
    pub halted: Option<String>,
    /// Requests are served.
    pub ready: bool,
    /// What no commit on the chain covers yet.
    pub unsecured: Option<Nanoton>,
    /// Every client.
    pub clients: Vec<(Address, ClientAccount)>,
    /// Every worker.
    pub workers: Vec<(Address, WorkerAccount)>,
    /// Old contracts and how many accounts of each are not settled.
    pub old: Vec<(Address, usize)>,
    /// Records in the journal since its beginning.
    pub applied: u64,
}

/// A question, and where its answer goes.
#[derive(Debug)]
pub(super) enum Ask {
    Reserve {
        client: Address,
        request: RequestId,
        bound: Bound,
        answer: oneshot::Sender<Result<(), NotReserved>>,
    },
    Settle {
        client: Address,
        request: RequestId,
        worker: Address,
        coefficient: Coefficient,
        usage: Usage,
        answer: oneshot::Sender<Result<Paid, Refusal>>,
    },
    Release {
        client: Address,
        request: RequestId,
    },
    Greet {
        client: Address,
        answer: oneshot::Sender<Result<ClientGreeting, Refusal>>,
    },
    AwaitRegistration {
        client: Address,
        nonce: u64,
        answer: oneshot::Sender<()>,
    },
    State {
        party: cocoon_accounting::Party,
        answer: oneshot::Sender<Option<Statement>>,
    },
    Compare {
        worker: Address,
        claimed: Levels,
        answer: oneshot::Sender<Result<Statement, String>>,
    },
    Refund {
        client: Address,
        answer: oneshot::Sender<Result<Bytes, u64>>,
    },
    SettleAll {
        answer: oneshot::Sender<Result<(), String>>,
    },
    LiftQuarantine {
        party: cocoon_accounting::Party,
        answer: oneshot::Sender<bool>,
    },
    Look {
        answer: oneshot::Sender<Overview>,
    },
}

/// What bounds a request's cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) body_bytes: u64,
    pub(super) max_tokens: u64,
    pub(super) most: Coefficient,
}

/// Why nothing was set aside.
#[derive(Clone, Debug)]
pub(super) struct NotReserved {
    pub(super) refusal: Refusal,
    /// The chain may have secured enough in a moment.
    pub(super) may_wait: bool,
}

/// An open reservation.
#[derive(Debug)]
struct OpenHold {
    books: Books,
    client: Address,
    request: RequestId,
    is_open: bool,
}

// === impl Books ===

impl Books {
    pub(super) fn new(
        mail: mpsc::Sender<Ask>,
        network: watch::Receiver<Arc<Network>>,
        ready: watch::Receiver<bool>,
        left: Left,
    ) -> Self {
        Self {
            mail,
            network,
            ready,
            left,
        }
    }

    /// Whether requests are served: this start's commit was seen on the chain.
    pub fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// Waits until requests are served.
    pub async fn ready(&self) {
        // The bookkeeper's end is told elsewhere.
        let _ = self.ready.clone().wait_for(|ready| *ready).await;
    }

    /// The proxy's contract.
    pub fn contract(&self) -> Address {
        self.network.borrow().own.address()
    }

    /// Who owns the proxy's contract.
    pub fn owner(&self) -> Address {
        self.network.borrow().own.owner
    }

    /// The key that signs payments.
    pub fn public_key(&self) -> [u8; 32] {
        self.network.borrow().own.key
    }

    /// Version of the registry that is in use.
    pub fn version(&self) -> u32 {
        self.network.borrow().version
    }

    /// What tokens of each class weigh.
    pub(crate) fn multipliers(&self) -> Multipliers {
        *self.network.borrow().own.terms.prices.multipliers()
    }

    /// What so many adjusted tokens cost a client, in nanoTON.
    pub(crate) fn cost(&self, tokens: u64) -> u128 {
        let cost = self.network.borrow().own.terms.prices.cost(tokens);
        cost.map_or(0, |nanoton| u128::from(nanoton.nano()))
    }

    /// A worker's contract here.
    pub fn worker_contract(&self, owner: &Address) -> Address {
        self.network.borrow().worker(owner)
    }

    /// Whether the network allows workers to serve this model.
    pub fn allows(&self, model: &ModelName) -> bool {
        self.network.borrow().allows(model)
    }

    /// Ends when the network no longer allows this model.
    pub fn disallowed(&self, model: &ModelName) -> impl Future<Output = ()> + Send + use<> {
        let model = model.clone();
        until(self.network.clone(), move |network| !network.allows(&model))
    }

    /// Ends when other terms than at the time of the call are in force, and with them other contracts: peers are to come
    /// again then.
    pub fn moved(&self) -> impl Future<Output = ()> + Send + use<> {
        let contract = self.network.borrow().own.address();
        until(self.network.clone(), move |network| {
            network.own.address() != contract
        })
    }

    /// What a client is told when it connects.
    ///
    /// # Errors
    /// It is not served, and why.
    pub async fn greet(&self, client: Address) -> Result<ClientGreeting, Refusal> {
        self.ask(|answer| Ask::Greet { client, answer }).await?
    }

    /// Waits until a client's owner has sent the number to its contract.
    ///
    /// # Errors
    /// It did not within five minutes.
    pub async fn registered(&self, client: Address, nonce: u64) -> Result<(), Refusal> {
        let registered = self.ask(|answer| Ask::AwaitRegistration {
            client,
            nonce,
            answer,
        });
        let late = || {
            Refusal::new(
                Fault::Timeout,
                "no registration was seen on the chain within 300 s",
            )
        };
        timeout(REGISTRATION, registered).await.map_err(|_| late())?
    }

    /// What a peer is told of its account; nothing for an unknown client.
    ///
    /// # Errors
    /// The bookkeeper has ended.
    pub async fn statement(&self, party: cocoon_accounting::Party) -> Result<Option<Statement>, Refusal> {
        self.ask(|answer| Ask::State { party, answer }).await
    }

    /// Compares a worker's levels with ours.
    ///
    /// # Errors
    /// It claims more than it earned here, or nothing is signed for it.
    pub async fn compare(&self, worker: Address, claimed: Levels) -> Result<Statement, String> {
        let asked = self
            .ask(|answer| Ask::Compare {
                worker,
                claimed,
                answer,
            })
            .await;
        asked.map_err(|refusal| refusal.message)?
    }

    /// A client wants everything back: the signed refund, or the number of its requests that must end first.
    ///
    /// # Errors
    /// The bookkeeper has ended.
    pub async fn refund(&self, client: Address) -> Result<Result<Bytes, u64>, Refusal> {
        self.ask(|answer| Ask::Refund { client, answer }).await
    }

    /// Settles everything that is owed, whatever the thresholds say.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn settle_all(&self) -> Result<(), String> {
        let asked = self.ask(|answer| Ask::SettleAll { answer }).await;
        asked.map_err(|refusal| refusal.message)?
    }

    /// Lifts a quarantine; whether there was one.
    ///
    /// # Errors
    /// The bookkeeper has ended.
    pub async fn lift_quarantine(&self, party: cocoon_accounting::Party) -> Result<bool, Refusal> {
        self.ask(|answer| Ask::LiftQuarantine { party, answer }).await
    }

    /// The state of the accounts.
    ///
    /// # Errors
    /// The bookkeeper has ended.
    pub async fn overview(&self) -> Result<Overview, Refusal> {
        self.ask(|answer| Ask::Look { answer }).await
    }

    pub(super) async fn ask<T>(
        &self,
        question: impl FnOnce(oneshot::Sender<T>) -> Ask,
    ) -> Result<T, Refusal> {
        let (answer, asked) = oneshot::channel();
        self.mail.send(question(answer)).await.map_err(|_| ended())?;
        asked.await.map_err(|_| ended())
    }

    pub(super) async fn set_aside(
        &self,
        client: Address,
        head: &RequestHead,
    ) -> Result<Reservation, Refusal> {
        let bound = Bound {
            body_bytes: head.body_bytes,
            max_tokens: if head.endpoint.generates() {
                u64::from(head.max_tokens)
            } else {
                0
            },
            most: head.max_coefficient,
        };
        let request = head.request_id;
        // Dropped before the answer, it releases what the bookkeeper may set aside meanwhile.
        let hold = OpenHold {
            books: self.clone(),
            client,
            request,
            is_open: true,
        };
        let securing = tokio::time::Instant::now();
        loop {
            let asked = self.ask(|answer| Ask::Reserve {
                client,
                request,
                bound,
                answer,
            });
            match asked.await? {
                Ok(()) => return Ok(Reservation::new(Box::new(hold))),
                Err(refused) if refused.may_wait && securing.elapsed() < SECURING => {
                    tokio::time::sleep(SECURING_LOOK).await;
                }
                Err(NotReserved { refusal, .. }) => {
                    let mut hold = hold;
                    hold.is_open = false;
                    return Err(refusal);
                }
            }
        }
    }
}

impl Ledger for Books {
    fn reserve<'a>(&'a self, client: &'a Party, head: &'a RequestHead) -> Reserving<'a> {
        Box::pin(async move {
            let Some(owner) = client.owner else {
                return Err(Refusal::new(
                    Fault::PaymentRequired,
                    "a client without a wallet cannot pay here",
                ));
            };
            self.set_aside(owner, head).await
        })
    }

    fn books(&self) -> Option<&Books> {
        Some(self)
    }
}

impl Hold for OpenHold {
    fn settle(mut self: Box<Self>, worker: Party, coefficient: Coefficient, usage: Usage) -> Settling {
        let Some(owner) = worker.owner else {
            // It served for nothing; so nobody pays.
            return Box::pin(async { Ok(None) });
        };
        let (answer, settled) = oneshot::channel();
        let ask = Ask::Settle {
            client: self.client,
            request: self.request,
            worker: owner,
            coefficient,
            usage,
            answer,
        };
        self.is_open = false;
        // Asked now, not when the future is polled: a client that goes away at this moment is settled all the same.
        let sent = self.books.mail.try_send(ask);
        let mail = self.books.mail.clone();
        Box::pin(async move {
            match sent {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(ask)) => mail.send(ask).await.map_err(|_| ended())?,
                Err(mpsc::error::TrySendError::Closed(_)) => return Err(ended()),
            }
            settled.await.map_err(|_| ended())?.map(Some)
        })
    }

    fn release(self: Box<Self>) {}
}

impl Drop for OpenHold {
    fn drop(&mut self) {
        if self.is_open {
            let (client, request) = (self.client, self.request);
            if self
                .books
                .mail
                .try_send(Ask::Release { client, request })
                .is_err()
            {
                let mut left = self.books.left.lock().unwrap_or_else(PoisonError::into_inner);
                left.push((client, request));
            }
        }
    }
}

impl Bound {
    pub(super) fn tokens(&self, terms: &Terms) -> Result<u64, Refusal> {
        let worst = worst_case(
            self.body_bytes,
            self.max_tokens,
            self.most,
            terms.prices.multipliers(),
        );
        worst.map_err(|_| Refusal::new(Fault::InvalidRequest, "the request could cost more than there is"))
    }
}

fn ended() -> Refusal {
    Refusal::new(Fault::Internal, "the proxy's accounts have ended")
}

async fn until(mut network: watch::Receiver<Arc<Network>>, reached: impl Fn(&Network) -> bool + Send) {
    if network.wait_for(|network| reached(network)).await.is_err() {
        // The bookkeeper has ended; the node is told elsewhere.
        std::future::pending::<()>().await;
    }
}
