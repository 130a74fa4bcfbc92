use std::{fmt, pin::Pin, sync::Arc};

use cocoon_link::{AnswerEvent, AnswerReceiver, BodySender, Exchange};
use cocoon_types::{Coefficient, Fault, Refusal, Tier};
use tokio::time::{Instant, timeout_at};

use super::{Order, presentable, timed_out};
use crate::{
    account::{Account, Feared},
    links::Slot,
};
use bytes::Bytes;

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
    /// Keeps the link counted as in use.
    slot: Slot,
}

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
        if let Some((account, feared)) = slot.account().zip(feared.as_ref()) {
            account.begun(feared);
        }
        let (sender, receiver) = exchange.split();
        let mut answer = Self {
            status: 0,
            content_type: String::new(),
            tier: slot.peer().tier(),
            coefficient: feared
                .as_ref()
                .map_or(order.max_coefficient, Feared::max_coefficient),
            first: None,
            upload: Some(Box::pin(upload(sender, order.body.clone()))),
            receiver,
            deadline: order.deadline,
            feared,
            slot,
        };
        answer.head(order).await?;
        answer.first = Some(answer.event().await?);
        Ok(answer)
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
        let head = loop {
            tokio::select! {
                biased;
                head = self.receiver.head() => break head,
                () = sent(&mut self.upload) => {}
            }
        };
        let head = head.map_err(|refusal| self.refused(refusal))?;
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
        self.tier = weaker(self.tier, head.tier);
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

    /// Whether the proxy has read it, because its protocol is 2 or less.
    pub(crate) fn is_plaintext(&self) -> bool {
        self.slot.is_plaintext()
    }

    /// What pays for it.
    pub(crate) fn account(&self) -> Option<&Arc<Account>> {
        self.slot.account()
    }

    async fn event(&mut self) -> Result<AnswerEvent, Refusal> {
        let event = loop {
            tokio::select! {
                biased;
                event = self.receiver.next() => break event?,
                () = sent(&mut self.upload) => {}
            }
        };
        if let AnswerEvent::End(end) = &event
            && let (Some(account), Some(feared)) = (self.slot.account(), self.feared.take())
        {
            account.receipted(feared, &end.usage, self.coefficient);
        }
        Ok(event)
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
