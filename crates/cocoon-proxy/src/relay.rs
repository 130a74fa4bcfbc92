//! One request: reserve, choose a worker, relay body and answer at the receiver's pace, settle.
//!
//! Credit returns to a sender only when the other leg has taken the piece, so that a slow reader slows its own stream
//! from end to end and nothing is piled up here. Until the answer's head has gone out, another worker may be tried:
//! that is why the pieces of small bodies are kept so long ([`upload`]).

mod bounds;
mod sealed;
mod upload;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use cocoon_link::{
    AnswerEnd, AnswerEvent, AnswerHead, AnswerReceiver, AnswerSender, BodyReceiver, BodySender, Exchange,
    Link, RequestHead, Serving, Unfinished,
};
use cocoon_matching::{Choice, Obstacle, WorkerId};
use cocoon_tl::{TlObject as _, TlString, proxy};
use cocoon_types::{Coefficient, Fault, MAX_BODY_BYTES, Refusal, RequestId, Tier, TierPolicy};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::accounting::{Paid, Party};
use crate::board::{Ask, Asker, NoPlace};
use crate::node::{Node, WorkerSlot};
use crate::teller::Teller;
use upload::{Kept, Upload, UploadEnd};

/// Workers that one request may lose or be turned away by, beside those that are merely busy.
const MAX_LOST: usize = 4;
/// Pause before a worker that said it is busy, against our own count, is asked again.
const BUSY_PAUSE: Duration = Duration::from_millis(100);

/// How long a worker that said it is busy is left out while the others are waited for.
const BUSY_MEMORY: Duration = Duration::from_millis(500);

/// How long both sides are waited for when they are told what was paid.
const TELL_PAID: Duration = Duration::from_secs(1);

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) party: Party,
    pub(crate) link: Link,
    pub(crate) teller: Arc<Teller>,
    pub(crate) asker: Asker,
    /// Whether it speaks a protocol that leaves its requests readable here (2 or less).
    pub(crate) plaintext: bool,
}

/// A request while it is relayed.
#[derive(Debug)]
struct Job<'a> {
    node: &'a Node,
    head: &'a RequestHead,
    ask: Ask,
    answer: &'a mut AnswerSender,
    upload: Upload,
    kept: Kept,
    started: Instant,
    deadline: Instant,
    /// The price that the client was told, with the head of the answer. From then on no other worker can be tried.
    agreed: Option<Coefficient>,
    /// The id under which the worker knows the request.
    leg: RequestId,
}

/// Serves one request of a client, to its end.
pub(crate) async fn serve(node: &Node, client: &Client, serving: Serving) {
    let _open = node.open_request();
    let Serving {
        head,
        body,
        mut answer,
    } = serving;
    let outcome = tokio::select! {
        outcome = relay(node, client, &head, body, &mut answer) => outcome,
        () = node.stopped.cancelled() => {
            let message = "the proxy stopped before the answer was complete";
            Err(Refusal::new(Fault::Draining, message).into())
        }
    };
    node.metrics.ended(outcome.as_ref().err().map(Unfinished::fault));
    answer.finish(outcome).await;
}

async fn relay(
    node: &Node,
    client: &Client,
    head: &RequestHead,
    body: BodyReceiver,
    answer: &mut AnswerSender,
) -> Result<AnswerEnd, Unfinished> {
    if node.is_draining() {
        return Err(Refusal::new(Fault::Draining, "the proxy is shutting down").into());
    }
    if let Some(fault) = node.trust.clock_fault() {
        let message = format!("the proxy takes nothing new: {fault}");
        return Err(Refusal::new(Fault::Draining, message).into());
    }
    if let Some(sealed) = &head.sealed {
        let Some(desk) = node.sealed.as_deref() else {
            let message =
                "this proxy takes nothing sealed: without payments it has no key to sign offers with";
            return Err(Refusal::new(Fault::TierUnavailable, message).into());
        };
        return Box::pin(sealed::relay(node, desk, client, head, sealed, body, answer)).await;
    }
    if only_sealed(head.tier) {
        let message = "this proxy could read the request, which is not sealed: that is never confidential";
        return Err(Refusal::new(Fault::TierUnavailable, message).into());
    }
    if head.body_bytes > MAX_BODY_BYTES as u64 {
        let message = format!("the body is larger than {MAX_BODY_BYTES} bytes");
        return Err(Refusal::new(Fault::BodyTooLarge, message).into());
    }
    let reservation = node.ledger.reserve(&client.party, head).await?;
    let started = Instant::now();
    let mut job = Job {
        node,
        head,
        ask: Ask {
            asker: client.asker,
            model: head.model.clone(),
            endpoint: head.endpoint,
            tier: head.tier,
            max_coefficient: head.max_coefficient,
            plaintext: client.plaintext,
        },
        answer,
        upload: Upload::new(body, head.body_bytes, 0),
        kept: Kept::default(),
        started,
        deadline: started + head.timeout.min(node.limits.max_timeout),
        agreed: None,
        leg: head.request_id,
    };
    let (end, slot) = job.run().await?;
    let worker_link = slot.peer().session.link();
    let worker = Party {
        peer: worker_link.peer().clone(),
        owner: slot.peer().owner,
    };
    let usage = bounds::sane(end.usage, head, slot.worker(), &node.metrics);
    let agreed = job.agreed.unwrap_or(slot.choice().coefficient);
    if let Some(paid) = reservation.settle(&worker, agreed, usage).await? {
        let worker = slot.peer();
        tell_paid(
            paid,
            (head.request_id, &client.link, &client.teller),
            (job.leg, worker_link, &worker.teller),
        )
        .await;
    }
    Ok(AnswerEnd { usage, ..end })
}

/// Tells both sides what was paid (spec/ton.md 4.5). Who does not hear it asks for its status.
async fn tell_paid(
    paid: Paid,
    (request, client, to_client): (RequestId, &Link, &Teller),
    (leg, worker, to_worker): (RequestId, &Link, &Teller),
) {
    let request_tokens = i64::try_from(paid.tokens).unwrap_or(i64::MAX);
    let for_client = to_client.tell(paid.client, async |told| {
        let message = proxy::ClientRequestPayment {
            request_id: request.0,
            signed_payment: told.signed_payment(),
            db_tokens: told.journal(),
            max_tokens: told.memory(),
            request_tokens,
        };
        client.send(message.to_boxed()).await
    });
    let for_worker = to_worker.tell(paid.worker, async |told| {
        let message = proxy::WorkerRequestPaymentData {
            request_id: leg.0,
            signed_payment: told.signed_payment(),
            db_tokens: told.journal(),
            max_tokens: told.memory(),
            request_tokens,
            request_client_owner: TlString::EMPTY,
        };
        worker.send(message.to_boxed()).await
    });
    let told = async { tokio::join!(for_client, for_worker) };
    // A link that does not take a message so long has other troubles.
    let _ = timeout(TELL_PAID, told).await;
}

// === impl Job ===

impl Job<'_> {
    /// Tries workers until one serves the request or none is left to try.
    async fn run(&mut self) -> Result<(AnswerEnd, WorkerSlot), Unfinished> {
        let mut tried: Vec<WorkerId> = Vec::new();
        let mut busy: Vec<WorkerId> = Vec::new();
        let mut last: Option<Refusal> = None;
        loop {
            let excluded = [tried.as_slice(), busy.as_slice()].concat();
            let placed = if busy.is_empty() {
                self.place(&excluded).await?
            } else {
                // One that was busy a moment ago may be free now; waiting for the others alone would pass it over.
                match timeout(BUSY_MEMORY, self.place(&excluded)).await {
                    Ok(placed) => placed?,
                    Err(_) => {
                        busy.clear();
                        continue;
                    }
                }
            };
            let slot = match placed {
                Ok(slot) => slot,
                Err(NoPlace::NoMatch(none)) if none.obstacle == Obstacle::AllTried && !busy.is_empty() => {
                    self.pause().await?;
                    busy.clear();
                    continue;
                }
                Err(none) => {
                    return Err(last.unwrap_or_else(|| none.to_refusal(&self.ask)).into());
                }
            };
            let refusal = match timeout_at(self.deadline, self.attempt(&slot)).await {
                Ok(Ok(end)) => return Ok((end, slot)),
                Ok(Err(Unfinished::Refused(refusal))) => refusal,
                Ok(Err(gone)) => return Err(gone),
                Err(_) => return Err(self.timeout()),
            };
            tracing::debug!(
                request = %self.head.request_id, worker = %slot.worker(), fault = %refusal.fault, answered = self.agreed.is_some(),
                "a worker did not serve a request"
            );
            if self.agreed.is_some() || !self.kept.is_whole() || !may_try_elsewhere(refusal.fault) {
                return Err(refusal.into());
            }
            if refusal.fault == Fault::Busy {
                busy.push(slot.worker());
                self.node.rest(slot);
            } else {
                tried.push(slot.worker());
                if tried.len() >= MAX_LOST {
                    return Err(refusal.into());
                }
            }
            self.node.metrics.retries.inc();
            last = Some(refusal);
        }
    }

    /// Waits for a place, no longer than a line may hold a request.
    async fn place(&self, excluded: &[WorkerId]) -> Result<Result<WorkerSlot, NoPlace>, Unfinished> {
        let patience = self.started + self.node.limits.queue_wait;
        let place = timeout_at(
            self.deadline.min(patience),
            self.node.board.place(&self.ask, excluded),
        );
        let placed = self.answer.unless_cancelled(place).await?;
        placed.map_err(|_| {
            if patience < self.deadline {
                let message = format!("{}: no worker became free in time", self.ask.model);
                Refusal::new(Fault::Busy, message).into()
            } else {
                self.timeout()
            }
        })
    }

    async fn pause(&self) -> Result<(), Unfinished> {
        // Jitter, so that requests that were turned away together do not come back together.
        let pause = BUSY_PAUSE.mul_f64(0.5 + fastrand::f64());
        let patience = self.started + self.node.limits.queue_wait;
        if Instant::now() + pause >= self.deadline.min(patience) {
            let message = format!("{}: every worker is busy", self.ask.model);
            return Err(Refusal::new(Fault::Busy, message).into());
        }
        Ok(self.answer.unless_cancelled(sleep(pause)).await?)
    }

    /// One try at one worker, to the end of its answer.
    async fn attempt(&mut self, slot: &WorkerSlot) -> Result<AnswerEnd, Unfinished> {
        self.leg = fresh_id()?;
        let leg = RequestHead {
            request_id: self.leg,
            // The price that was agreed now: a worker that has become dearer meanwhile refuses.
            max_coefficient: slot.choice().coefficient,
            timeout: self.deadline.saturating_duration_since(Instant::now()),
            ..self.head.clone()
        };
        let exchange = slot.peer().session.open(leg).await;
        let exchange = exchange.map_err(|_| worker_lost())?;
        self.exchange(exchange, slot.choice()).await
    }

    /// Moves the body one way and the answer the other, side by side, so that neither can hold up the other.
    async fn exchange(&mut self, exchange: Exchange, choice: &Choice) -> Result<AnswerEnd, Unfinished> {
        let (mut to_worker, mut from_worker): (BodySender, AnswerReceiver) = exchange.split();
        let mut up = pin!(self.upload.run(&self.kept, &mut to_worker));
        let mut down = pin!(download(
            self.answer,
            &mut from_worker,
            &self.ask,
            choice,
            &self.kept,
            &mut self.agreed
        ));
        let mut uploaded = false;
        loop {
            tokio::select! {
                ended = &mut down => return ended,
                sent = &mut up, if !uploaded => match sent {
                    // When the worker has ended the stream, the answer's side tells why.
                    Ok(()) | Err(UploadEnd::Stream) => uploaded = true,
                    Err(UploadEnd::Client) => return Err(Unfinished::Gone),
                    Err(UploadEnd::Violation) => {
                        let message = "the body is not as long as announced";
                        return Err(Refusal::new(Fault::ProtocolViolation, message).into());
                    }
                },
            }
        }
    }

    fn timeout(&self) -> Unfinished {
        let seconds = self.deadline.duration_since(self.started).as_secs_f64();
        let message = format!("the answer was not complete after {seconds:.1} s");
        Refusal::new(Fault::Timeout, message).into()
    }
}

/// Relays the answer. The client's going away is noticed at every step.
async fn download(
    answer: &mut AnswerSender,
    from_worker: &mut AnswerReceiver,
    ask: &Ask,
    choice: &Choice,
    kept: &Kept,
    agreed: &mut Option<Coefficient>,
) -> Result<AnswerEnd, Unfinished> {
    let head = answer.unless_cancelled(from_worker.head()).await??;
    let tier = admitted_tier(choice.tier, head.tier);
    if !ask.tier.accepts(tier) {
        let message = format!("the worker answered at tier {tier}, which was not asked for");
        return Err(Refusal::new(Fault::TierUnavailable, message).into());
    }
    if head.coefficient > choice.coefficient {
        let message = "the worker asks for more than it offered";
        return Err(Refusal::new(Fault::ProtocolViolation, message).into());
    }
    kept.forget();
    *agreed = Some(head.coefficient);
    answer.head(AnswerHead { tier, ..head }).await?;
    loop {
        match answer.unless_cancelled(from_worker.next()).await?? {
            AnswerEvent::Part(part) => answer.part(part).await?,
            AnswerEvent::End(end) => return Ok(end),
        }
    }
}

/// The tier of an answer: as appraised, or `open` when the worker itself says so. Its word never raises it. What this proxy could
/// read was not confidential, whoever served it.
fn admitted_tier(appraised: Tier, claimed: Tier) -> Tier {
    match (appraised, claimed) {
        (_, Tier::Open) => Tier::Open,
        (Tier::Confidential, _) => Tier::Attested,
        (appraised, _) => appraised,
    }
}

/// Whether nothing less than `confidential` will do, so that no request that is readable here does.
fn only_sealed(tier: TierPolicy) -> bool {
    tier.floor() == Tier::Confidential && !tier.accepts_simulated()
}

/// Whether another worker may do better. Price and tier belong to the worker that refused, so another one may suit.
fn may_try_elsewhere(fault: Fault) -> bool {
    fault.is_retryable_elsewhere() || matches!(fault, Fault::PriceTooLow | Fault::TierUnavailable)
}

fn worker_lost() -> Refusal {
    Refusal::new(Fault::WorkerLost, "the link to the worker broke")
}

/// Each leg has an id of its own, so that workers cannot link a client's requests.
fn fresh_id() -> Result<RequestId, Refusal> {
    let mut id = [0; 32];
    aws_lc_rs::rand::fill(&mut id)
        .map_err(|_| Refusal::new(Fault::Internal, "the system gave no random bytes"))?;
    Ok(RequestId(id))
}

#[cfg(test)]
mod tests {
    use cocoon_types::{Tier, TierPolicy};

    use super::{admitted_tier, only_sealed};

    #[test]
    fn what_is_not_sealed_is_never_confidential() {
        assert!(only_sealed(TierPolicy::CONFIDENTIAL));
        assert!(!only_sealed(TierPolicy::CONFIDENTIAL.and_simulated()));
        assert!(!only_sealed(TierPolicy::at_least(Tier::Attested)));
        for appraised in [Tier::Confidential, Tier::Attested, Tier::Open, Tier::Simulated] {
            for claimed in [Tier::Confidential, Tier::Attested, Tier::Open, Tier::Simulated] {
                let tier = admitted_tier(appraised, claimed);
                assert_ne!(tier, Tier::Confidential, "{appraised} {claimed}");
                assert!(claimed != Tier::Open || tier == Tier::Open);
            }
        }
    }
}
