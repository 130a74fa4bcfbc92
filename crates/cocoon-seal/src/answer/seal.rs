//! The worker's side.

use bytes::Bytes;
use cocoon_types::{Coefficient, Tier};

use super::{AnswerHead, CONTENT, END, MAX_CONTENT, MAX_MESSAGE, REFUSED};
use crate::cipher::{Cipher, Position, TAG};
use crate::codec::Write;
use crate::content::{self, pad};
use crate::digest::Hasher;
use crate::error::SealError;
use crate::random::{Random, draw};
use crate::receipt::{Closing, Receipt};
use crate::refusal::Reason;
use crate::request::open::WholeRequest;
use crate::{Digest, domain};

/// What the worker says of its answer before the first part.
#[derive(Clone, Debug)]
pub struct AnswerSpec {
    /// HTTP status.
    pub status: u16,
    /// The tier that serves.
    pub tier: Tier,
    /// The price, in per mille of the base price.
    pub coefficient: Coefficient,
    /// As in HTTP.
    pub content_type: String,
}

/// Seals the parts of one answer.
pub struct AnswerSealer {
    head: AnswerHead,
    head_bytes: Bytes,
    cipher: Cipher,
    salt: [u8; 32],
    text: Hasher,
    padded: bool,
    next: u64,
    parts: u64,
    bytes: u64,
    request_id: [u8; 32],
    offer: Digest,
}

impl AnswerSealer {
    /// Begins the answer to a request; [`Self::head`] goes first.
    ///
    /// # Errors
    /// [`SealError`]; then there is no answer.
    pub fn new(request: &WholeRequest, spec: AnswerSpec, random: &mut dyn Random) -> Result<Self, SealError> {
        let head = AnswerHead {
            request_hash: request.request_hash,
            key_id: request.key_id,
            nonce: draw(random)?,
            status: spec.status,
            tier: spec.tier,
            coefficient: spec.coefficient,
            content_type: spec.content_type,
        };
        let head_bytes = head.encode()?;
        let keys = content::answer_keys(
            &request.answer,
            head.key_id,
            head.request_hash,
            &head.nonce,
            &head_bytes,
        )?;
        Ok(Self {
            head,
            head_bytes: head_bytes.into(),
            cipher: keys.cipher,
            text: content::answer_text(&keys.salt),
            salt: keys.salt,
            padded: request.head.head().padded,
            next: 0,
            parts: 0,
            bytes: 0,
            request_id: request.head.head().request_id.0,
            offer: request.head.head().offer,
        })
    }

    /// The head of the answer, in clear.
    pub const fn head(&self) -> &Bytes {
        &self.head_bytes
    }

    /// Appends one sealed part with this content to `out`; nothing else is allocated.
    ///
    /// # Errors
    /// [`SealError::TooLarge`] above [`MAX_CONTENT`]; `out` is as it was then.
    pub fn part(&mut self, content: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        if content.len() > MAX_CONTENT {
            return Err(SealError::TooLarge);
        }
        self.seal(CONTENT, content, out)?;
        self.text.update(content);
        self.parts += 1;
        self.bytes += content.len() as u64;
        Ok(())
    }

    /// Appends the last part, with the receipt in it. The receipt's leaf goes into a [`crate::Batch`].
    ///
    /// # Errors
    /// [`SealError`]; then the answer has no end.
    pub fn finish(mut self, closing: &Closing, out: &mut Vec<u8>) -> Result<Receipt, SealError> {
        let salt = content::salt_digest(&self.salt);
        let text = self.text.clone().finish();
        let answer_hash = content::answer_hash(self.head.request_hash, &self.head_bytes, salt, text);
        let receipt = Receipt {
            request_id: cocoon_types::RequestId(self.request_id),
            request_hash: self.head.request_hash,
            answer_hash,
            key_id: self.head.key_id,
            offer: self.offer,
            tier: self.head.tier,
            coefficient: self.head.coefficient,
            parts: self.parts,
            bytes: self.bytes,
            closing: *closing,
        };
        self.seal(END, &receipt.encode(), out)?;
        Ok(receipt)
    }

    /// Appends a last part that says that there is no more, and no receipt: nothing is owed for what came.
    ///
    /// # Errors
    /// [`SealError`]; then the answer has no end.
    pub fn refuse(mut self, reason: Reason, message: &str, out: &mut Vec<u8>) -> Result<(), SealError> {
        let mut text = Vec::with_capacity(4 + message.len());
        text.u16(reason.code());
        text.b16(
            message
                .as_bytes()
                .get(..MAX_MESSAGE)
                .unwrap_or(message.as_bytes()),
        );
        self.seal(REFUSED, &text, out)
    }

    fn seal(&mut self, kind: u8, text: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        let start = out.len();
        out.reserve(1 + text.len() + pad::part_padding(text.len(), self.padded) + TAG);
        out.u8(kind);
        out.put(text);
        pad::pad_part(out, text.len(), self.padded);
        let position = Position::new(domain::ANSWER_PART, self.next, kind);
        let sealed = out
            .get_mut(start + 1..)
            .ok_or(SealError::Failed)
            .and_then(|text| Ok(self.cipher.seal(self.next, position.bytes(), text)?));
        match sealed {
            Ok(tag) => {
                out.put(&tag);
                self.next += 1;
                Ok(())
            }
            Err(error) => {
                out.truncate(start);
                Err(error)
            }
        }
    }
}

impl std::fmt::Debug for AnswerSealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AnswerSealer({} parts, {} bytes)", self.parts, self.bytes)
    }
}
