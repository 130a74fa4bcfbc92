//! The worker leg: `connectToProxy`, then `proxyHandshakeComplete` (spec/network.md 6.4).
//!
//! Between them a worker compares balances: it says what it knows of its levels, and is told ours with a signed payment.
//! A claim above what the journal and the chain hold is refused with its reason (spec/ton.md 5.4; the original aborts).

use std::num::NonZeroU32;

use bytes::Bytes;
use cocoon_accounting::Levels;
use cocoon_tl::{TlObject as _, TlString, peek_id, worker};
use cocoon_types::{Address, Coefficient, ModelName};

use super::{Denied, Expected, Handshake, PROTOCOL, Step, address, agree, written};

/// More than a link carries at once anyway (`cocoon_link`: 4096 open streams).
const MAX_CAPACITY: u32 = 4096;

/// A worker between its link and its session.
#[derive(Debug)]
pub(crate) struct WorkerHandshake {
    expected: Expected,
    version: i32,
    announced: Option<Announced>,
}

/// What a worker says of itself in the handshake; its hello says the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Announced {
    pub(crate) model: ModelName,
    pub(crate) coefficient: Coefficient,
    /// This proxy's part of what the worker can do: `ceil(max_active_requests / proxy_cnt)`.
    pub(crate) capacity: NonZeroU32,
    pub(crate) enabled: bool,
    /// Whose money it earns; `None` where nothing is paid.
    pub(crate) owner: Option<Address>,
    /// The protocol that was agreed on.
    pub(crate) version: i32,
}

// === impl WorkerHandshake ===

impl WorkerHandshake {
    pub(crate) fn new(expected: Expected) -> Self {
        Self {
            expected,
            version: PROTOCOL,
            announced: None,
        }
    }

    fn connect(&mut self, question: Bytes) -> Result<Bytes, Denied> {
        let question = worker::ConnectToProxy::from_boxed(question)
            .map_err(|_| Denied::violation("worker.connectToProxy does not parse"))?;
        let params = question.params;
        // 1. flags bit 0; 2. the same kind of network; 3. model; 4. price; 5. capacity; 6. number of proxies;
        // 7. protocol version; 8. owner.
        let setup = params
            .setup
            .ok_or_else(|| Denied::error("the worker is too old: its capacity is missing"))?;
        if setup.is_test != self.expected.is_test {
            return Err(Denied::error(
                "is_test differs: this proxy belongs to another kind of network",
            ));
        }
        let model = model(&params.model)?;
        if let Some(books) = &self.expected.books
            && !books.allows(&model)
        {
            return Err(Denied::error(&format!(
                "the network does not allow the model {model} (hint: its owner can, with `cocoon network allow-model`)"
            )));
        }
        let coefficient = coefficient(params.coefficient)?;
        let capacity = capacity(setup.max_active_requests, setup.proxy_cnt)?;
        let version = agree(params.proto_versions.as_ref(), &self.expected)?;
        self.version = version;
        let own = &params.worker_owner_address;
        let owner = address::owner(params.worker_owner_address.as_bytes())
            .ok_or_else(|| Denied::violation("the owner address does not parse"))?;
        let worker_sc_address = match (&self.expected.books, owner) {
            (None, _) => TlString::EMPTY,
            (Some(books), Some(owner)) => written(&books.worker_contract(&owner), version, own),
            (Some(_), None) => return Err(Denied::error("a worker without an owner cannot be paid here")),
        };
        self.announced = Some(Announced {
            model,
            coefficient,
            capacity,
            enabled: false,
            owner: owner.filter(|_| self.expected.books.is_some()),
            version,
        });
        Ok(worker::ConnectedToProxy {
            params: super::params(&self.expected, version, own),
            worker_sc_address,
        }
        .to_boxed())
    }
}

impl Handshake for WorkerHandshake {
    type Outcome = Announced;

    fn is_original(&self) -> bool {
        self.version < PROTOCOL
    }

    async fn on(&mut self, question: Bytes) -> Result<Step<Announced>, Denied> {
        match (peek_id(&question), self.announced.take()) {
            (Some(worker::ConnectToProxy::ID), None) => self.connect(question).map(Step::Answer),
            (Some(worker::ProxyHandshakeComplete::ID), Some(announced)) => {
                let question = worker::ProxyHandshakeComplete::from_boxed(question)
                    .map_err(|_| Denied::violation("worker.proxyHandshakeComplete does not parse"))?;
                let announced = Announced {
                    enabled: !question.is_disabled,
                    ..announced
                };
                Ok(Step::Done(
                    worker::ProxyHandshakeCompleted {}.to_boxed(),
                    announced,
                ))
            }
            (Some(worker::CompareBalanceWithProxy::ID), Some(announced)) => {
                let answer = self.compare(question, announced.owner).await?;
                self.announced = Some(announced);
                Ok(Step::Answer(answer))
            }
            (Some(worker::ExtendedCompareBalanceWithProxy::ID), Some(announced)) => {
                worker::ExtendedCompareBalanceWithProxy::from_boxed(question).map_err(|_| {
                    Denied::violation("worker.extendedCompareBalanceWithProxy does not parse")
                })?;
                self.announced = Some(announced);
                // There is nothing to extend: what was in our memory alone is gone, and the worker goes on with ours.
                let result = worker::ExtendedCompareBalanceWithProxyResult { error_code: 0 };
                Ok(Step::Answer(result.to_boxed()))
            }
            (_, None) => Err(Denied::uncoded("expected connect message")),
            (_, Some(_)) => Err(Denied::uncoded("expected handshake complete message")),
        }
    }
}

impl WorkerHandshake {
    async fn compare(&self, question: Bytes, owner: Option<Address>) -> Result<Bytes, Denied> {
        let question = worker::CompareBalanceWithProxy::from_boxed(question)
            .map_err(|_| Denied::violation("worker.compareBalanceWithProxy does not parse"))?;
        let (Some(books), Some(owner)) = (&self.expected.books, owner) else {
            return Err(Denied::error(
                "balances are not compared: this proxy pays nothing",
            ));
        };
        let count = |level: i64| {
            u64::try_from(level)
                .map_err(|_| Denied::violation("a level of worker.compareBalanceWithProxy is negative"))
        };
        let claimed = Levels {
            memory: count(question.max_tokens)?,
            journal: count(question.tokens_committed_to_db)?,
            chain: count(question.tokens_committed_to_blockchain)?,
        };
        let statement = books
            .compare(owner, claimed)
            .await
            .map_err(|reason| Denied::error(&reason))?;
        Ok(worker::CompareBalanceWithProxyResult {
            signed_payment: statement.signed_payment(),
            tokens_committed_to_db: statement.journal(),
            max_tokens: statement.memory(),
            // A proxy that was ended by force has lost what was in its memory alone.
            error_code: i32::from(claimed.memory > statement.levels.memory),
        }
        .to_boxed())
    }
}

/// A price as workers announce it, in the handshake or later.
pub(crate) fn coefficient(announced: i32) -> Result<Coefficient, Denied> {
    u32::try_from(announced)
        .ok()
        .and_then(Coefficient::new)
        .ok_or_else(|| Denied::violation("the coefficient is not between 0 and 999999999"))
}

fn model(announced: &TlString) -> Result<ModelName, Denied> {
    std::str::from_utf8(announced.as_bytes())
        .ok()
        .and_then(|name| ModelName::new(name).ok())
        .ok_or_else(|| Denied::violation("the model is empty or not a model's name"))
}

fn capacity(max_active_requests: i32, proxy_cnt: i32) -> Result<NonZeroU32, Denied> {
    let positive = |value: i32| u32::try_from(value).ok().and_then(NonZeroU32::new);
    let total =
        positive(max_active_requests).ok_or_else(|| Denied::violation("max_active_requests is below 1"))?;
    let proxies = positive(proxy_cnt).ok_or_else(|| Denied::violation("proxy_cnt is below 1"))?;
    let part = total.get().div_ceil(proxies.get()).min(MAX_CAPACITY);
    NonZeroU32::new(part).ok_or_else(|| Denied::violation("max_active_requests is below 1"))
}
