//! Protocol 3 on a link: requests as streams with credit windows, one type for both directions.

mod exchange;
mod head;
mod serving;

use bytes::Bytes;
use cocoon_types::Fault;

use crate::{Inbox, Link, LinkClosed};

pub use exchange::{AnswerReceiver, BodySender, Exchange};
pub use head::{AnswerEnd, AnswerEvent, AnswerHead, EnginePlace, Hello, RequestHead};
pub use serving::{AnswerSender, BodyReceiver, Serving, StreamGone};

/// A conversation in protocol 3 on one link. Clones are the same session.
///
/// One side of a link asks: the first to open a stream. (The credit message names a stream, not a direction.)
#[derive(Clone, Debug)]
pub struct Session {
    link: Link,
}

/// What the peer does in a session, in order. Bounded: whoever holds it must keep reading.
#[derive(Debug)]
pub struct Events {
    _inbox: Inbox,
}

/// One thing that the peer did.
#[derive(Debug)]
pub enum Event {
    /// A request to be served; at most 4096 at a time, more are refused as busy before they come here.
    Request(Serving),
    /// The peer's hello: always the first event.
    Hello(Hello),
    /// Any other one-way message, boxed.
    Message(Bytes),
    /// A question, to be answered with [`Link::answer`].
    Query {
        /// The peer's id of the question.
        id: i64,
        /// The boxed function.
        question: Bytes,
    },
}

// === impl Session ===

impl Session {
    /// Starts the session after the role's handshake and sends our hello; `lost` is the fault of every open exchange
    /// when the link ends. Needs a Tokio runtime.
    pub fn start(link: Link, inbox: Inbox, _hello: Hello, _lost: Fault) -> (Self, Events) {
        (Self { link }, Events { _inbox: inbox })
    }

    /// The link below.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Sends a request's head; the body and the answer follow on the exchange.
    ///
    /// # Errors
    /// [`LinkClosed`] when the link has ended.
    pub async fn open(&self, _head: RequestHead) -> Result<Exchange, LinkClosed> {
        Err(LinkClosed::missing())
    }
}

// === impl Events ===

impl Events {
    /// The next event, or nothing when the link has ended. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Event> {
        None
    }
}
