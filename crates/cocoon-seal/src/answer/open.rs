//! The client's side.

use bytes::Bytes;

use super::{AnswerHead, CONTENT, END, MAX_MESSAGE, REFUSED};
use crate::cipher::{Cipher, Position};
use crate::codec::{Malformed, Reader};
use crate::content::{self, pad};
use crate::digest::Hasher;
use crate::receipt::{Opening, Receipt};
use crate::refusal::Reason;
use crate::request::seal::Pending;
use crate::wrap::Session;
use crate::{Digest, EncodedHead, MAX_SEALED, domain};

/// The answer is not the one that was asked for, or not all of it; what came before stays authentic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Not an answer's head, a receipt or a refusal.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The head is that of an answer to another request.
    #[error("the answer is to another request")]
    OtherRequest,
    /// The head is of a worker that this request was not wrapped to.
    #[error("the answer is of a worker that was not asked")]
    NotACandidate,
    /// The head names a tier that the request does not accept.
    #[error("the answer is of a tier that the request does not accept")]
    Tier,
    /// The head names a price above the limit.
    #[error("the answer is dearer than the limit")]
    Price,
    /// A part was changed, is out of order, is missing, or is of another answer.
    #[error("the next part of the answer does not open: changed, out of order, or of another answer")]
    NotAuthentic,
    /// Something came after the end or after an error.
    #[error("the answer is over")]
    Over,
    /// The receipt in the last part is not of this exchange; says which field.
    #[error("the worker's receipt is not of this exchange: {0}")]
    Receipt(&'static str),
    /// No end has come.
    #[error("the answer was cut")]
    Cut,
}

/// Opens the parts of one answer.
pub struct AnswerOpener {
    request: EncodedHead,
    request_salt: [u8; 32],
    request_text: Digest,
    head: AnswerHead,
    head_bytes: Bytes,
    cipher: Cipher,
    salt: [u8; 32],
    text: Hasher,
    session: Option<Session>,
    next: u64,
    parts: u64,
    bytes: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Over,
}

/// What a part held.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened<'a> {
    /// Content of the answer. Never to a log, an error, a metric.
    Content(Content<'a>),
    /// The answer is whole.
    End(Box<Ended>),
    /// The worker breaks off, and says why; nothing is owed.
    Refused {
        /// Why.
        reason: Reason,
        /// One sentence for a person.
        message: String,
    },
}

/// Content of a part; its `Debug` does not show it.
#[derive(PartialEq, Eq)]
pub struct Content<'a>(pub &'a [u8]);

/// What a whole answer leaves.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    /// Of this exchange, authenticated by the seal; signatures follow per batch.
    pub receipt: Receipt,
    /// What a bundle needs of the exchange.
    pub opening: Opening,
}

impl Pending {
    /// Takes the head of the answer.
    ///
    /// # Errors
    /// [`AnswerError`] when it is not of this request, or not what the request accepts.
    pub fn answer(mut self, head_bytes: Bytes) -> Result<AnswerOpener, AnswerError> {
        let head = AnswerHead::decode(&head_bytes)?;
        let asked = self.head.head();
        if head.request_hash != self.request_hash {
            return Err(AnswerError::OtherRequest);
        }
        let at = asked
            .candidates
            .iter()
            .position(|candidate| *candidate == head.key_id);
        let prk = at.and_then(|at| self.answers.get(at));
        let (Some(at), Some(prk)) = (at, prk) else {
            return Err(AnswerError::NotACandidate);
        };
        if !asked.tier.accepts(head.tier) {
            return Err(AnswerError::Tier);
        }
        if head.coefficient > asked.max_coefficient {
            return Err(AnswerError::Price);
        }
        let keys = content::answer_keys(prk, head.key_id, head.request_hash, &head.nonce, &head_bytes)
            .map_err(|_| AnswerError::NotAuthentic)?;
        let session = self.sessions.get_mut(at).and_then(Option::take);
        Ok(AnswerOpener {
            request: self.head,
            request_salt: self.salt,
            request_text: self.text,
            head,
            head_bytes,
            cipher: keys.cipher,
            text: content::answer_text(&keys.salt),
            salt: keys.salt,
            session,
            next: 0,
            parts: 0,
            bytes: 0,
            state: State::Open,
        })
    }
}

impl AnswerOpener {
    /// What the answer says in clear; authentic once a part has opened.
    pub const fn head(&self) -> &AnswerHead {
        &self.head
    }

    /// The session for later requests to this worker; there is one once a part has opened, if the request asked for it.
    pub const fn take_session(&mut self) -> Option<Session> {
        if self.next == 0 {
            return None;
        }
        self.session.take()
    }

    /// Opens the next part in place.
    ///
    /// # Errors
    /// [`AnswerError`]; nothing more is opened then, and the answer is not whole.
    pub fn part<'a>(&mut self, part: &'a mut [u8]) -> Result<Opened<'a>, AnswerError> {
        if self.state == State::Over {
            return Err(AnswerError::Over);
        }
        // Whatever goes wrong below ends the answer.
        self.state = State::Over;
        let (kind, text) = self.open(part).ok_or(AnswerError::NotAuthentic)?;
        self.next = self.next.saturating_add(1);
        match kind {
            CONTENT => {
                self.text.update(text);
                self.parts = self.parts.saturating_add(1);
                self.bytes = self.bytes.saturating_add(text.len() as u64);
                self.state = State::Open;
                Ok(Opened::Content(Content(text)))
            }
            END => self.end(text).map(Box::new).map(Opened::End),
            REFUSED => refused(text),
            _ => Err(AnswerError::NotAuthentic),
        }
    }

    /// To be called when the link says that nothing more comes.
    ///
    /// # Errors
    /// [`AnswerError::Cut`] unless the end has opened, or a refusal, or an error was shown before.
    pub const fn closed(&self) -> Result<(), AnswerError> {
        match self.state {
            State::Over => Ok(()),
            State::Open => Err(AnswerError::Cut),
        }
    }

    fn open<'a>(&self, part: &'a mut [u8]) -> Option<(u8, &'a [u8])> {
        if part.len() > MAX_SEALED {
            return None;
        }
        let (kind, sealed) = part.split_first_mut()?;
        let position = Position::new(domain::ANSWER_PART, self.next, *kind);
        let text = self.cipher.open(self.next, position.bytes(), sealed).ok()?;
        Some((*kind, pad::strip(text)?))
    }

    fn end(&self, text: &[u8]) -> Result<Ended, AnswerError> {
        let receipt = Receipt::decode(text)?;
        let opening = Opening {
            request_salt: self.request_salt,
            request_text: self.request_text,
            answer_salt: self.salt,
            answer_text: self.text.clone().finish(),
            head: self.request.bytes().clone(),
            answer_head: self.head_bytes.clone(),
        };
        let asked = self.request.head();
        let pairs = [
            (receipt.request_id == asked.request_id, "request id"),
            (receipt.request_hash == self.head.request_hash, "request hash"),
            (receipt.answer_hash == opening.answer_hash(), "answer hash"),
            (receipt.key_id == self.head.key_id, "worker"),
            (receipt.offer == asked.offer, "offer"),
            (receipt.tier == self.head.tier, "tier"),
            (receipt.coefficient == self.head.coefficient, "price"),
            (receipt.parts == self.parts, "parts"),
            (receipt.bytes == self.bytes, "bytes"),
        ];
        match pairs.into_iter().find(|(same, _)| !same) {
            Some((_, field)) => Err(AnswerError::Receipt(field)),
            None => Ok(Ended { receipt, opening }),
        }
    }
}

fn refused<'a>(text: &[u8]) -> Result<Opened<'a>, AnswerError> {
    let mut reader = Reader::new(text);
    let reason = Reason::from_code(reader.u16("reason")?).ok_or(Malformed("reason"))?;
    let message = reader.b16(MAX_MESSAGE, "message")?;
    reader.finish("refusal: bytes left over")?;
    Ok(Opened::Refused {
        reason,
        message: String::from_utf8_lossy(message).into_owned(),
    })
}

impl std::fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} bytes]", self.0.len())
    }
}

impl std::fmt::Debug for AnswerOpener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AnswerOpener({} parts, {} bytes)", self.parts, self.bytes)
    }
}
