//! Protocol 3 on a link: requests as streams with credit windows, one type for both directions.

mod exchange;
mod head;
mod pieces;
mod serving;
mod shared;
mod stream;
mod violation;
mod wire;

use std::sync::Arc;

use bytes::Bytes;
use cocoon_types::Fault;

use crate::link::{Broken, Pushed};
use crate::{Inbox, Link, LinkClosed};

pub use exchange::{AnswerReceiver, BodySender, Exchange};
pub use head::{
    AnswerEnd, AnswerEvent, AnswerHead, EnginePlace, Hello, RequestHead, SealedAnswer, SealedHead,
};
pub use serving::{AnswerSender, BodyReceiver, Serving, StreamGone, Unfinished};

pub(crate) use shared::Shared;
pub(crate) use violation::Violation;

/// A conversation in protocol 3 on one link. Clones are the same session.
///
/// One side of a link asks: the first to open a stream. (The credit message names a stream, not a direction.)
///
/// What comes from the peer is dispatched by the link's reader itself, which never waits for a stream: the windows
/// guarantee room. Deadlines of requests are the roles' business; a peer may be as slow as the link's timers allow.
#[derive(Clone)]
pub struct Session {
    link: Link,
    shared: Arc<Shared>,
}

/// What the peer does in a session, in order. Bounded: whoever holds it must keep reading, or all streams of the link
/// stop, and after a minute the link ends. Dropping it turns further requests away and ignores the rest.
pub struct Events {
    shared: Arc<Shared>,
}

/// One thing that the peer did.
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
    pub fn start(link: Link, inbox: Inbox, hello: Hello, lost: Fault) -> (Self, Events) {
        let shared = Arc::new(Shared::new(&link, lost));
        link.core().send_urgent(wire::hello(hello));
        if link.core().attach(Arc::clone(&shared)) {
            // What has come before the session is dispatched first; then, in one moment, the reader takes over.
            while let Some(incoming) = inbox.core().inbox.pop_or_forward() {
                match shared.receive(incoming) {
                    Ok(None) => {}
                    Ok(Some(event)) => {
                        // There is room for all that the inbox held. A peer that refills it while it is emptied here
                        // sends faster than anybody could read, and must not hold this thread.
                        let bytes = event.bytes();
                        if !matches!(shared.events().push(event, bytes), Pushed::Done) {
                            link.core().fail(Broken::EventFlood);
                            break;
                        }
                    }
                    Err(violation) => {
                        link.core().fail(violation.into());
                        break;
                    }
                }
            }
        } else {
            shared.link_ended();
        }
        let events = Events {
            shared: Arc::clone(&shared),
        };
        (Self { link, shared }, events)
    }

    /// The link below.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Sends a request's head; the body and the answer follow on the exchange.
    ///
    /// # Errors
    /// [`LinkClosed`] when the link has ended or is about to ([`Link::withdrawn`]), or when the peer is the one that asks on this link.
    pub async fn open(&self, head: RequestHead) -> Result<Exchange, LinkClosed> {
        if let Some(reason) = self.link.core().withdrawal() {
            return Err(LinkClosed {
                reason: reason.to_owned(),
            });
        }
        self.shared.open(&self.link, head).await
    }
}

#[cfg(any(test, feature = "fuzzing"))]
impl Session {
    pub(crate) fn open_streams(&self) -> usize {
        self.shared.streams().len()
    }

    /// Bytes of memory that wait in all streams.
    pub(crate) fn held_bytes(&self) -> usize {
        self.shared
            .streams()
            .iter()
            .map(|stream| stream.held_bytes())
            .sum()
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("link", &self.link)
            .finish_non_exhaustive()
    }
}

// === impl Events ===

impl Events {
    /// The next event, or nothing when the link has ended. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Event> {
        self.shared.events().recv().await
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.shared.events().abandon();
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

// === impl Event ===

impl Event {
    /// Bytes that the event holds in memory, roughly.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Request(serving) => 256 + serving.head.sealed.as_ref().map_or(0, |sealed| sealed.bytes()),
            Self::Hello(_) => 256,
            Self::Message(data) | Self::Query { question: data, .. } => data.len(),
        }
    }
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Request(serving) => serving.fmt(f),
            Self::Hello(hello) => hello.fmt(f),
            Self::Message(data) => write!(f, "Message({} bytes)", data.len()),
            Self::Query { id, question } => write!(f, "Query({id}, {} bytes)", question.len()),
        }
    }
}

#[cfg(test)]
mod tests;
