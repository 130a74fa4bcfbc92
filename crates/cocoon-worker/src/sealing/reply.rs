//! The two forms in which a request is read and answered: in clear, or sealed.
//!
//! Everything between, from admission to the engine's last byte, is the same for both (`serve.rs`).

use bytes::Bytes;
use cocoon_link::{
    AnswerEnd, AnswerHead, AnswerSender, BodyReceiver, RequestHead, SealedAnswer, Serving, Unfinished,
};
use cocoon_openai::error_body;
use cocoon_seal::{AnswerSealer, AnswerSpec, Digest, Finish, MAX_CONTENT, Reason, SealError, WholeRequest};
use cocoon_types::{Coefficient, Fault, MAX_BODY_BYTES, Refusal, RequestId, Tier};
use cocoon_web::clock::unix_now;

use super::{Batches, Named, Sealing, random};

/// What the head of an answer says.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) tier: Tier,
    pub(crate) coefficient: Coefficient,
}

/// Reads one request and answers it.
pub(crate) struct Reply<'a> {
    answer: &'a mut AnswerSender,
    form: Form<'a>,
}

enum Form<'a> {
    Clear,
    Sealed(Box<Sealed<'a>>),
}

struct Sealed<'a> {
    sealing: &'a Sealing,
    batches: &'a Batches,
    head: Bytes,
    key_id: Digest,
    wrap: Bytes,
    step: Step,
}

enum Step {
    /// Nothing of it has opened.
    Closed,
    /// Read, and not answered yet.
    Read(WholeRequest, Served),
    Answering(AnswerSealer, Served),
    Over,
}

/// What the receipt will say beside what the answer tells.
#[derive(Clone, Copy)]
struct Served {
    named: Named,
    started: u64,
}

/// How the work on a request ended well.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) end: AnswerEnd,
    /// The engine's word for why it stopped.
    pub(crate) finish: Option<String>,
}

// === impl Reply ===

impl<'a> Reply<'a> {
    pub(crate) fn new(
        sealing: &'a Sealing,
        batches: &'a Batches,
        head: &RequestHead,
        answer: &'a mut AnswerSender,
    ) -> Self {
        let form = match &head.sealed {
            None => Form::Clear,
            Some(sealed) => {
                let candidates = &sealed.head.head().candidates;
                Form::Sealed(Box::new(Sealed {
                    sealing,
                    batches,
                    head: sealed.head.bytes().clone(),
                    // The session has checked that there are a wrap and a candidate for it.
                    key_id: candidates
                        .get(usize::from(sealed.candidate))
                        .copied()
                        .unwrap_or(Digest([0; 32])),
                    wrap: sealed.wraps.first().cloned().unwrap_or_default(),
                    step: Step::Closed,
                }))
            }
        };
        Self { answer, form }
    }

    /// The asker's side, to be asked whether it still waits.
    pub(crate) const fn answer(&self) -> &AnswerSender {
        self.answer
    }

    /// The body in clear. The caller brings the deadline.
    pub(crate) async fn read(&mut self, body: BodyReceiver) -> Result<Bytes, Unfinished> {
        match &mut self.form {
            Form::Clear => Ok(self
                .answer
                .unless_cancelled(body.collect(MAX_BODY_BYTES))
                .await??),
            Form::Sealed(sealed) => self.answer.unless_cancelled(sealed.read(body)).await?,
        }
    }

    /// Sends the head; once, before the parts.
    pub(crate) async fn begin(&mut self, spec: Spec) -> Result<(), Unfinished> {
        let sealed = match &mut self.form {
            Form::Clear => None,
            Form::Sealed(sealed) => Some(SealedAnswer {
                head: sealed.begin(&spec)?,
                skipped: Vec::new(),
            }),
        };
        let head = AnswerHead {
            status: spec.status,
            content_type: spec.content_type,
            tier: spec.tier,
            coefficient: spec.coefficient,
            sealed,
        };
        Ok(self.answer.head(head).await?)
    }

    /// Sends the next bytes of the answer.
    pub(crate) async fn part(&mut self, bytes: Bytes) -> Result<(), Unfinished> {
        match &mut self.form {
            Form::Clear => Ok(self.answer.part(bytes).await?),
            Form::Sealed(sealed) => {
                for content in bytes.chunks(MAX_CONTENT) {
                    let part = sealed.part(content)?;
                    self.answer.part(part).await?;
                }
                Ok(())
            }
        }
    }

    /// The request itself is at fault. In clear that is a refusal; what is wrong with a sealed body is nobody's business
    /// between here and its client, so that it is an answer like an engine's own.
    pub(crate) async fn reject(
        &mut self,
        refusal: Refusal,
        request_id: RequestId,
        spec: Spec,
    ) -> Result<(), Unfinished> {
        if matches!(self.form, Form::Clear) {
            return Err(refusal.into());
        }
        let text = error_body(&refusal, request_id);
        self.begin(Spec {
            status: refusal.fault.http_status(),
            content_type: "application/json".to_owned(),
            ..spec
        })
        .await?;
        self.part(text).await
    }

    /// Brings the work to its end: the receipt after a whole answer, a signed refusal instead of one, or a sealed one in the
    /// middle of it. What is left is the last message.
    pub(crate) async fn close(self, outcome: Result<Done, Unfinished>) -> Result<AnswerEnd, Unfinished> {
        let Form::Sealed(sealed) = self.form else {
            return outcome.map(|done| done.end);
        };
        match outcome {
            Ok(done) => sealed.finish(done, self.answer).await,
            Err(Unfinished::Refused(refusal)) => Err(sealed.refuse(refusal, self.answer).await),
            Err(other) => Err(other),
        }
    }
}

/// Turns a request away before anything of it was looked at; a sealed one with this worker's signed word.
pub(crate) async fn turn_away(sealing: &Sealing, serving: Serving, refusal: Refusal) {
    let Serving { head, mut answer, .. } = serving;
    let batches = Batches::default();
    let reply = Reply::new(sealing, &batches, &head, &mut answer);
    let outcome = reply.close(Err(refusal.into())).await;
    answer.finish(outcome).await;
}

// === impl Sealed ===

impl Sealed<'_> {
    async fn read(&mut self, mut body: BodyReceiver) -> Result<Bytes, Unfinished> {
        let opened = self.sealing.open(&self.head, self.key_id, &self.wrap, unix_now());
        let (mut opened, named) = opened.map_err(|reason| self.refusal(reason))?;
        let mut scratch = Vec::new();
        let mut is_whole = false;
        while let Some(piece) = body.next().await? {
            // A piece shares its buffer with its neighbours, so that it cannot be opened where it is.
            scratch.clear();
            scratch.extend_from_slice(&piece);
            is_whole = opened
                .piece(&mut scratch)
                .map_err(|reason| self.refusal(reason))?;
        }
        if !is_whole {
            return Err(self.refusal(Reason::Unreadable));
        }
        let whole = opened.finish().map_err(|reason| self.refusal(reason))?;
        let text = whole.body().clone();
        let started = unix_now();
        self.step = Step::Read(whole, Served { named, started });
        Ok(text)
    }

    fn begin(&mut self, spec: &Spec) -> Result<Bytes, Unfinished> {
        let Step::Read(whole, served) = std::mem::replace(&mut self.step, Step::Over) else {
            return Err(broken("an answer begins twice"));
        };
        let content_type = if fits(&spec.content_type) {
            spec.content_type.clone()
        } else {
            "application/octet-stream".to_owned()
        };
        let spec = AnswerSpec {
            // As the session does with what cannot travel.
            status: match spec.status {
                status @ 100..=599 => status,
                _ => 502,
            },
            tier: spec.tier,
            coefficient: spec.coefficient,
            content_type,
        };
        let sealer = AnswerSealer::new(&whole, spec, &mut random).map_err(unsealed)?;
        let head = sealer.head().clone();
        self.step = Step::Answering(sealer, served);
        Ok(head)
    }

    fn part(&mut self, content: &[u8]) -> Result<Bytes, Unfinished> {
        let Step::Answering(sealer, _) = &mut self.step else {
            return Err(broken("a part before its answer"));
        };
        let mut part = Vec::new();
        sealer.part(content, &mut part).map_err(unsealed)?;
        Ok(part.into())
    }

    async fn finish(
        mut self: Box<Self>,
        done: Done,
        answer: &mut AnswerSender,
    ) -> Result<AnswerEnd, Unfinished> {
        let Step::Answering(sealer, served) = std::mem::replace(&mut self.step, Step::Over) else {
            return Err(broken("an end before its answer"));
        };
        let finish = Finish::from_word(done.finish.as_deref().unwrap_or_default());
        let ended = unix_now().max(served.started);
        let closing = served
            .named
            .closing(done.end.usage, finish, served.started, ended);
        let mut part = Vec::new();
        let receipt = sealer.finish(&closing, &mut part).map_err(unsealed)?;
        answer.part(part.into()).await?;
        if !self.batches.push(receipt.leaf()) {
            tracing::debug!("a receipt stays unsigned: the proxy takes none");
        }
        Ok(AnswerEnd {
            receipt: Some(receipt.encode().into()),
            ..done.end
        })
    }

    /// In the middle of an answer the client alone is told, in a part that nobody else can make; before it, the refusal is
    /// signed, and lets the proxy go on to the next candidate.
    async fn refuse(mut self: Box<Self>, refusal: Refusal, answer: &mut AnswerSender) -> Unfinished {
        let reason = reason(refusal.fault);
        match std::mem::replace(&mut self.step, Step::Over) {
            Step::Answering(sealer, _) => {
                let mut part = Vec::new();
                if sealer.refuse(reason, &refusal.message, &mut part).is_ok()
                    && answer.part(part.into()).await.is_err()
                {
                    return Unfinished::Gone;
                }
                refusal.into()
            }
            Step::Closed | Step::Read(..) | Step::Over => self.signed(refusal, reason),
        }
    }

    fn refusal(&self, reason: Reason) -> Unfinished {
        self.signed(Refusal::new(fault(reason), reason.to_string()), reason)
    }

    fn signed(&self, refusal: Refusal, reason: Reason) -> Unfinished {
        let signed = self.sealing.refuse(&self.head, self.key_id, reason, unix_now());
        Unfinished::Sealed(refusal, vec![signed])
    }
}

/// Printable, and short enough for both its head and the session.
fn fits(content_type: &str) -> bool {
    (1..=128).contains(&content_type.len())
        && content_type
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

/// The signed word for a refusal of this worker.
const fn reason(fault: Fault) -> Reason {
    match fault {
        Fault::Busy | Fault::Draining => Reason::Busy,
        Fault::UnknownModel | Fault::TierUnavailable | Fault::PriceTooLow => Reason::Policy,
        Fault::InvalidRequest | Fault::BodyTooLarge | Fault::ProtocolViolation => Reason::Unreadable,
        _ => Reason::Engine,
    }
}

/// The kind of fault that the proxy is told of.
const fn fault(reason: Reason) -> Fault {
    match reason {
        Reason::Busy => Fault::Busy,
        // Another wrap to this worker, or to another one, may do.
        Reason::UnknownKey | Reason::UnknownSession => Fault::NoWorker,
        Reason::Deadline => Fault::Timeout,
        Reason::Policy => Fault::UnknownModel,
        Reason::Engine => Fault::EngineFailed,
        Reason::Replayed
        | Reason::ClearMismatch
        | Reason::NotACandidate
        | Reason::Unreadable
        | Reason::Head => Fault::InvalidRequest,
    }
}

fn unsealed(error: SealError) -> Unfinished {
    Refusal::new(Fault::Internal, format!("the answer cannot be sealed: {error}")).into()
}

fn broken(what: &str) -> Unfinished {
    Refusal::new(Fault::Internal, what).into()
}
