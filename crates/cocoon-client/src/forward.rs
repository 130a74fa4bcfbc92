//! One request on its way through the network: choice of a proxy, attempts, the answer's first byte.

mod answer;

use std::sync::Arc;

use bytes::Bytes;
use cocoon_link::{RequestHead, SealedHead};
use cocoon_seal::{RequestSpec, SealedRequest, padded_body};
use cocoon_types::{Coefficient, Endpoint, Fault, ModelName, Nanoton, Refusal, RequestId, TierPolicy};
use cocoon_web::{clock::unix_now, keys::KeyId};
use tokio::time::{Instant, timeout_at};

use crate::{
    account::Feared,
    allowance::Allowance,
    links::{Links, Slot},
    metrics::GatewayMetrics,
    sealed::{Board, SealOptions, Unsealer, Wanted},
};
pub(crate) use answer::Answer;

/// A request, as it is sent to whichever proxy takes it.
pub(crate) struct Order {
    pub(crate) endpoint: Endpoint,
    pub(crate) model: ModelName,
    pub(crate) max_tokens: u32,
    pub(crate) tier: TierPolicy,
    pub(crate) max_coefficient: Coefficient,
    /// The most that the answer may cost.
    pub(crate) max_price: Option<Nanoton>,
    /// What the caller's API key may spend.
    pub(crate) allowance: Option<Allowance>,
    /// When the whole answer must be there.
    pub(crate) deadline: Instant,
    /// The body and nothing else: no header of the caller leaves the gateway.
    pub(crate) body: Bytes,
    /// How it is sealed.
    pub(crate) seal: SealOptions,
    /// Whose API key asked.
    pub(crate) holder: Option<KeyId>,
}

/// An attempt that came to no answer.
struct Failed {
    refusal: Refusal,
    /// A worker had forgotten a session, or the offers have changed: the same proxy may do better at once.
    again: bool,
}

/// Most bytes of a peer's own words that a caller is shown.
const WORDS: usize = 500;

/// Nobody starts to serve a sealed request later than this, in seconds from now: a worker refuses what is further ahead than
/// 600 (docs/sealing.md 3.5), and clocks may be 30 apart.
const START_WITHIN: u64 = 540;

/// Sends the request until a proxy answers it: each proxy is tried once, and one of them once more when all that it lost
/// was a worker or a session. Returns with the first bytes of the answer; from there on nothing is tried again.
///
/// # Errors
/// The refusal that says most about why it was not served.
pub(crate) async fn forward(
    links: &Links,
    order: &Order,
    metrics: &GatewayMetrics,
) -> Result<Answer, Refusal> {
    let mut tried = Vec::new();
    let mut may_repeat = true;
    let mut told: Option<Refusal> = None;
    loop {
        let slot = match links.pick(order.tier, &tried) {
            Ok(slot) => slot,
            Err(none) => return Err(told.unwrap_or(none)),
        };
        let index = slot.index;
        let attempt = timeout_at(order.deadline, attempt(slot, order)).await;
        let Failed { refusal, again } = match attempt {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(failed)) => Failed {
                refusal: presentable(failed.refusal),
                ..failed
            },
            Err(_) => return Err(timed_out()),
        };
        if !again && !may_try_elsewhere(refusal.fault) {
            return Err(refusal);
        }
        if (again || refusal.fault == Fault::WorkerLost) && may_repeat {
            may_repeat = false;
        } else {
            tried.push(index);
        }
        metrics.failover(refusal.fault);
        told = Some(match told.take() {
            // That one proxy does not know the model says less than that another one is busy with it.
            Some(before) if refusal.fault == Fault::UnknownModel => before,
            _ => refusal,
        });
    }
}

/// The refusal of a request whose deadline has passed.
pub(crate) fn timed_out() -> Refusal {
    Refusal::new(
        Fault::Timeout,
        "the deadline of the request has passed (hint: x-cocoon-timeout)",
    )
}

/// One attempt at one proxy, up to the first bytes of the answer.
async fn attempt(slot: Slot, order: &Order) -> Result<Answer, Failed> {
    // The body is handed to a verified peer of an acceptable tier only.
    slot.admit(order.tier)?;
    match slot.board().cloned() {
        Some(board) => sealed(slot, board, order).await,
        None => Ok(readable(slot, order).await?),
    }
}

/// An attempt that only the workers which this gateway chose can read.
async fn sealed(slot: Slot, board: Arc<Board>, order: &Order) -> Result<Answer, Failed> {
    let Some(account) = slot.account().cloned() else {
        return Err(Refusal::new(Fault::Internal, "offers without an account").into());
    };
    // The id follows from the sealed head; until then nobody is told of it.
    let mut feared = account.open(RequestId([0; 32]), order)?;
    let wanted = Wanted {
        model: &order.model,
        tier: order.tier,
        max_coefficient: feared.max_coefficient(),
        candidates: order.seal.candidates.into(),
    };
    let sealed = async {
        let drawn = board.draw(wanted, slot.session().link()).await?;
        let left = order.deadline.saturating_duration_since(Instant::now());
        let spec = RequestSpec {
            endpoint: order.endpoint,
            model: order.model.clone(),
            max_tokens: order.max_tokens,
            tier: order.tier,
            padded: order.seal.padded,
            max_coefficient: wanted.max_coefficient,
            deadline: unix_now() + left.as_secs().clamp(1, START_WITHIN),
            offer: drawn.list.digest(),
            remember: order.seal.remember,
        };
        let sealed = drawn
            .seal(&board, &spec, order.body.clone())
            .map_err(|error| Refusal::new(Fault::Internal, format!("the request was not sealed: {error}")))?;
        Ok::<_, Refusal>((drawn, sealed, left))
    };
    let (drawn, sealed, left) = match sealed.await {
        Ok(sealed) => sealed,
        Err(refusal) => return Err(account.refused(feared, refusal).into()),
    };
    let SealedRequest {
        head,
        wraps,
        body,
        pending,
    } = sealed;
    feared.set_request(head.head().request_id);
    let head = SealedHead {
        head,
        candidate: 0,
        wraps,
    };
    let exchange = slot
        .session()
        .open(RequestHead::of_sealed(head, left))
        .await
        .map_err(|_| Refusal::new(Fault::ProxyLost, "the link to the proxy broke"))?;
    let unsealer = Unsealer::new(board, drawn, pending);
    Answer::begin_sealed(slot, exchange, order, feared, (body, unsealer)).await
}

/// An attempt that the proxy can read: it is of protocol 2 or less, or the network has no chain. The operator allowed it by name
/// ([`Slot::admit`]).
async fn readable(slot: Slot, order: &Order) -> Result<Answer, Refusal> {
    let request_id = new_id()?;
    let feared = match slot.account() {
        None => None,
        Some(account) => Some(account.open(request_id, order)?),
    };
    let max_coefficient = feared
        .as_ref()
        .map_or(order.max_coefficient, Feared::max_coefficient);
    let head = RequestHead {
        request_id,
        endpoint: order.endpoint,
        model: order.model.clone(),
        max_tokens: order.max_tokens,
        tier: order.tier,
        max_coefficient,
        timeout: order.deadline.saturating_duration_since(Instant::now()),
        body_bytes: order.body.len() as u64,
        sealed: None,
    };
    let exchange = slot
        .session()
        .open(head)
        .await
        .map_err(|_| Refusal::new(Fault::ProxyLost, "the link to the proxy broke"))?;
    Answer::begin(slot, exchange, order, feared).await
}

// === impl Order ===

impl Order {
    /// Bytes of the body that the proxy may reserve for: those that it sees.
    pub(crate) fn billed_bytes(&self) -> u64 {
        padded_body(self.body.len())
    }
}

// === impl Failed ===

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            again: false,
        }
    }
}

/// A fresh request id, for one leg or for a caller.
///
/// # Errors
/// [`Fault::Internal`] when the system gives no random bytes.
pub(crate) fn new_id() -> Result<RequestId, Refusal> {
    let mut id = [0; 32];
    aws_lc_rs::rand::fill(&mut id)
        .map_err(|_| Refusal::new(Fault::Internal, "the system gave no random bytes"))?;
    Ok(RequestId(id))
}

/// Whether another proxy, with other workers, may do better.
fn may_try_elsewhere(fault: Fault) -> bool {
    fault.is_retryable_elsewhere()
        || matches!(
            fault,
            Fault::UnknownModel | Fault::TierUnavailable | Fault::PriceTooLow | Fault::PaymentRequired
        )
}

/// A peer's refusal, in a form that can be shown: its words shortened, and no fault that only a gateway can find.
fn presentable(refusal: Refusal) -> Refusal {
    let fault = match refusal.fault {
        Fault::NotFound
        | Fault::MethodNotAllowed
        | Fault::Unauthorized
        | Fault::Forbidden
        | Fault::IdempotencyConflict
        | Fault::Cancelled => Fault::ProtocolViolation,
        fault => fault,
    };
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut message: String = refusal.message.chars().map(plain).collect();
    if message.len() > WORDS {
        message.truncate(message.floor_char_boundary(WORDS));
        message.push('…');
    }
    Refusal {
        fault,
        message,
        param: refusal.param,
    }
}

#[cfg(test)]
mod tests;
