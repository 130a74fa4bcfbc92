//! One attested connection: frames, queries, keep-alive (spec/network.md 1.3 to 1.6).
//!
//! Two tasks own the stream. The reader takes frames apart and hands them on; it waits for nothing but room in the
//! inbox. The writer takes everything that the outbox holds and writes it together. Handles share a [`Core`].

mod batch;
mod broken;
mod core;
mod greeting;
mod mailbox;
mod outbox;
mod pending;
mod reader;
mod writer;

use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use cocoon_attest::Side;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;

use crate::standing::{Attested, Standing};
use crate::{LinkLimits, VerifiedPeer};

pub(crate) use broken::Broken;
pub(crate) use core::Core;
pub(crate) use mailbox::{Limits, Mailbox, Pushed};
pub(crate) use outbox::Outgoing;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use {batch::Batch, reader::Reader};

/// What a pair of joined links holds in each direction, like a pair of socket buffers.
const PAIR_BUFFER: usize = 64 * 1024;

/// From the moment at which a peer is no longer acceptable to the end of its link: for running requests to end. With the
/// registry's poll before it, a peer is out within a minute.
const DRAIN: Duration = Duration::from_secs(20);

/// An attested connection after the `tcp.connect` exchange. Clones are the same link; it ends when the last of them and
/// everything made from it (session, exchanges) is gone, after what is queued has been written.
#[derive(Clone)]
pub struct Link {
    owner: Arc<Owner>,
}

/// What the peer sends on a link, in order. Bounded: an inbox that nobody reads stops the link's reader, and ends the
/// link after a minute. Dropping it means that nothing more is wanted; it does not end the link.
pub struct Inbox {
    core: Arc<Core>,
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

/// Ends the link when the last handle is gone.
pub(crate) struct Owner {
    core: Arc<Core>,
    tasks: JoinSet<()>,
}

// === impl Link ===

impl Link {
    /// Greets the peer on a stream whose other end has been appraised, and starts the link's tasks. `side` is ours: the
    /// dialler greets first, and pings.
    pub(crate) async fn establish<T>(
        mut io: T,
        attested: impl Into<Attested>,
        remote_addr: SocketAddr,
        side: Side,
        limits: LinkLimits,
    ) -> Result<(Self, Inbox), Broken>
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let frames = greeting::greet(&mut io, side, limits).await?;
        let Attested {
            peer,
            certificate,
            standing,
        } = attested.into();
        let core = Arc::new(Core::new(peer, certificate, remote_addr));
        let (read_half, write_half) = tokio::io::split(io);
        let mut tasks = JoinSet::new();
        tasks.spawn(reader::run(read_half, frames, Arc::clone(&core), side, limits));
        tasks.spawn(writer::run(write_half, Arc::clone(&core), 1));
        tasks.spawn(end_after(limits.longest_life, Arc::clone(&core)));
        if let Some(standing) = standing {
            tasks.spawn(watch_over(standing, Arc::clone(&core)));
        }
        let inbox = Inbox {
            core: Arc::clone(&core),
        };
        let owner = Arc::new(Owner { core, tasks });
        Ok((Self { owner }, inbox))
    }

    /// Two links of this process, joined to each other: what one sends, the other receives. For a translator that stands
    /// between a role and a peer of another protocol; `peer` and `remote_addr` are that peer's, on both.
    ///
    /// # Errors
    /// A defect of ours: the two did not greet each other.
    pub async fn pair(
        peer: &VerifiedPeer,
        remote_addr: SocketAddr,
    ) -> Result<[(Self, Inbox); 2], LinkClosed> {
        let (near, far) = tokio::io::duplex(PAIR_BUFFER);
        let join = |io, side| Self::establish(io, peer.clone(), remote_addr, side, LinkLimits::default());
        let joined = tokio::try_join!(join(near, Side::Dialler), join(far, Side::Acceptor));
        match joined {
            Ok((near, far)) => Ok([near, far]),
            Err(broken) => Err(LinkClosed {
                reason: broken.to_string(),
            }),
        }
    }

    /// A link that nothing reads and writes.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn without_tasks(peer: VerifiedPeer) -> (Self, Inbox) {
        let core = Arc::new(Core::new(peer, None, SocketAddr::from(([127, 0, 0, 1], 1))));
        let inbox = Inbox {
            core: Arc::clone(&core),
        };
        let tasks = JoinSet::new();
        let owner = Arc::new(Owner { core, tasks });
        (Self { owner }, inbox)
    }

    /// Who is at the other end, as appraised during the handshake.
    pub fn peer(&self) -> &VerifiedPeer {
        &self.owner.core.peer
    }

    /// The certificate that the peer presented, in DER, for whoever hands its evidence on. Nothing on a link of [`Link::pair`].
    pub fn peer_certificate(&self) -> Option<&Arc<[u8]>> {
        self.owner.core.certificate.as_ref()
    }

    /// Waits until the peer is no longer acceptable by the rules that hold now, and says why. Nothing new begins on the link
    /// then, and it ends in 20 s; whoever is done earlier closes it with these words. Cancel-safe.
    pub async fn withdrawn(&self) -> String {
        self.owner.core.withdrawn().await;
        self.owner.core.withdrawal().unwrap_or_default().to_owned()
    }

    /// As [`Link::withdrawn`], if it has come to that.
    pub fn withdrawal(&self) -> Option<String> {
        self.owner.core.withdrawal().map(ToOwned::to_owned)
    }

    /// Whether the other is the same link.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.owner, &other.owner)
    }

    /// The other end's address.
    pub fn remote_addr(&self) -> SocketAddr {
        self.owner.core.remote_addr
    }

    /// Sends a one-way message; waits while the writer's queue is full.
    ///
    /// # Errors
    /// [`LinkClosed`] when the link has ended, or (the link lives on) when the message fits no frame.
    pub async fn send(&self, message: Bytes) -> Result<(), LinkClosed> {
        let bytes = message.len();
        self.owner.core.send(bytes, Outgoing::Packet(message)).await
    }

    /// Asks and waits for the answer, at most until the deadline.
    ///
    /// # Errors
    /// [`QueryError`]; when the link dies, at once.
    pub async fn query(&self, question: Bytes, deadline: Duration) -> Result<Bytes, QueryError> {
        self.owner.core.query(question, deadline).await
    }

    /// Answers a question of the peer, with a result or with an error's code and text.
    ///
    /// # Errors
    /// [`LinkClosed`] when the link has ended, or (the link lives on) when the answer fits no frame.
    pub async fn answer(
        &self,
        query_id: i64,
        answer: Result<Bytes, (i32, String)>,
    ) -> Result<(), LinkClosed> {
        let id = query_id;
        // Head and padding of the longest of the three packets, beyond what `tcp.packet` has.
        let (bytes, frame) = match answer {
            Ok(data) => (data.len() + 12, Outgoing::Answer { id, data }),
            Err((code, message)) => (message.len() + 16, Outgoing::Error { id, code, message }),
        };
        self.owner.core.send(bytes, frame).await
    }

    /// Ends the link after what is queued has been written, for at most two seconds. The first reason wins and is logged;
    /// it must hold no content.
    pub fn close(&self, reason: &str) {
        self.owner.core.close(reason);
    }

    /// Waits for the end of the link and says why. Cancel-safe.
    pub async fn closed(&self) -> String {
        self.owner.core.ended().await;
        self.owner.core.closed().reason
    }

    /// Whether the link has ended.
    pub fn is_closed(&self) -> bool {
        self.owner.core.is_ended()
    }

    /// Takes frames of up to so many bytes of payload from now on, when that is more than before. For peers of the
    /// original, which send a whole request in one, once they are known.
    pub fn allow_frames(&self, bytes: usize) {
        self.owner.core.allow_frames(bytes);
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.owner.core
    }

    pub(crate) fn downgrade(&self) -> Weak<Owner> {
        Arc::downgrade(&self.owner)
    }

    pub(crate) fn upgrade(owner: &Weak<Owner>) -> Option<Self> {
        owner.upgrade().map(|owner| Self { owner })
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("tier", &self.peer().tier())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// A link outlives no evidence: what was appraised holds only so long.
async fn end_after(life: Duration, core: Arc<Core>) {
    tokio::select! {
        () = tokio::time::sleep(life) => core.close("the peer's evidence has expired"),
        () = core.ended() => {}
    }
}

/// Nor the rules under which it was appraised.
async fn watch_over(standing: Standing, core: Arc<Core>) {
    let fallen = tokio::select! {
        fallen = standing.fall(&core.peer) => fallen.to_string(),
        () = core.ended() => return,
    };
    core.withdraw(&fallen);
    tokio::select! {
        () = tokio::time::sleep(DRAIN) => core.close(&fallen),
        () = core.ended() => {}
    }
}

// === impl Owner ===

impl Drop for Owner {
    fn drop(&mut self) {
        self.core.close("no longer used");
        // Aborting would cut off what is still queued, such as the last words of an answer. The tasks see the end
        // themselves: the reader at once, the writer within two seconds.
        self.tasks.detach_all();
    }
}

// === impl Inbox ===

impl Inbox {
    /// The next message, or nothing when the link has ended. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Incoming> {
        self.core.inbox.recv().await
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.core.inbox.abandon();
    }
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

// === impl Incoming ===

impl Incoming {
    /// Bytes that the message holds in memory.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Packet(data) | Self::Query { question: data, .. } => data.len(),
        }
    }
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Packet(data) => write!(f, "Packet({} bytes)", data.len()),
            Self::Query { id, question } => write!(f, "Query({id}, {} bytes)", question.len()),
        }
    }
}

#[cfg(test)]
mod tests;
