//! The client's side.

use aws_lc_rs::hkdf::Prk;
use bytes::Bytes;
use cocoon_types::{Coefficient, Endpoint, MAX_BODY_BYTES, ModelName, RequestId, TierPolicy};

use super::body::BodySealer;
use crate::content::{self, pad};
use crate::error::SealError;
use crate::random::{Random, draw, secret};
use crate::wrap::{self, Session, Wrapped};
use crate::{Digest, EncodedHead, Head, SealingPublic};

/// What the caller decides of a request; the rest of the head follows.
#[derive(Clone, Debug)]
pub struct RequestSpec {
    /// What is asked.
    pub endpoint: Endpoint,
    /// The model that is asked for.
    pub model: ModelName,
    /// Most completion tokens, of all choices together.
    pub max_tokens: u32,
    /// Which tiers may serve.
    pub tier: TierPolicy,
    /// Whether the parts of the answer are padded to 64-byte steps.
    pub padded: bool,
    /// Highest price, in per mille of the base price.
    pub max_coefficient: Coefficient,
    /// Nobody starts to serve after it; seconds since 1970.
    pub deadline: u64,
    /// Digest of the offer list from which the candidates were drawn.
    pub offer: Digest,
    /// Whether later requests to the same workers are to be cheap, and thereby linkable by them (section 5).
    pub remember: bool,
}

/// A worker that may open the request.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its sealing key, from a statement that the client appraised itself.
    pub key: &'a SealingPublic,
    /// A session that an answer of this worker left.
    pub session: Option<&'a Session>,
}

/// A request, ready to be sent.
pub struct SealedRequest {
    /// Goes first, in clear.
    pub head: EncodedHead,
    /// One for each candidate, in the order of the head.
    pub wraps: Vec<Bytes>,
    /// Gives the pieces.
    pub body: BodySealer,
    /// Opens the answer.
    pub pending: Pending,
}

/// What the client keeps of a request until its answer is whole.
pub struct Pending {
    pub(crate) head: EncodedHead,
    pub(crate) request_hash: Digest,
    pub(crate) salt: [u8; 32],
    pub(crate) text: Digest,
    pub(crate) answers: Vec<Prk>,
    pub(crate) sessions: Vec<Option<Session>>,
}

/// Seals `body` so that only the candidates can read it.
///
/// # Errors
/// [`SealError`]; then nothing is to be sent.
pub fn seal_request(
    spec: &RequestSpec,
    candidates: &[Candidate<'_>],
    body: Bytes,
    now: u64,
    random: &mut dyn Random,
) -> Result<SealedRequest, SealError> {
    if body.len() > MAX_BODY_BYTES {
        return Err(SealError::TooLarge);
    }
    if let Some(at) = candidates.iter().position(|one| !one.key.lives_at(now)) {
        return Err(SealError::KeyNotAlive(at));
    }
    let head = Head {
        request_id: RequestId(draw(random)?),
        endpoint: spec.endpoint,
        model: spec.model.clone(),
        max_tokens: spec.max_tokens,
        tier: spec.tier,
        padded: spec.padded,
        max_coefficient: spec.max_coefficient,
        deadline: spec.deadline,
        body_bytes: pad::padded_body(body.len()),
        offer: spec.offer,
        candidates: candidates.iter().map(|one| one.key.id()).collect(),
    }
    .encode()?;
    let content_key = secret(random)?;
    let mut wraps = Vec::with_capacity(candidates.len());
    let mut answers = Vec::with_capacity(candidates.len());
    let mut sessions = Vec::with_capacity(candidates.len());
    for one in candidates {
        let usable = |session: &&Session| session.key == one.key.id() && session.lives_at(now);
        let Wrapped {
            bytes,
            answer,
            session,
        } = match one.session.filter(usable) {
            Some(session) => wrap::warm(session, head.hash(), &content_key, random)?,
            None => wrap::cold(one.key, head.hash(), &content_key, spec.remember, random)?,
        };
        wraps.push(bytes);
        answers.push(answer);
        sessions.push(session);
    }
    let keys = content::request_keys(&content_key, head.hash())?;
    let text = content::request_text(&keys.salt, &body);
    let request_hash = content::request_hash(head.hash(), content::salt_digest(&keys.salt), text);
    Ok(SealedRequest {
        wraps,
        body: BodySealer::new(keys.cipher, body, head.head().body_bytes),
        pending: Pending {
            head: head.clone(),
            request_hash,
            salt: keys.salt,
            text,
            answers,
            sessions,
        },
        head,
    })
}

impl Pending {
    /// The head that was sent.
    pub const fn head(&self) -> &EncodedHead {
        &self.head
    }

    /// The hash by which receipts know the request.
    pub const fn request_hash(&self) -> Digest {
        self.request_hash
    }
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pending({})", self.head.head().request_id)
    }
}

impl std::fmt::Debug for SealedRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedRequest({})", self.head.head().request_id)
    }
}
