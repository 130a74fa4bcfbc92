//! Why a worker does not serve, signed by it, so that the proxy cannot say it in its stead (docs/sealing.md 7.3).

use bytes::Bytes;

use crate::codec::{Malformed, Reader, Write};
use crate::sign::{SigningKey, verify};
use crate::{Digest, SealingPublic, digest, domain};

/// Why a worker does not serve a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Reason {
    /// Too much to do, or to remember.
    #[error("the worker is busy")]
    Busy,
    /// The sealing key is over, or was never this worker's.
    #[error("the worker has no such sealing key")]
    UnknownKey,
    /// The warm session is forgotten: wrap again by HPKE.
    #[error("the worker has forgotten the session")]
    UnknownSession,
    /// The request id was served before.
    #[error("the request id was served before")]
    Replayed,
    /// What was said beside the head differs from it.
    #[error("the request says one thing in its head and another beside it")]
    ClearMismatch,
    /// The head names other workers.
    #[error("the request is for other workers")]
    NotACandidate,
    /// Past, or too far ahead.
    #[error("the deadline is past or too far ahead")]
    Deadline,
    /// A wrap or a piece does not open.
    #[error("the request does not open")]
    Unreadable,
    /// What is asked, this worker does not do: model, endpoint, price, tier.
    #[error("the worker does not serve this")]
    Policy,
    /// The engine failed before it began.
    #[error("the engine failed")]
    Engine,
    /// The head is not canonical.
    #[error("the head of the request is malformed")]
    Head,
}

/// A worker's signed word that it does not serve a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRefusal {
    /// Digest of the head that was refused.
    pub head_hash: Digest,
    /// The sealing key that the head named, of the worker that refuses.
    pub key_id: Digest,
    /// Why.
    pub reason: Reason,
    /// When, by the worker's clock.
    pub at: u64,
    bytes: Bytes,
}

/// The refusal is not that of the worker in question, or not of this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusalError {
    /// Not a refusal at all.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Of another request.
    #[error("the refusal is of another request")]
    OtherRequest,
    /// Of another worker.
    #[error("the refusal is of another worker")]
    OtherWorker,
    /// Not signed by this worker.
    #[error("the refusal is not signed by the worker")]
    Signature,
}

// === impl Reason ===

impl Reason {
    /// Every reason, in the order of the numbers.
    pub const ALL: [Self; 11] = [
        Self::Busy,
        Self::UnknownKey,
        Self::UnknownSession,
        Self::Replayed,
        Self::ClearMismatch,
        Self::NotACandidate,
        Self::Deadline,
        Self::Unreadable,
        Self::Policy,
        Self::Engine,
        Self::Head,
    ];

    /// The number on the wire.
    pub const fn code(self) -> u16 {
        self as u16 + 1
    }

    /// The reason with this number.
    pub fn from_code(code: u16) -> Option<Self> {
        let index = usize::from(code).checked_sub(1)?;
        Self::ALL.get(index).copied()
    }
}

// === impl SignedRefusal ===

impl SignedRefusal {
    /// Bytes of the encoding.
    pub const BYTES: usize = domain::REFUSAL.bytes().len() + 32 + 32 + 2 + 8 + 64;

    /// A worker refuses. The head is taken as the bytes that came, since it may be the head that is at fault.
    pub fn sign(head: &[u8], key_id: Digest, reason: Reason, now: u64, by: &SigningKey) -> Self {
        let head_hash = digest::plain(head);
        let mut out = Vec::with_capacity(Self::BYTES);
        out.put(domain::REFUSAL.bytes());
        out.put(&head_hash.0);
        out.put(&key_id.0);
        out.u16(reason.code());
        out.u64(now);
        let signature = by.sign(&out);
        out.put(&signature);
        Self {
            head_hash,
            key_id,
            reason,
            at: now,
            bytes: out.into(),
        }
    }

    /// Takes a refusal apart; it proves nothing yet.
    ///
    /// # Errors
    /// [`Malformed`] names the field.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(&bytes);
        reader.domain(domain::REFUSAL, "refusal")?;
        let head_hash = reader.digest("head hash")?;
        let key_id = reader.digest("key id")?;
        let reason = Reason::from_code(reader.u16("reason")?).ok_or(Malformed("reason"))?;
        let at = reader.u64("time")?;
        reader.take(64, "signature")?;
        reader.finish("refusal: bytes left over")?;
        Ok(Self {
            head_hash,
            key_id,
            reason,
            at,
            bytes,
        })
    }

    /// Whether the worker with this sealing key refused the request with this head.
    ///
    /// # Errors
    /// [`RefusalError`] says what is wrong.
    pub fn verify(&self, head_hash: Digest, worker: &SealingPublic) -> Result<(), RefusalError> {
        if self.head_hash != head_hash {
            return Err(RefusalError::OtherRequest);
        }
        if self.key_id != worker.id() {
            return Err(RefusalError::OtherWorker);
        }
        let signed = self.bytes.split_last_chunk::<64>();
        let genuine = signed.is_some_and(|(text, signature)| verify(worker.receipt_key(), text, signature));
        if genuine {
            Ok(())
        } else {
            Err(RefusalError::Signature)
        }
    }

    /// What travels.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}
