//! Questions and their answers.

use bytes::Bytes;
use cocoon_accounting::{Outcome, Party, Record, ReserveRefused, Status, adjusted};
use cocoon_types::{Address, Fault, Refusal, RequestId};
use tokio::sync::oneshot;

use super::{Bookkeeper, BooksError, HALTED, MAX_REGISTERING, REGISTRATION, Registering};
use crate::accounting::{
    books::{Ask, Bound, ClientGreeting, NotReserved, Overview},
    outgoing::grant,
    statement::{Paid, Statement},
};

/// SHA-256 of nothing: a secret that everybody knows.
const EMPTY_SECRET: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
    0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// An answer that may only be given when what it speaks of is durable.
#[derive(Debug)]
pub(super) enum Late {
    Settled {
        client: Address,
        worker: Address,
        tokens: u64,
        answer: oneshot::Sender<Result<Paid, Refusal>>,
    },
    /// A signed refund closes the account at its count, so nothing may be served after it: the wish must not be forgotten.
    Refund {
        client: Address,
        answer: oneshot::Sender<Result<Bytes, u64>>,
    },
}

impl Bookkeeper {
    /// Whoever asked may be gone; what was asked is done all the same, so nobody looks after the answer's way.
    pub(super) fn answer(&mut self, ask: Ask) -> Result<(), BooksError> {
        match ask {
            Ask::Reserve {
                client,
                request,
                bound,
                answer,
            } => {
                let reserved = self.reserve(client, request, bound);
                let told = match reserved {
                    Ok(record) => {
                        self.apply(record)?;
                        Ok(())
                    }
                    Err(refused) => Err(refused),
                };
                let _ = answer.send(told);
            }
            Ask::Settle {
                client,
                request,
                worker,
                coefficient,
                usage,
                answer,
            } => {
                let multipliers = self.network.borrow().own.terms.prices.multipliers().to_owned();
                // Usage within its bounds at an agreed price fits; what does not is cut to what was set aside.
                let tokens =
                    adjusted(&usage, coefficient, &multipliers).map_or(u64::MAX, |tokens| tokens.total());
                return self.settle((client, request), worker, tokens, answer);
            }
            Ask::Release { client, request } => self.release(client, request)?,
            Ask::Greet { client, answer } => {
                let greeting = self.greet(client);
                let _ = answer.send(greeting);
            }
            Ask::AwaitRegistration {
                client,
                nonce,
                answer,
            } => {
                if let Some(waiting) = self.registering.get_mut(&(client, nonce)) {
                    waiting.answer = Some(answer);
                }
                self.registered(client, nonce, false);
            }
            Ask::State { party, answer } => {
                let is_known = match party {
                    Party::Client { owner } => self.accounts.client(&owner).is_some(),
                    Party::Worker { .. } | Party::Proxy => true,
                };
                let _ = answer.send(is_known.then(|| self.statement(party)));
            }
            Ask::Compare {
                worker,
                claimed,
                answer,
            } => {
                let compared = self.accounts.compare(&worker, claimed);
                let statement = compared.map(|_| self.statement(Party::worker(worker)));
                let _ = answer.send(statement.map_err(|refused| refused.to_string()));
            }
            Ask::Refund { client, answer } => {
                let now = self.now();
                if let Ok(Some(record)) = self.accounts.ask_refund(client, now) {
                    self.apply(record)?;
                    self.tick()?;
                }
                self.turn.answers.push(Late::Refund { client, answer });
            }
            Ask::SettleAll { answer } => {
                let asked = self.accounts.ask_settle(self.now());
                let told = match asked {
                    Ok(record) => {
                        self.apply(record)?;
                        self.tick()?;
                        Ok(())
                    }
                    Err(refused) => Err(refused.to_string()),
                };
                let _ = answer.send(told);
            }
            Ask::LiftQuarantine { party, answer } => {
                let lifted = self.accounts.lift_quarantine(party);
                let is_lifted = lifted.is_some();
                if let Some(record) = lifted {
                    self.apply(record)?;
                }
                let _ = answer.send(is_lifted);
            }
            Ask::Look { answer } => {
                let _ = answer.send(self.overview());
            }
        }
        Ok(())
    }

    fn reserve(&self, client: Address, request: RequestId, bound: Bound) -> Result<Record, NotReserved> {
        let terms = &self.network.borrow().own.terms;
        let tokens = bound.tokens(terms).map_err(|refusal| NotReserved {
            refusal,
            may_wait: false,
        })?;
        let now = self.now();
        let reserved = self.accounts.reserve(client, request, tokens, &self.policy, now);
        reserved.map_err(|refused| NotReserved {
            refusal: self.explain(client, refused),
            may_wait: matches!(refused, ReserveRefused::Unsecured | ReserveRefused::NotReady),
        })
    }

    /// What the client is told, in money.
    fn explain(&self, client: Address, refused: ReserveRefused) -> Refusal {
        match refused {
            ReserveRefused::Funds { needed, available } => {
                let sum = |tokens| self.accounts.price_of(tokens).unwrap_or_default();
                let contract = self.network.borrow().client(&client);
                let message = format!(
                    "the request may cost {}, the account at this proxy covers {}: top up {contract}, or lower \
                     max_tokens or the price limit",
                    sum(needed),
                    sum(available),
                );
                Refusal::new(Fault::PaymentRequired, message)
            }
            ReserveRefused::UnknownClient
            | ReserveRefused::ClientClosing
            | ReserveRefused::Quarantined(_) => Refusal::new(Fault::PaymentRequired, refused.to_string()),
            ReserveRefused::Closing => Refusal::new(Fault::Draining, refused.to_string()),
            ReserveRefused::Duplicate => Refusal::new(Fault::IdempotencyConflict, refused.to_string()),
            ReserveRefused::TooManyOpen => Refusal::new(Fault::Busy, refused.to_string()),
            _ => Refusal::new(Fault::PaymentsUnavailable, refused.to_string()),
        }
    }

    fn settle(
        &mut self,
        (client, request): (Address, RequestId),
        worker: Address,
        tokens: u64,
        answer: oneshot::Sender<Result<Paid, Refusal>>,
    ) -> Result<(), BooksError> {
        let now = self.now();
        let charged = match self.accounts.settle(client, request, worker, tokens, now) {
            Ok(Outcome::Charge { record, tokens, cut }) => {
                if cut > 0 {
                    tracing::warn!(%request, cut, "usage above what was set aside is not charged");
                }
                self.apply(record)?;
                tokens
            }
            Ok(Outcome::Already { tokens }) => tokens,
            Err(refused) => {
                let refusal = Refusal::new(Fault::Internal, refused.to_string());
                let _ = answer.send(Err(refusal));
                // Whatever is still set aside is free again.
                return self.release(client, request);
            }
        };
        self.turn.answers.push(Late::Settled {
            client,
            worker,
            tokens: charged,
            answer,
        });
        Ok(())
    }

    pub(super) fn tell(&mut self, late: Late) {
        match late {
            Late::Settled {
                client,
                worker,
                tokens,
                answer,
            } => {
                let paid = Paid {
                    tokens,
                    client_owner: client,
                    client: self.statement(Party::client(client)),
                    worker: self.statement(Party::worker(worker)),
                };
                let _ = answer.send(Ok(paid));
            }
            Late::Refund { client, answer } => {
                let refund = self.refund(client);
                let _ = answer.send(refund);
            }
        }
    }

    pub(super) fn release(&mut self, client: Address, request: RequestId) -> Result<(), BooksError> {
        let now = self.now();
        let released = self.accounts.release(client, request, now);
        released.map_or(Ok(()), |record| self.apply(record))
    }

    fn greet(&mut self, client: Address) -> Result<ClientGreeting, Refusal> {
        let unavailable = |reason: &str| Refusal::new(Fault::PaymentsUnavailable, reason);
        if self.accounts.halted().is_some() {
            return Err(unavailable("the proxy's accounts have stopped"));
        }
        if !self.accounts.is_ready() {
            return Err(unavailable("the proxy waits for its first commit on the chain"));
        }
        if self.accounts.is_closing() {
            return Err(Refusal::new(Fault::Draining, "the proxy is being closed"));
        }
        let account = self.accounts.client(&client);
        if account.is_some_and(|account| account.state.status != Status::Open) {
            return Err(Refusal::new(
                Fault::PaymentRequired,
                "the client's account is closed or closing",
            ));
        }
        if let Some(cause) = account.and_then(|account| account.quarantine) {
            let message = format!("the client is in quarantine: {cause}");
            return Err(Refusal::new(Fault::Forbidden, message));
        }
        let mut nonce = [0; 8];
        if aws_lc_rs::rand::fill(&mut nonce).is_err() {
            return Err(Refusal::new(Fault::Internal, "the system gave no random bytes"));
        }
        let (now, nonce) = (self.now(), u64::from_be_bytes(nonce));
        if self.registering.len() >= MAX_REGISTERING {
            self.registering.retain(|_, waiting| waiting.until > now);
        }
        if self.registering.len() >= MAX_REGISTERING {
            return Err(Refusal::new(Fault::Busy, "too many clients are connecting"));
        }
        let waiting = Registering {
            until: now.saturating_add(REGISTRATION),
            is_seen: false,
            answer: None,
        };
        self.registering.insert((client, nonce), waiting);
        let hash = account.map(|account| account.state.secret_hash);
        let contract = self.network.borrow().client(&client);
        Ok(ClientGreeting {
            contract,
            // No secret, or one that everybody knows, proves nothing: then only the chain does.
            secret_hash: hash.filter(|hash| *hash != [0; 32] && *hash != EMPTY_SECRET),
            nonce,
            statement: self.statement(Party::client(client)),
        })
    }

    /// A client's owner has shown that it knows the number, or somebody asks whether it has.
    pub(super) fn registered(&mut self, owner: Address, nonce: u64, is_seen: bool) {
        let Some(waiting) = self.registering.get_mut(&(owner, nonce)) else {
            return;
        };
        waiting.is_seen |= is_seen;
        if waiting.is_seen
            && let Some(answer) = waiting.answer.take()
        {
            self.registering.remove(&(owner, nonce));
            let _ = answer.send(());
        }
    }

    /// The levels, and the payment for what the chain secures.
    pub(super) fn statement(&mut self, party: Party) -> Statement {
        let network = std::sync::Arc::clone(&self.network.borrow());
        let levels = match party {
            Party::Client { owner } => self.accounts.client(&owner).map(|account| account.levels),
            Party::Worker { owner } => self.accounts.worker(&owner).map(|account| account.levels),
            Party::Proxy => None,
        };
        let levels = levels.unwrap_or_default();
        let proxy = network.own.address();
        let contract = || match party {
            Party::Client { owner } => network.client(&owner),
            Party::Worker { owner } => network.worker(&owner),
            Party::Proxy => proxy,
        };
        let payment = match self.accounts.signable(party) {
            Some(tokens) => self.signer.payment(party, proxy, tokens, contract),
            None => Bytes::new(),
        };
        Statement { payment, levels }
    }

    fn refund(&self, client: Address) -> Result<Bytes, u64> {
        let account = self.accounts.client(&client).ok_or(0u64)?;
        let is_secured = account.levels.chain == account.levels.memory;
        let is_signable = self.accounts.signable(Party::client(client)).is_some();
        if account.open > 0 || !account.refund_asked || !is_secured || !is_signable {
            return Err(u64::from(account.open));
        }
        let contract = self.network.borrow().client(&client);
        let signed = self
            .signer
            .sign(grant(account.generation), account.levels.chain, contract);
        Ok(Bytes::from(signed.to_boc()))
    }

    fn overview(&self) -> Overview {
        Overview {
            terms: self.accounts.terms().copied(),
            contract: self.accounts.contract().copied(),
            halted: self.accounts.halted().map(|halt| format!("{halt}. {HALTED}")),
            ready: self.accounts.is_ready(),
            unsecured: self.accounts.price_of(self.accounts.unsecured()),
            clients: self.accounts.clients().collect(),
            workers: self.accounts.workers().collect(),
            old: self
                .accounts
                .old_contracts()
                .map(|(terms, left)| (terms.contract, left))
                .collect(),
            applied: self.accounts.applied(),
        }
    }
}
