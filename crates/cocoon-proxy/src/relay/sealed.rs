//! One sealed request: go down the client's candidates, carry what cannot be read here, settle by the worker's receipt.
//!
//! Only a worker's signed refusal, or its link's end, lets the next candidate have the request (docs/sealing.md, section 6);
//! which it was goes to the client with the answer. What the proxy checks is what it may know: the head.

use std::{pin::pin, sync::Arc};

use bytes::Bytes;
use cocoon_link::{
    AnswerEnd, AnswerEvent, AnswerHead, AnswerReceiver, AnswerSender, BodyReceiver, RequestHead,
    SealedAnswer, SealedHead, Unfinished,
};
use cocoon_seal::{
    Charge, NotOffered, Offer, Outcome, Receipt, SEALED_OVERHEAD, SealingPublic, SignedRefusal,
};
use cocoon_types::{Fault, Refusal, Usage};
use cocoon_web::clock::unix_now;
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    Client, MAX_LOST,
    bounds::PROMPT_ALLOWANCE,
    tell_paid,
    upload::{Kept, Upload, UploadEnd},
};
use crate::{
    accounting::{Party, Reservation},
    board::Claim,
    node::{Node, WorkerPeer},
    sealed::{Named, Published, Sealed, Served},
};

/// Between two looks whether the last candidate has a free place.
const LOOK: std::time::Duration = std::time::Duration::from_millis(40);

/// A sealed request while it is relayed.
struct Job<'a> {
    node: &'a Node,
    sealed: &'a SealedHead,
    published: Arc<Published>,
    answer: &'a mut AnswerSender,
    upload: Upload,
    kept: Kept,
    started: Instant,
    deadline: Instant,
    /// For each candidate that was passed over.
    skipped: Vec<Bytes>,
}

/// A worker's whole answer.
struct Answered {
    end: AnswerEnd,
    head: cocoon_seal::AnswerHead,
    /// The part that makes it whole for its client; it leaves when the request is settled.
    last: Option<Bytes>,
}

/// The kind of a sealed part that is the end of its answer (docs/sealing.md, section 4.2).
const END: u8 = 1;

/// How a try at a candidate failed.
enum Failed {
    /// The next candidate may have it: the worker's signed refusal, or no bytes.
    Skipped(Refusal, Bytes),
    /// Nobody else may.
    Ended(Unfinished),
}

/// Relays and settles one sealed request.
pub(super) async fn relay(
    node: &Node,
    desk: &Sealed,
    client: &Client,
    head: &RequestHead,
    sealed: &SealedHead,
    body: BodyReceiver,
    answer: &mut AnswerSender,
) -> Result<AnswerEnd, Unfinished> {
    let asked = sealed.head.head();
    let now = unix_now();
    if sealed.candidate != 0 || sealed.wraps.len() != asked.candidates.len() {
        return Err(refuse(
            Fault::ProtocolViolation,
            "not one wrap for each candidate",
        ));
    }
    let Some(left) = asked.deadline.checked_sub(now) else {
        return Err(refuse(Fault::Timeout, "the deadline of the request is past"));
    };
    let published = desk.offers.find(&asked.model, asked.offer, now);
    let published = published.ok_or_else(|| {
        let message = "the request is not drawn from this proxy's offers of this epoch or the one before";
        refuse(Fault::NoWorker, message)
    })?;
    published.admits(asked).map_err(|error| {
        let fault = match error {
            NotOffered::Price(_) => Fault::PriceTooLow,
            NotOffered::OtherList | NotOffered::Candidate(_) => Fault::ProtocolViolation,
        };
        Unfinished::from(Refusal::new(fault, error.to_string()))
    })?;
    let reservation = node.ledger.reserve(&client.party, head).await?;
    let started = Instant::now();
    let timeout = head
        .timeout
        .min(node.limits.max_timeout)
        .min(std::time::Duration::from_secs(left + 1));
    let mut job = Job {
        node,
        sealed,
        published: Arc::clone(&published),
        answer,
        upload: Upload::new(body, asked.body_bytes, SEALED_OVERHEAD),
        kept: Kept::default(),
        started,
        deadline: started + timeout,
        skipped: Vec::new(),
    };
    let (answered, claim, named, offer) = job.run().await?;
    let exchange = Exchange {
        node,
        desk,
        client,
        head,
        asked,
        claim: &claim,
        named: &named,
        offer: &offer,
    };
    let usage = exchange.settle(reservation, &answered).await?;
    if let Some(last) = answered.last {
        job.answer.part(last).await?;
    }
    Ok(AnswerEnd {
        usage,
        // It is the client's in the last sealed part.
        receipt: None,
        ..answered.end
    })
}

fn refuse(fault: Fault, message: &str) -> Unfinished {
    Refusal::new(fault, message).into()
}

// === impl Job ===

impl Job<'_> {
    /// Goes down the candidates until one serves.
    async fn run(&mut self) -> Result<(Answered, Claim<Arc<WorkerPeer>>, Arc<Named>, Offer), Unfinished> {
        let candidates = self.sealed.head.head().candidates.clone();
        let published = Arc::clone(&self.published);
        let mut last = None;
        for (at, key_id) in candidates.iter().enumerate() {
            let is_last = at + 1 == candidates.len();
            let Some((named, offer)) = published.candidate(*key_id) else {
                // Admitted, so that it cannot be.
                return Err(refuse(
                    Fault::Internal,
                    "a candidate that was admitted is not offered",
                ));
            };
            let tried = match self.claim(named, is_last).await? {
                Some(claim) => self
                    .attempt(at, &claim, named, offer)
                    .await
                    .map(|answered| (answered, claim)),
                None => Err(Failed::lost("the worker is not here any more")),
            };
            match tried {
                Ok((answered, claim)) => return Ok((answered, claim, Arc::clone(named), *offer)),
                Err(Failed::Ended(unfinished)) => return Err(unfinished),
                Err(Failed::Skipped(refusal, reason)) => {
                    tracing::debug!(fault = %refusal.fault, signed = !reason.is_empty(), at, "a candidate did not serve");
                    self.skipped.push(reason);
                    last = Some(refusal);
                }
            }
            if !self.kept.is_whole() || self.skipped.len() >= MAX_LOST.max(candidates.len()) {
                break;
            }
            if !is_last {
                self.node.metrics.retries.inc();
            }
        }
        let refusal = last.unwrap_or_else(|| Refusal::new(Fault::NoWorker, "no candidate serves"));
        Err(Unfinished::Sealed(refusal, std::mem::take(&mut self.skipped)))
    }

    /// The worker behind a key. The last candidate is waited for while all its places are taken, as long as a line may hold a
    /// request; any other one says itself that it is busy.
    async fn claim(
        &self,
        named: &Named,
        is_last: bool,
    ) -> Result<Option<Claim<Arc<WorkerPeer>>>, Unfinished> {
        let patience = (self.started + self.node.limits.queue_wait).min(self.deadline);
        let mut place_in_line = None;
        loop {
            let Some(worker) = named.worker(self.node) else {
                return Ok(None);
            };
            let claim = self.node.board.claim(worker);
            let Some(claim) = claim else {
                return Ok(None);
            };
            if claim.is_placed() || !is_last || Instant::now() >= patience {
                return Ok(Some(claim));
            }
            if place_in_line.is_none() {
                match self.node.sealed_line.try_acquire() {
                    Ok(place) => place_in_line = Some(place),
                    // Too many wait: the worker may say so itself.
                    Err(_) => return Ok(Some(claim)),
                }
            }
            self.answer.unless_cancelled(sleep(LOOK)).await?;
        }
    }

    /// One try at one candidate, to the end of its answer.
    async fn attempt(
        &mut self,
        at: usize,
        claim: &Claim<Arc<WorkerPeer>>,
        named: &Named,
        offer: &Offer,
    ) -> Result<Answered, Failed> {
        let leg = SealedHead {
            head: self.sealed.head.clone(),
            candidate: u8::try_from(at).unwrap_or(u8::MAX),
            wraps: self.sealed.wraps.get(at).cloned().into_iter().collect(),
        };
        let left = self.deadline.saturating_duration_since(Instant::now());
        let exchange = claim.peer.session.open(RequestHead::of_sealed(leg, left)).await;
        let exchange = exchange.map_err(|_| Failed::lost("the link to the worker broke"))?;
        let (mut to_worker, mut from_worker) = exchange.split();
        let deadline = self.deadline;
        let mut up = pin!(self.upload.run(&self.kept, &mut to_worker));
        let mut down = pin!(download(
            self.answer,
            &mut from_worker,
            &self.sealed.head,
            (named, offer, claim),
            &self.kept,
            &mut self.skipped,
        ));
        let mut uploaded = false;
        let both = async {
            loop {
                tokio::select! {
                    ended = &mut down => return ended,
                    sent = &mut up, if !uploaded => match sent {
                        // When the worker has ended the stream, the answer's side tells why.
                        Ok(()) | Err(UploadEnd::Stream) => uploaded = true,
                        Err(UploadEnd::Client) => return Err(Failed::Ended(Unfinished::Gone)),
                        Err(UploadEnd::Violation) => {
                            let message = "the body is not as long as announced";
                            return Err(Failed::Ended(refuse(Fault::ProtocolViolation, message)));
                        }
                    },
                }
            }
        };
        timeout_at(deadline, both).await.unwrap_or_else(|_| {
            let message = "the answer was not complete in time";
            Err(Failed::Ended(refuse(Fault::Timeout, message)))
        })
    }
}

/// Relays the answer. The client's going away is noticed at every step.
async fn download(
    answer: &mut AnswerSender,
    from_worker: &mut AnswerReceiver,
    head: &cocoon_seal::EncodedHead,
    (named, offer, claim): (&Named, &Offer, &Claim<Arc<WorkerPeer>>),
    kept: &Kept,
    skipped: &mut Vec<Bytes>,
) -> Result<Answered, Failed> {
    let begun = match answer.unless_cancelled(from_worker.head()).await? {
        Ok(begun) => begun,
        Err(refusal) => {
            let signed = from_worker.skipped();
            return Err(match signed_by(&signed, head, &named.key) {
                Some(signed) => Failed::Skipped(refusal, signed),
                // Nobody but the worker can say that it does not serve; that it says nothing is as if it were not there.
                None => {
                    claim.peer.record.fault();
                    Failed::Skipped(refusal, Bytes::new())
                }
            });
        }
    };
    let told = begun
        .sealed
        .as_ref()
        .and_then(|sealed| cocoon_seal::AnswerHead::decode(&sealed.head).ok());
    // The session lets no other head through.
    let (Some(told), Some(sealed)) = (told, begun.sealed) else {
        return Err(Failed::Ended(refuse(
            Fault::Internal,
            "an answer without its head",
        )));
    };
    if told.key_id != offer.key_id
        || told.coefficient != offer.coefficient
        || !head.head().tier.accepts(told.tier)
    {
        tracing::warn!(worker = %claim.worker, "a worker answers as another, or not as it was offered");
        claim.peer.record.fault();
        return Err(Failed::lost(
            "the worker answered as another, or not as it was offered",
        ));
    }
    kept.forget();
    let sealed = SealedAnswer {
        head: sealed.head,
        skipped: std::mem::take(skipped),
    };
    answer
        .head(AnswerHead {
            sealed: Some(sealed),
            status: begun.status,
            content_type: begun.content_type,
            tier: begun.tier,
            coefficient: begun.coefficient,
        })
        .await?;
    let mut last = None;
    loop {
        match answer.unless_cancelled(from_worker.next()).await? {
            Ok(AnswerEvent::Part(part)) => {
                // What follows an end is wrong, and for the client to see.
                if let Some(before) = last.take() {
                    answer.part(before).await?;
                }
                if part.first() == Some(&END) {
                    last = Some(part);
                } else {
                    answer.part(part).await?;
                }
            }
            Ok(AnswerEvent::End(end)) => {
                return Ok(Answered {
                    end,
                    head: told,
                    last,
                });
            }
            // The answer has begun: nobody else may have the request.
            Err(refusal) => return Err(Failed::Ended(refusal.into())),
        }
    }
}

/// The worker's own word about this request, if it is one.
fn signed_by(skipped: &[Bytes], head: &cocoon_seal::EncodedHead, worker: &SealingPublic) -> Option<Bytes> {
    let [one] = skipped else {
        return None;
    };
    let refusal = SignedRefusal::decode(one.clone()).ok()?;
    refusal.verify(head.hash(), worker).ok()?;
    Some(one.clone())
}

/// A whole answer that is to be paid for.
struct Exchange<'a> {
    node: &'a Node,
    desk: &'a Sealed,
    client: &'a Client,
    head: &'a RequestHead,
    asked: &'a cocoon_seal::Head,
    claim: &'a Claim<Arc<WorkerPeer>>,
    named: &'a Named,
    offer: &'a Offer,
}

// === impl Exchange ===

impl Exchange<'_> {
    /// Settles by the receipt; without one that holds, nobody pays. What was used.
    async fn settle(&self, reservation: Reservation, answered: &Answered) -> Result<Usage, Unfinished> {
        let receipt = match self.receipt(answered) {
            Ok(receipt) => receipt,
            Err(fault) => {
                self.node.metrics.receipts_refused.inc();
                self.claim.peer.record.fault();
                tracing::warn!(worker = %self.claim.worker, fault, "a worker's receipt is refused; nothing is charged");
                drop(reservation);
                return Ok(Usage::default());
            }
        };
        let usage = receipt.closing.usage;
        self.node.metrics.used(usage);
        let peer = &self.claim.peer;
        let link = peer.session.link();
        let worker = Party {
            peer: link.peer().clone(),
            owner: peer.owner,
        };
        let paid = reservation.settle(&worker, self.offer.coefficient, usage).await?;
        let adjusted = paid.as_ref().map_or(0, |paid| paid.tokens);
        if let Some(paid) = paid {
            tell_paid(
                paid,
                (self.head.request_id, &self.client.link, &self.client.teller),
                (self.head.request_id, link, &peer.teller),
            )
            .await;
        }
        self.desk.receipts.settled(Served {
            asker: self.client.asker,
            client: self.client.link.clone(),
            worker: Arc::clone(peer),
            receipt_key: *self.named.key.receipt_key(),
            charge: Charge {
                leaf: receipt.leaf(),
                offer: self.asked.offer,
                coefficient: self.offer.coefficient,
                adjusted,
                nanoton: self.node.ledger.books().map_or(0, |books| books.cost(adjusted)),
                settled_at: unix_now(),
            },
        });
        Ok(usage)
    }

    fn receipt(&self, answered: &Answered) -> Result<Receipt, &'static str> {
        let bytes = answered.end.receipt.as_ref().ok_or("there is none")?;
        let receipt = Receipt::decode(bytes).map_err(|malformed| malformed.0)?;
        let exceeds = receipt.exceeds(self.asked, &answered.head, self.offer, PROMPT_ALLOWANCE);
        if let Some(field) = exceeds {
            return Err(field);
        }
        if receipt.closing.outcome != Outcome::Complete {
            return Err("outcome");
        }
        if !self.asked.endpoint.generates() && receipt.closing.usage.completion() > 0 {
            return Err("completion without generation");
        }
        Ok(receipt)
    }
}

// === impl Failed ===

impl Failed {
    fn lost(message: &str) -> Self {
        Self::Skipped(Refusal::new(Fault::WorkerLost, message), Bytes::new())
    }
}

impl From<cocoon_link::StreamGone> for Failed {
    fn from(gone: cocoon_link::StreamGone) -> Self {
        Self::Ended(gone.into())
    }
}

#[cfg(test)]
mod tests;
