//! The client's end of one sealed exchange: takes the answer's head, opens its parts in place, checks its receipt.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use cocoon_link::SealedAnswer;
use cocoon_seal::{
    AnswerError, AnswerHead, AnswerOpener, EncodedHead, Ended, Expected, OfferList, Opened, Pending, Reason,
    SignedRefusal, Skip, SkipError, Skipped, check_skips,
};
use cocoon_types::{Coefficient, Fault, Refusal, Tier, Usage};
use cocoon_web::clock::unix_now;

use super::{Board, Drawn, Worker};
use crate::receipts::Disagreement;

/// One exchange, from the sealed request to the receipt.
#[derive(Debug)]
pub(crate) struct Unsealer {
    board: Arc<Board>,
    drawn: Drawn,
    pub(super) state: State,
    skipped: Vec<Skip>,
}

#[derive(Debug)]
pub(super) enum State {
    /// No head has come.
    Asked(Box<Pending>),
    Opening(Box<AnswerOpener>, Arc<Worker>),
    Whole(Box<Ended>, Arc<Worker>),
    /// Something was wrong, or the exchange was taken out.
    Over,
}

/// What a part turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Content of the answer.
    Content(Bytes),
    /// The answer is whole, and its receipt is of this exchange.
    Whole,
}

/// An exchange that came to its end.
#[derive(Clone, Debug)]
pub(crate) struct Concluded {
    pub(crate) ended: Arc<Ended>,
    pub(crate) worker: Arc<Worker>,
    pub(crate) offers: Arc<OfferList>,
    pub(crate) proxy_key: [u8; 32],
    pub(crate) skipped: Vec<Skip>,
    pub(crate) disagreement: Option<Disagreement>,
}

/// What the head of an answer says; authentic once a part has opened.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) tier: Tier,
    pub(crate) coefficient: Coefficient,
}

// === impl Unsealer ===

impl Unsealer {
    pub(crate) fn new(board: Arc<Board>, drawn: Drawn, pending: Pending) -> Self {
        Self {
            board,
            drawn,
            state: State::Asked(Box::new(pending)),
            skipped: Vec::new(),
        }
    }

    /// The sealing key of the worker that answers, once it is known.
    pub(crate) fn worker(&self) -> Option<&Arc<Worker>> {
        match &self.state {
            State::Opening(_, worker) | State::Whole(_, worker) => Some(worker),
            State::Asked(_) | State::Over => None,
        }
    }

    /// How many workers could read the request.
    pub(crate) fn candidates(&self) -> usize {
        self.drawn.workers.len()
    }

    /// What was said of the candidates before the one that serves.
    pub(crate) fn skipped(&self) -> &[Skip] {
        &self.skipped
    }

    /// Takes the head of the answer, and what the proxy says of the candidates before.
    ///
    /// # Errors
    /// [`Fault::ProtocolViolation`] names what is wrong: the answer is not the one that was asked for.
    pub(crate) fn head(&mut self, sealed: Option<SealedAnswer>) -> Result<Head, Refusal> {
        let State::Asked(pending) = std::mem::replace(&mut self.state, State::Over) else {
            return Err(violation("a second head"));
        };
        let sealed = sealed.ok_or_else(|| violation("the answer to a sealed request is not sealed"))?;
        let request = pending.head().clone();
        let opener = pending
            .answer(sealed.head)
            .map_err(|error| self.board.broken(&error))?;
        let AnswerHead {
            key_id,
            status,
            tier,
            coefficient,
            content_type,
            ..
        } = opener.head().clone();
        let skipped = decode_skips(sealed.skipped)?;
        let checked = check_skips(&request, &self.drawn.keys(), Some(key_id), &skipped);
        self.skipped = checked.map_err(|error| self.misled(&error))?;
        self.board.metrics.skips(&self.skipped);
        self.forget_sessions();
        // The opener takes no other worker than a candidate.
        let worker = self.drawn.worker(key_id).cloned();
        let worker = worker.ok_or_else(|| violation("the answer is of a worker that was not asked"))?;
        self.state = State::Opening(Box::new(opener), worker);
        Ok(Head {
            status,
            content_type,
            tier,
            coefficient,
        })
    }

    /// Opens the next part, in place where nobody else holds its bytes.
    ///
    /// # Errors
    /// What is wrong with it, or the worker's own word that it breaks off. The answer is over then, and not whole.
    pub(crate) fn part(&mut self, part: Bytes) -> Result<Step, Refusal> {
        let State::Opening(opener, worker) = &mut self.state else {
            return Err(violation("something came after the end of the answer"));
        };
        let mut part = part
            .try_into_mut()
            .unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        let start = part.as_ptr() as usize;
        let (error, ended) = match opener.part(&mut part) {
            Ok(Opened::Content(content)) => {
                let at = (content.0.as_ptr() as usize).saturating_sub(start);
                let end = at + content.0.len();
                if let Some(session) = opener.take_session() {
                    self.board.sessions.keep(session, unix_now());
                }
                return Ok(Step::Content(part.freeze().slice(at..end)));
            }
            Ok(Opened::End(ended)) => (None, Some(ended)),
            Ok(Opened::Refused { reason, message }) => {
                let message = format!("the worker broke off: {reason}: {message}");
                (Some(Refusal::new(fault_of(reason), message)), None)
            }
            Err(error) => (Some(self.board.broken(&error)), None),
        };
        match (error, ended) {
            (None, Some(ended)) => {
                // An answer without content leaves its session here.
                if let Some(session) = opener.take_session() {
                    self.board.sessions.keep(session, unix_now());
                }
                let worker = Arc::clone(worker);
                self.state = State::Whole(ended, worker);
                Ok(Step::Whole)
            }
            (error, _) => {
                self.state = State::Over;
                Err(error.unwrap_or_else(|| violation("the answer cannot be opened")))
            }
        }
    }

    /// The usage that the worker's receipt names, once the answer is whole.
    pub(crate) fn usage(&self) -> Option<Usage> {
        match &self.state {
            State::Whole(ended, _) => Some(ended.receipt.closing.usage),
            State::Asked(_) | State::Opening(..) | State::Over => None,
        }
    }

    /// The link says that nothing more comes, and the sealed end has not come: the answer was cut, whatever the proxy says.
    pub(crate) fn cut(&mut self) -> Refusal {
        self.state = State::Over;
        self.board.broken(&AnswerError::Cut)
    }

    /// The proxy refused; `skipped` is what it says of the candidates that it went through. Gives whether a worker had
    /// forgotten a session or a key, or the proxy the list, so that the same request may go well if it is sealed again.
    ///
    /// # Errors
    /// [`Fault::ProtocolViolation`] when a worker is said to have refused that did not.
    pub(crate) fn refused(&mut self, fault: Fault, skipped: Vec<Bytes>) -> Result<bool, Refusal> {
        let State::Asked(pending) = std::mem::replace(&mut self.state, State::Over) else {
            return Ok(false);
        };
        if skipped.is_empty() {
            // The proxy's own refusal: it asked nobody. It says this of a request whose list it does not know.
            let unknown = fault == Fault::NoWorker;
            if unknown {
                self.board.doubt(&pending.head().head().model);
            }
            return Ok(unknown);
        }
        let skipped = decode_skips(skipped)?;
        let keys = self.drawn.keys();
        // It may have gone through some only, so that each is checked against the candidate at its place.
        let asked = keys.get(..skipped.len());
        let asked = asked.ok_or_else(|| violation("more refusals than candidates"))?;
        let checked = check_skips(pending.head(), asked, None, &skipped);
        self.skipped = checked.map_err(|error| self.misled(&error))?;
        self.board.metrics.skips(&self.skipped);
        let gone = Skip::Refused(Reason::UnknownKey);
        let outdated = self.skipped.contains(&gone);
        if outdated {
            self.board.doubt(&pending.head().head().model);
        }
        Ok(self.forget_sessions() || outdated)
    }

    /// Takes the exchange out: what its receipt says is compared with all that is known here, and with the completion tokens
    /// that the answer's own text named. Nothing before the answer is whole, or a second time.
    pub(crate) fn conclude(&mut self, completion: Option<u64>) -> Option<Concluded> {
        let State::Whole(ended, worker) = std::mem::replace(&mut self.state, State::Over) else {
            return None;
        };
        let disagreement = self.disagreement(&ended, &worker, completion);
        self.board.metrics.receipt(disagreement.is_none());
        Some(Concluded {
            ended: Arc::from(ended),
            worker,
            offers: Arc::clone(&self.drawn.list),
            proxy_key: self.board.proxy(),
            skipped: std::mem::take(&mut self.skipped),
            disagreement,
        })
    }

    fn disagreement(&self, ended: &Ended, worker: &Worker, completion: Option<u64>) -> Option<Disagreement> {
        let receipt = &ended.receipt;
        let offer = self.drawn.list.offer(receipt.key_id)?;
        let request = EncodedHead::decode(ended.opening.head.clone()).ok()?;
        let expected = Expected {
            statement: worker.digest,
            model: worker.model,
            engine: worker.engine,
            evidence: Some(worker.evidence_digest),
            coefficient: offer.coefficient,
            engine_place: Some(worker.engine_place),
            finish: None,
            completion,
        };
        let field = receipt.disagrees(request.head(), &worker.key, &expected);
        // The tier is what our own appraisal found; the request may accept less than that, and the receipt may say less.
        let field = field.or_else(|| (receipt.tier != worker.tier).then_some("tier"))?;
        tracing::warn!(request = %receipt.request_id, worker = %receipt.key_id, field, "a receipt disagrees");
        let expected = match field {
            "statement" => worker.digest.to_string(),
            "model" => worker.model.map_or_else(String::new, |digest| digest.to_string()),
            "engine" => worker
                .engine
                .map_or_else(String::new, |digest| digest.to_string()),
            "evidence" => worker.evidence_digest.to_string(),
            "price" => offer.coefficient.per_mille().to_string(),
            "usage" => completion.map_or_else(String::new, |count| count.to_string()),
            "token limit" => request.head().max_tokens.to_string(),
            "tier" => worker.tier.to_string(),
            _ => String::new(),
        };
        Some(Disagreement { field, expected })
    }

    /// Forgets the sessions that workers have forgotten.
    fn forget_sessions(&self) -> bool {
        let mut forgotten = false;
        for (skip, worker) in self.skipped.iter().zip(&self.drawn.workers) {
            if *skip == Skip::Refused(Reason::UnknownSession) {
                self.board.sessions.forget(worker.key.id());
                forgotten = true;
            }
        }
        forgotten
    }

    fn misled(&self, error: &SkipError) -> Refusal {
        self.board.metrics.violation("skipped");
        violation(format!(
            "the proxy did not go down the list of candidates as it should: {error}"
        ))
    }
}

impl Board {
    /// What is wrong with an answer, counted.
    fn broken(&self, error: &AnswerError) -> Refusal {
        self.metrics.violation(match error {
            AnswerError::Malformed(_) => "malformed",
            AnswerError::OtherRequest => "other_request",
            AnswerError::NotACandidate => "not_a_candidate",
            AnswerError::Tier => "tier",
            AnswerError::Price => "price",
            AnswerError::NotAuthentic => "not_authentic",
            AnswerError::Over => "over",
            AnswerError::Receipt(_) => "receipt",
            AnswerError::Cut => "cut",
        });
        violation(error.to_string())
    }
}

fn decode_skips(skipped: Vec<Bytes>) -> Result<Vec<Skipped>, Refusal> {
    let one = |bytes: Bytes| {
        if bytes.is_empty() {
            return Ok(Skipped::LinkLost);
        }
        SignedRefusal::decode(bytes)
            .map(Skipped::Refused)
            .map_err(|error| violation(format!("a worker's refusal does not parse: {error}")))
    };
    skipped.into_iter().map(one).collect()
}

/// What a worker's reason is to a caller.
const fn fault_of(reason: Reason) -> Fault {
    match reason {
        Reason::Busy => Fault::Busy,
        Reason::Deadline => Fault::Timeout,
        Reason::Engine => Fault::EngineFailed,
        _ => Fault::ProtocolViolation,
    }
}

fn violation(message: impl Into<String>) -> Refusal {
    Refusal::new(Fault::ProtocolViolation, message)
}
