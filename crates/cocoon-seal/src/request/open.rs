//! The worker's side (docs/sealing.md 3.5).

use aws_lc_rs::hkdf::Prk;
use bytes::Bytes;

use super::body::{LAST, MORE};
use crate::cipher::{Cipher, Failed, Position};
use crate::content::{self, pad};
use crate::head::ClearCopy;
use crate::keys::ring::{Held, Limits, SealingKeys};
use crate::refusal::Reason;
use crate::wrap::{self, Unwrapped, Wrap};
use crate::{Digest, EncodedHead, MAX_SEALED, domain};

/// What a worker knows when a request comes.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// The head, as it came.
    pub head: &'a Bytes,
    /// The sealing key that the proxy means.
    pub key_id: Digest,
    /// The wrap for that key.
    pub wrap: &'a [u8],
    /// What the proxy said beside the head, if it said anything.
    pub clear: Option<ClearCopy<'a>>,
    /// Seconds since 1970.
    pub now: u64,
}

/// Seconds that a deadline may be ahead: no request outlives the key that it is sealed to.
const FURTHEST_DEADLINE: u64 = crate::SealingPublic::MAX_LIFE;

/// A request whose wrap has opened and whose body is still to come.
pub struct OpenedRequest {
    head: EncodedHead,
    key_id: Digest,
    answer: Prk,
    cipher: Cipher,
    salt: [u8; 32],
    body: Vec<u8>,
    next: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Whole,
    Broken,
}

/// A request that is whole: its text, and what the answer's keys come from.
pub struct WholeRequest {
    pub(crate) head: EncodedHead,
    pub(crate) key_id: Digest,
    pub(crate) answer: Prk,
    pub(crate) request_hash: Digest,
    body: Bytes,
}

impl SealingKeys {
    /// Opens the wrap of a request. From then on its request id is used up.
    ///
    /// # Errors
    /// [`Reason`]: to be signed and sent back ([`crate::SignedRefusal`]).
    pub fn open(&mut self, arrival: &Arrival<'_>) -> Result<OpenedRequest, Reason> {
        self.erase(arrival.now);
        let limits = self.limits();
        let encoded = EncodedHead::decode(arrival.head.clone()).map_err(|_| Reason::Head)?;
        let head = encoded.head();
        if arrival
            .clear
            .is_some_and(|copy| head.differs_from(&copy).is_some())
        {
            return Err(Reason::ClearMismatch);
        }
        if !head.candidates.contains(&arrival.key_id) {
            return Err(Reason::NotACandidate);
        }
        let held = self.held(arrival.key_id).ok_or(Reason::UnknownKey)?;
        let ahead = head.deadline.checked_sub(arrival.now);
        if ahead.is_none_or(|ahead| ahead > FURTHEST_DEADLINE) {
            return Err(Reason::Deadline);
        }
        let id = head.request_id.0;
        if held.seen.contains(&id) {
            return Err(Reason::Replayed);
        }
        held.seen.has_room(limits.requests).map_err(|_| Reason::Busy)?;
        let unwrapped = unwrap(held, encoded.hash(), arrival.wrap, limits)?;
        held.seen.insert(id);
        OpenedRequest::new(encoded, arrival.key_id, unwrapped).map_err(|_| Reason::Unreadable)
    }
}

fn unwrap(held: &mut Held, head_hash: Digest, wrap: &[u8], limits: Limits) -> Result<Unwrapped, Reason> {
    let key_id = held.public.id();
    let opened = match Wrap::decode(wrap).map_err(|_| Reason::Unreadable)? {
        Wrap::Cold { enc, ciphertext } => held
            .with_secret(|secret| wrap::open_cold(secret, key_id, head_hash, enc, &ciphertext))
            .unwrap_or(Err(Failed)),
        Wrap::Warm {
            session,
            salt,
            ciphertext,
        } => {
            let secret = held.sessions.get(&session).ok_or(Reason::UnknownSession)?;
            wrap::open_warm(secret, key_id, head_hash, &salt, &ciphertext)
        }
    };
    let mut unwrapped = opened.map_err(|_| Reason::Unreadable)?;
    if let Some((id, secret)) = unwrapped.session.take() {
        held.sessions.insert(id, secret, limits.sessions);
    }
    Ok(unwrapped)
}

// === impl OpenedRequest ===

impl OpenedRequest {
    fn new(head: EncodedHead, key_id: Digest, unwrapped: Unwrapped) -> Result<Self, Failed> {
        let keys = content::request_keys(&unwrapped.content_key, head.hash())?;
        Ok(Self {
            head,
            key_id,
            answer: unwrapped.answer,
            cipher: keys.cipher,
            salt: keys.salt,
            body: Vec::new(),
            next: 0,
            state: State::Open,
        })
    }

    /// What the request says in clear.
    pub const fn head(&self) -> &EncodedHead {
        &self.head
    }

    /// Takes the next piece. Decrypts in place; `true` when it was the last.
    ///
    /// # Errors
    /// [`Reason::Unreadable`] for what is not the next piece of this request; nothing more is taken then.
    pub fn piece(&mut self, piece: &mut [u8]) -> Result<bool, Reason> {
        let taken = self.take(piece);
        self.state = match taken {
            Ok(true) => State::Whole,
            Ok(false) => State::Open,
            Err(_) => State::Broken,
        };
        taken.map_err(|_| Reason::Unreadable)
    }

    fn take(&mut self, piece: &mut [u8]) -> Result<bool, Failed> {
        if self.state != State::Open || piece.len() > MAX_SEALED {
            return Err(Failed);
        }
        let (kind, sealed) = piece.split_first_mut().ok_or(Failed)?;
        let last = match *kind {
            MORE => false,
            LAST => true,
            _ => return Err(Failed),
        };
        let position = Position::new(domain::BODY_PIECE, self.next, *kind);
        let text = self.cipher.open(self.next, position.bytes(), sealed)?;
        let size = usize::try_from(self.head.head().body_bytes).map_err(|_| Failed)?;
        let whole = self.body.len().saturating_add(text.len());
        let fits = if last {
            whole == size
        } else {
            whole < size && !text.is_empty()
        };
        if !fits {
            return Err(Failed);
        }
        self.body.extend_from_slice(text);
        self.next = self.next.saturating_add(1);
        Ok(last)
    }

    /// The whole request, after its last piece.
    ///
    /// # Errors
    /// [`Reason::Unreadable`] before the last piece, or when the padding is not what it should be.
    pub fn finish(mut self) -> Result<WholeRequest, Reason> {
        if self.state != State::Whole {
            return Err(Reason::Unreadable);
        }
        let length = pad::strip(&self.body).ok_or(Reason::Unreadable)?.len();
        if pad::padded_body(length) != self.head.head().body_bytes {
            return Err(Reason::Unreadable);
        }
        self.body.truncate(length);
        let text = content::request_text(&self.salt, &self.body);
        let salt = content::salt_digest(&self.salt);
        Ok(WholeRequest {
            request_hash: content::request_hash(self.head.hash(), salt, text),
            head: self.head,
            key_id: self.key_id,
            answer: self.answer,
            body: self.body.into(),
        })
    }
}

impl std::fmt::Debug for OpenedRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "OpenedRequest({}, piece {})",
            self.head.head().request_id,
            self.next
        )
    }
}

// === impl WholeRequest ===

impl WholeRequest {
    /// What the request says in clear.
    pub const fn head(&self) -> &EncodedHead {
        &self.head
    }

    /// The body, without padding. Content: never to a log, an error, a metric.
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// The sealing key that it came under.
    pub const fn key_id(&self) -> Digest {
        self.key_id
    }

    /// The hash by which receipts know it.
    pub const fn request_hash(&self) -> Digest {
        self.request_hash
    }
}

impl std::fmt::Debug for WholeRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WholeRequest({})", self.head.head().request_id)
    }
}
