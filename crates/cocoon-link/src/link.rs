use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::VerifiedPeer;

/// An attested connection after the `tcp.connect` exchange. Clones are the same link; it ends when the last of them,
/// its [`Inbox`] and its session are gone.
#[derive(Clone, Debug)]
pub struct Link {
    peer: std::sync::Arc<VerifiedPeer>,
}

/// What the peer sends on a link, in order. Bounded: an inbox that nobody reads stops the link's reader.
#[derive(Debug)]
pub struct Inbox {
    _private: (),
}

/// One message from the peer.
pub enum Incoming {
    /// `tcp.packet`: a one-way message.
    Packet(Bytes),
    /// `tcp.query`: to be answered with [`Link::answer`].
    Query {
        /// The peer's id of the question.
        id: i64,
        /// The boxed function.
        question: Bytes,
    },
}

/// The link has ended; the text is the reason that was logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the link is closed: {reason}")]
pub struct LinkClosed {
    /// Why, without any content.
    pub reason: String,
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The link ended before the answer.
    #[error(transparent)]
    Closed(#[from] LinkClosed),
    /// No answer within the deadline.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The peer answered with an error.
    #[error("the peer refused the question: {message} (code {code})")]
    Refused {
        /// The peer's code (spec/network.md 0).
        code: i32,
        /// The peer's text, shortened and made printable.
        message: String,
    },
    /// Too many questions wait for an answer on this link.
    #[error("too many questions wait for an answer on this link")]
    TooMany,
}

// === impl Link ===

impl Link {
    /// Who is at the other end, as appraised during the handshake.
    pub fn peer(&self) -> &VerifiedPeer {
        &self.peer
    }

    /// The other end's address.
    pub fn remote_addr(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    /// Sends a one-way message; waits while the writer's queue is full.
    ///
    /// # Errors
    /// [`LinkClosed`] when the link has ended.
    pub async fn send(&self, _message: Bytes) -> Result<(), LinkClosed> {
        Err(LinkClosed::missing())
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// [`QueryError`]; when the link dies, at once.
    pub async fn query(&self, _question: Bytes, _deadline: Duration) -> Result<Bytes, QueryError> {
        Err(LinkClosed::missing().into())
    }

    /// Answers a question of the peer, with a result or with an error's code and text.
    ///
    /// # Errors
    /// [`LinkClosed`] when the link has ended.
    pub async fn answer(
        &self,
        _query_id: i64,
        _answer: Result<Bytes, (i32, String)>,
    ) -> Result<(), LinkClosed> {
        Err(LinkClosed::missing())
    }

    /// Ends the link after what is queued has been written. The first reason wins and is logged.
    pub fn close(&self, _reason: &str) {}

    /// Waits for the end of the link and says why.
    pub async fn closed(&self) -> String {
        LinkClosed::missing().reason
    }

    /// Whether the link has ended.
    pub fn is_closed(&self) -> bool {
        true
    }
}

// === impl LinkClosed ===

impl LinkClosed {
    pub(crate) fn missing() -> Self {
        Self {
            reason: "not built yet".into(),
        }
    }
}

// === impl Inbox ===

impl Inbox {
    /// The next message, or nothing when the link has ended. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Incoming> {
        None
    }
}

// === impl Incoming ===

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Packet(data) => write!(f, "Packet({} bytes)", data.len()),
            Self::Query { id, question } => write!(f, "Query({id}, {} bytes)", question.len()),
        }
    }
}
