//! Requests that only chosen, verified workers can open; answers that only their client can; offers and receipts.
//!
//! Bytes in, bytes out: HPKE with a post-quantum hybrid, HKDF, AES-256-GCM, Ed25519 and Merkle paths, as `docs/sealing.md`
//! says byte for byte. Knows no socket, file, clock or randomness: `now` is an argument in seconds since 1970, randomness
//! comes by [`Random`]. Does not judge evidence: a [`SealingPublic`] is worth what the statement is worth that carried it.
//!
//! * Worker: [`SealingKeys`] opens requests, [`AnswerSealer`] seals answers and makes the [`Receipt`], [`Batch`] signs.
//! * Client: [`OfferBook`] and [`draw`] choose, [`seal_request`] seals, [`AnswerOpener`] opens, [`verify_bundle`] checks.
//! * Proxy: [`OfferList`] offers, [`EncodedHead`] tells what it may know, [`Receipt::exceeds`] bounds what a worker may bill,
//!   [`Charge`] names the price.
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![deny(clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod answer;
mod cipher;
mod codec;
mod content;
mod digest;
mod domain;
mod error;
mod head;
mod keys;
mod offer;
mod random;
mod receipt;
mod refusal;
mod request;
mod sign;
mod skip;
mod wrap;

pub use answer::open::{AnswerError, AnswerOpener, Content, Ended, Opened};
pub use answer::seal::{AnswerSealer, AnswerSpec};
pub use answer::{AnswerHead, MAX_CONTENT};
pub use codec::Malformed;
pub use content::pad::padded_body;
pub use digest::Digest;
pub use error::{SealError, SealingKeysError};
pub use head::{ClearCopy, EncodedHead, Head};
pub use keys::public::SealingPublic;
pub use keys::ring::{Limits, SealingKeys};
pub use offer::book::{OfferBook, OfferRefusal};
pub use offer::draw::draw;
pub use offer::{NotOffered, Offer, OfferList};
pub use random::{NoRandomness, Random};
pub use receipt::batch::check::{CountersignCheck, CountersignError};
pub use receipt::batch::{Batch, Charge, Countersign, Role};
pub use receipt::bundle::{Bundle, Commitments, EvidenceItem, Salts, evidence_digest};
pub use receipt::check::Expected;
pub use receipt::report::{Finding, Report, Standing, Subject};
pub use receipt::verify::{Appraised, Appraiser, Checks, verify_bundle};
pub use receipt::{Accelerators, Closing, EnginePlace, Finish, Opening, Outcome, Receipt};
pub use refusal::{Reason, RefusalError, SignedRefusal};
pub use request::body::BodySealer;
pub use request::open::{Arrival, OpenedRequest, WholeRequest};
pub use request::seal::{Candidate, Pending, RequestSpec, SealedRequest, seal_request};
pub use sign::SigningKey;
pub use skip::{Skip, SkipError, Skipped, check_skips};
pub use wrap::book::SessionBook;
pub use wrap::{MAX_WRAP, Session};

/// Most workers that one request may be wrapped to: each of them can read it.
pub const MAX_CANDIDATES: usize = 8;

/// Most bytes of a sealed piece or part: what a message of protocol 3 carries.
pub const MAX_SEALED: usize = 64 * 1024;

/// Bytes by which a sealed piece or part is longer than what it holds: its kind and the tag.
pub const SEALED_OVERHEAD: usize = 1 + cipher::TAG;
