//! Attested links: proof of work, RA-TLS, frames, queries, and sessions with flow-controlled streams.
//!
//! What it does: brings a TCP connection to an attested [`Link`] ([`dial`], [`Listener`]), carries one-way messages and
//! queries on it, and, once protocol 3 is agreed, many requests side by side ([`Session`]). What it does not: decide who
//! is acceptable (that is the policy of an [`Appraiser`]), speak the roles' handshakes, or know what a request means.
//! Roles call it. Byte layouts: spec/network.md 1.3 to 1.7, 2 and 3; protocol 3 is `cocoon_tl::v3`.
//!
//! Everything that a peer sends is bounded: frames by length, queues by count and bytes, waits by deadlines. A peer that
//! breaks a rule loses its link with a named reason; nothing else notices.
#![forbid(unsafe_code)]

mod appraiser;
mod attester;
mod dial;
mod error;
mod frame;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod identity;
mod inspect;
mod link;
mod listener;
mod options;
pub mod pow;
mod redial;
mod secure;
mod session;
mod standing;
#[cfg(test)]
mod testing;
mod tls;

pub use appraiser::Appraiser;
pub use attester::{Attester, Presented};
pub use cocoon_attest::VerifiedPeer;
pub use dial::dial;
pub use error::{AcceptError, DialError, ListenError, Step, StreamError};
pub use identity::{CurrentIdentity, Identity, IdentityError};
pub use inspect::{Inspection, inspect};
pub use link::{Inbox, Incoming, Link, LinkClosed, QueryError};
pub use listener::Listener;
pub use options::{HandshakeOptions, LinkLimits, LinkOptions, PowOptions};
pub use redial::Redial;
pub use session::{
    AnswerEnd, AnswerEvent, AnswerHead, AnswerReceiver, AnswerSender, BodyReceiver, BodySender, EnginePlace,
    Event, Events, Exchange, Hello, RequestHead, SealedAnswer, SealedHead, Serving, Session, StreamGone,
    Unfinished,
};
