use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use cocoon_link::{AnswerEnd, AnswerEvent, AnswerHead, AnswerReceiver, BodySender, Exchange};
use cocoon_seal::BodySealer;
use cocoon_types::{Coefficient, Fault, Refusal, RequestId, Tier};
use cocoon_web::{clock::unix_now, keys::KeyId};
use tokio::time::{Instant, timeout, timeout_at};

use super::{Failed, Order, presentable, timed_out};
use crate::{
    account::{Account, Feared},
    links::{Slot, readable},
    receipts::{Kept, Receipts},
    sealed::{Concluded, Step, Unsealer},
};

/// An answer whose first bytes are there. Dropping it before its end cancels the request all the way to the engine.
pub(crate) struct Answer {
    /// The HTTP status, 200 to 599.
    pub(crate) status: u16,
    /// As the engine said it; unchecked.
    pub(crate) content_type: String,
    /// The weakest tier on the way.
    pub(crate) tier: Tier,
    /// The price that will be charged.
    pub(crate) coefficient: Coefficient,
    /// An event that was waited for already.
    first: Option<AnswerEvent>,
    upload: Option<Upload>,
    receiver: AnswerReceiver,
    deadline: Instant,
    /// What it may cost, until it is known what it did cost.
    feared: Option<Feared>,
    /// Opens it; nothing where the proxy could read it.
    sealed: Option<Unsealer>,
    holder: Option<KeyId>,
    request: RequestId,
    /// Keeps the link counted as in use.
    slot: Slot,
}

/// How long the proxy may take to settle what was answered.
const SETTLED_WITHIN: Duration = Duration::from_secs(10);

/// The body on its way; goes on while the answer is read, should an engine answer before it has everything.
type Upload = Pin<Box<dyn Future<Output = ()> + Send>>;

// === impl Answer ===

impl Answer {
    /// Sends the body and waits for the head and the first event of the answer.
    ///
    /// # Errors
    /// The peer's refusal, or ours of a head that cannot be.
    pub(super) async fn begin(
        slot: Slot,
        exchange: Exchange,
        order: &Order,
        feared: Option<Feared>,
    ) -> Result<Self, Refusal> {
        let (sender, receiver) = exchange.split();
        let upload = Box::pin(upload(sender, order.body.clone()));
        let tier = readable(slot.peer().tier());
        let mut answer = Self::new(slot, receiver, order, feared, upload, tier);
        answer.head(order).await?;
        answer.first = Some(answer.event().await?);
        Ok(answer)
    }

    /// As [`Self::begin`], sealed past the proxy.
    ///
    /// # Errors
    /// The refusal, and whether the same proxy may do better at once.
    pub(super) async fn begin_sealed(
        slot: Slot,
        exchange: Exchange,
        order: &Order,
        feared: Feared,
        (body, unsealer): (BodySealer, Unsealer),
    ) -> Result<Self, Failed> {
        let (sender, receiver) = exchange.split();
        let upload = Box::pin(upload_sealed(sender, body));
        let mut answer = Self::new(slot, receiver, order, Some(feared), upload, Tier::Confidential);
        answer.sealed = Some(unsealer);
        if let Err(refusal) = answer.sealed_head().await {
            return Err(answer.failed(refusal));
        }
        // From the first part on it is authentic, and not tried again; a worker that breaks off in it has sent nothing else.
        answer.first = Some(answer.event().await?);
        Ok(answer)
    }

    fn new(
        slot: Slot,
        receiver: AnswerReceiver,
        order: &Order,
        feared: Option<Feared>,
        upload: Upload,
        tier: Tier,
    ) -> Self {
        if let Some((account, feared)) = slot.account().zip(feared.as_ref()) {
            account.begun(feared);
        }
        Self {
            status: 0,
            content_type: String::new(),
            tier,
            coefficient: feared
                .as_ref()
                .map_or(order.max_coefficient, Feared::max_coefficient),
            first: None,
            upload: Some(upload),
            receiver,
            deadline: order.deadline,
            request: feared.as_ref().map_or(RequestId([0; 32]), Feared::request),
            feared,
            sealed: None,
            holder: order.holder.clone(),
            slot,
        }
    }

    /// What a sealed request that came to no answer means.
    fn failed(&mut self, refusal: Refusal) -> Failed {
        let skipped = self.receiver.skipped();
        let Some(unsealer) = &mut self.sealed else {
            return refusal.into();
        };
        match unsealer.refused(refusal.fault, skipped) {
            Ok(again) => Failed { refusal, again },
            Err(violation) => violation.into(),
        }
    }

    /// Takes the head of a sealed answer. Nothing in it is believed before a part has opened, which it is bound to.
    async fn sealed_head(&mut self) -> Result<(), Refusal> {
        let head = self.received_head().await?;
        let Some(unsealer) = &mut self.sealed else {
            return Ok(());
        };
        let said = unsealer.head(head.sealed)?;
        if !(200..600).contains(&said.status) {
            return Err(Refusal::new(
                Fault::ProtocolViolation,
                "the answer has a status that is none",
            ));
        }
        self.status = said.status;
        self.content_type = said.content_type;
        self.coefficient = said.coefficient;
        // What our own appraisal found; a worker may say less of itself, never more.
        self.tier = unsealer
            .worker()
            .map_or(said.tier, |worker| weaker(worker.tier, said.tier));
        Ok(())
    }

    async fn received_head(&mut self) -> Result<AnswerHead, Refusal> {
        let received = loop {
            tokio::select! {
                biased;
                head = self.receiver.head() => break head,
                () = sent(&mut self.upload) => {}
            }
        };
        received.map_err(|refusal| self.refused(refusal))
    }

    /// The next bytes or the end, within the request's deadline. Cancel-safe.
    ///
    /// # Errors
    /// What ended the answer.
    pub(crate) async fn next(&mut self) -> Result<AnswerEvent, Refusal> {
        if let Some(event) = self.first.take() {
            return Ok(event);
        }
        timeout_at(self.deadline, self.event())
            .await
            .map_err(|_| timed_out())?
            .map_err(presentable)
    }

    async fn head(&mut self, order: &Order) -> Result<(), Refusal> {
        let head = self.received_head().await?;
        if !(200..600).contains(&head.status) {
            return Err(Refusal::new(
                Fault::ProtocolViolation,
                "the answer has a status that is none",
            ));
        }
        if head.coefficient > self.coefficient {
            let message = format!(
                "the answer costs {}, the request accepts {}",
                head.coefficient, self.coefficient
            );
            return Err(Refusal::new(Fault::ProtocolViolation, message));
        }
        if !order.tier.accepts(head.tier) {
            let message = format!(
                "a worker of tier {} answered, the request accepts {}",
                head.tier, order.tier
            );
            return Err(Refusal::new(Fault::ProtocolViolation, message));
        }
        self.status = head.status;
        self.tier = weaker(self.tier, readable(head.tier));
        self.coefficient = head.coefficient;
        self.content_type = head.content_type;
        Ok(())
    }

    /// A refusal before any answer; of a lost link nobody knows what it costs.
    fn refused(&mut self, refusal: Refusal) -> Refusal {
        if refusal.fault == Fault::ProxyLost {
            return refusal;
        }
        match (self.slot.account(), self.feared.take()) {
            (Some(account), Some(feared)) => account.refused(feared, refusal),
            _ => refusal,
        }
    }

    /// Whether the proxy's protocol is 2 or less.
    pub(crate) fn is_plaintext(&self) -> bool {
        self.slot.is_plaintext()
    }

    /// What opens it, and the id of the request on its leg: the receipt's name. Nothing where the proxy could read it.
    pub(crate) fn sealed(&self) -> Option<(RequestId, &Unsealer)> {
        Some((self.request, self.sealed.as_ref()?))
    }

    /// To be called once, at the end of a whole answer: compares its receipt with what is known here, and with the completion
    /// tokens that its own text named, keeps it, and disputes it where they disagree.
    pub(crate) fn conclude(&mut self, receipts: &Receipts, completion: Option<u64>) -> Option<Concluded> {
        let concluded = self.sealed.as_mut()?.conclude(completion)?;
        if let Some(disagreement) = &concluded.disagreement {
            self.slot.dispute(&concluded.ended.receipt, disagreement);
        }
        receipts.keep(Kept {
            holder: self.holder.take(),
            kept_at: unix_now(),
            proxy: self.slot.proxy(),
            proxy_key: concluded.proxy_key,
            ended: Arc::clone(&concluded.ended),
            worker: Arc::clone(&concluded.worker),
            offers: Arc::clone(&concluded.offers),
            skipped: concluded.skipped.clone(),
            disagreement: concluded.disagreement.clone(),
            signed: None,
            charge: None,
        });
        Some(concluded)
    }

    /// What pays for it.
    pub(crate) fn account(&self) -> Option<&Arc<Account>> {
        self.slot.account()
    }

    async fn event(&mut self) -> Result<AnswerEvent, Refusal> {
        loop {
            let event = self.received().await;
            let Some(unsealer) = &mut self.sealed else {
                let event = event?;
                self.account_for(&event);
                return Ok(event);
            };
            let end = match (event, unsealer.usage()) {
                // The receipt came sealed, and with it the end: what the proxy adds or withholds changes nothing.
                (_, Some(usage)) => usage,
                (Ok(AnswerEvent::Part(part)), None) => match unsealer.part(part)? {
                    Step::Content(part) => return Ok(AnswerEvent::Part(part)),
                    Step::Whole => continue,
                },
                (Ok(AnswerEvent::End(_)), None) => return Err(unsealer.cut()),
                (Err(refusal), None) => return Err(refusal),
            };
            let event = AnswerEvent::End(AnswerEnd {
                usage: end,
                engine_time: Duration::ZERO,
                receipt: None,
            });
            self.account_for(&event);
            return Ok(event);
        }
    }

    /// What the link gives next. Once a sealed answer is whole, only the proxy's own end is waited for, which says that the
    /// request is settled: not long.
    async fn received(&mut self) -> Result<AnswerEvent, Refusal> {
        let whole = self
            .sealed
            .as_ref()
            .is_some_and(|unsealer| unsealer.usage().is_some());
        let wait = async {
            loop {
                tokio::select! {
                    biased;
                    event = self.receiver.next() => break event,
                    () = sent(&mut self.upload) => {}
                }
            }
        };
        if whole {
            timeout(SETTLED_WITHIN, wait)
                .await
                .unwrap_or_else(|_| Err(timed_out()))
        } else {
            wait.await
        }
    }

    fn account_for(&mut self, event: &AnswerEvent) {
        if let AnswerEvent::End(end) = event
            && let (Some(account), Some(feared)) = (self.slot.account(), self.feared.take())
        {
            account.receipted(feared, &end.usage, self.coefficient);
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let (Some(account), Some(feared)) = (self.slot.account(), self.feared.take()) {
            account.left(feared);
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("tier", &self.tier)
            .finish_non_exhaustive()
    }
}

async fn upload_sealed(mut sender: BodySender, mut body: BodySealer) {
    while let Ok(Some(piece)) = body.next_piece() {
        let last = body.is_done();
        if sender.send(piece, last).await.is_err() || last {
            return;
        }
    }
    // A piece that cannot be sealed: dropping the sender cancels the request.
}

async fn upload(mut sender: BodySender, body: Bytes) {
    // What ends the stream is told by the answer's side.
    let _ = sender.send(body, true).await;
}

/// Waits until the upload is done, and forgets it; for ever when it is done already.
async fn sent(upload: &mut Option<Upload>) {
    match upload {
        Some(running) => {
            running.await;
            *upload = None;
        }
        None => std::future::pending().await,
    }
}

/// The tier of an answer that two peers have carried: who could read it is decided by the weaker one.
///
/// `simulated` stands outside the order; between it and `open` it is `open` that says who can read.
fn weaker(one: Tier, other: Tier) -> Tier {
    let openness = |tier: Tier| match tier {
        Tier::Confidential => 0,
        Tier::Attested => 1,
        Tier::Simulated => 2,
        Tier::Open => 3,
    };
    if openness(one) >= openness(other) {
        one
    } else {
        other
    }
}

#[cfg(test)]
mod tests {
    use cocoon_types::Tier::{Attested, Confidential, Open, Simulated};

    use super::weaker;

    #[test]
    fn the_weaker_tier_is_the_answers() {
        assert_eq!(weaker(Confidential, Confidential), Confidential);
        assert_eq!(weaker(Confidential, Open), Open);
        assert_eq!(weaker(Attested, Confidential), Attested);
        assert_eq!(weaker(Simulated, Confidential), Simulated);
        assert_eq!(weaker(Simulated, Attested), Simulated);
        assert_eq!(weaker(Open, Simulated), Open);
    }
}
