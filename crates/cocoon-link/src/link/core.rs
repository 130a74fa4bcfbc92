use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use cocoon_tl::frame::MAX_PACKET;
use tokio_util::sync::CancellationToken;

use super::mailbox::{Limits, Mailbox};
use super::outbox::{NotTaken, Outbox, Outgoing};
use super::pending::Pending;
use super::{Broken, Incoming, LinkClosed, QueryError};
use crate::VerifiedPeer;
use crate::session::Shared;

/// What the inbox holds. Roles exchange a few messages before the session takes over; a proxy asked by an eager client
/// sees some tens. The bytes admit one message of any size beside small ones.
const INBOX: Limits = Limits {
    count: 256,
    bytes: 1024 * 1024,
};

/// The state of a link, shared by its handles and its two tasks.
pub(crate) struct Core {
    pub(crate) peer: VerifiedPeer,
    pub(crate) certificate: Option<Arc<[u8]>>,
    pub(crate) remote_addr: SocketAddr,
    pub(crate) outbox: Outbox,
    pub(crate) pending: Pending,
    pub(crate) inbox: Mailbox<Incoming>,
    session: Mutex<SessionSlot>,
    reason: OnceLock<String>,
    /// Why nothing new may begin on a link that is about to end.
    withdrawal: OnceLock<String>,
    withdrawn: CancellationToken,
    /// Largest frame that was allowed beyond what the link began with.
    allowed_frame: AtomicUsize,
    ended: CancellationToken,
}

/// Where the session is, once there is one. Emptied when the link ends, since the session points back here.
enum SessionSlot {
    Empty,
    Running(Arc<Shared>),
    Ended,
}

// === impl Core ===

impl Core {
    pub(super) fn new(peer: VerifiedPeer, certificate: Option<Arc<[u8]>>, remote_addr: SocketAddr) -> Self {
        Self {
            peer,
            certificate,
            remote_addr,
            outbox: Outbox::new(),
            pending: Pending::default(),
            inbox: Mailbox::new(INBOX),
            session: Mutex::new(SessionSlot::Empty),
            reason: OnceLock::new(),
            withdrawal: OnceLock::new(),
            withdrawn: CancellationToken::new(),
            allowed_frame: AtomicUsize::new(0),
            ended: CancellationToken::new(),
        }
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    pub(crate) fn allow_frames(&self, bytes: usize) {
        self.allowed_frame.fetch_max(bytes, Ordering::Relaxed);
    }

    pub(super) fn allowed_frame(&self) -> usize {
        self.allowed_frame.load(Ordering::Relaxed)
    }

    /// Waits for the end.
    pub(crate) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Why the link has ended; to be called when it has.
    pub(crate) fn closed(&self) -> LinkClosed {
        LinkClosed {
            reason: self.reason.get().cloned().unwrap_or_default(),
        }
    }

    /// From now on nothing new begins here: the peer is no longer acceptable.
    pub(super) fn withdraw(&self, reason: &str) {
        if self.withdrawal.set(reason.to_owned()).is_ok() {
            tracing::warn!(reason, "a link takes nothing new and will end");
            self.withdrawn.cancel();
        }
    }

    /// Why nothing new may begin, if so.
    pub(crate) fn withdrawal(&self) -> Option<&str> {
        self.withdrawal.get().map(String::as_str)
    }

    /// Waits until nothing new may begin.
    pub(super) async fn withdrawn(&self) {
        self.withdrawn.cancelled().await;
    }

    /// Ends the link because our side wants to.
    pub(crate) fn close(&self, reason: &str) {
        if self.end(reason) {
            tracing::info!(reason, "link closed");
        }
    }

    /// Ends the link because something broke.
    pub(crate) fn fail(&self, broken: Broken) {
        let reason = broken.to_string();
        if self.end(&reason) {
            match broken {
                Broken::PeerClosed => tracing::info!(reason, "link closed"),
                _ => tracing::warn!(reason, "link broken"),
            }
        }
    }

    /// Tells everybody, once. The writer goes on for a moment with what is queued.
    fn end(&self, reason: &str) -> bool {
        if self.reason.set(reason.to_owned()).is_err() {
            return false;
        }
        self.outbox.end();
        self.pending.end();
        let session = std::mem::replace(&mut *self.slot(), SessionSlot::Ended);
        if let SessionSlot::Running(session) = session {
            session.link_ended();
        }
        self.inbox.end();
        self.ended.cancel();
        true
    }

    /// Lets a session receive what comes; false when the link has ended.
    pub(crate) fn attach(&self, session: Arc<Shared>) -> bool {
        let mut slot = self.slot();
        if matches!(*slot, SessionSlot::Ended) {
            return false;
        }
        *slot = SessionSlot::Running(session);
        true
    }

    pub(super) fn session(&self) -> Option<Arc<Shared>> {
        match &*self.slot() {
            SessionSlot::Running(session) => Some(Arc::clone(session)),
            SessionSlot::Empty | SessionSlot::Ended => None,
        }
    }

    /// Queues a frame without waiting. A peer that makes us owe too many loses the link.
    pub(crate) fn send_urgent(&self, frame: Outgoing) {
        if self.outbox.push_urgent(frame) == Err(NotTaken::TooManyUrgent) {
            self.fail(Broken::ControlFlood);
        }
    }

    /// Queues a frame as soon as there is room.
    pub(crate) async fn send(&self, bytes: usize, frame: Outgoing) -> Result<(), LinkClosed> {
        if bytes > MAX_PACKET {
            // Dropped with an error, where the original drops in silence (spec/network.md 10, 26).
            return Err(LinkClosed {
                reason: format!("a message of {bytes} bytes fits no frame and was not sent"),
            });
        }
        let queued = match self.outbox.room(bytes).await {
            Some(room) => room.push(frame),
            None => false,
        };
        if queued { Ok(()) } else { Err(self.closed()) }
    }

    pub(crate) async fn query(&self, data: Bytes, deadline: Duration) -> Result<Bytes, QueryError> {
        tokio::time::timeout(deadline, async {
            let mut question = self.pending.ask()?;
            // `tcp.query` has 12 bytes more of head than `tcp.packet`'s limit allows for.
            let bytes = data.len() + 12;
            let id = question.id;
            self.send(bytes, Outgoing::Query { id, data }).await?;
            match (&mut question.answer).await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err((code, message))) => Err(QueryError::Refused { code, message }),
                Err(_) => Err(QueryError::Closed(self.closed())),
            }
        })
        .await
        .unwrap_or(Err(QueryError::Timeout(deadline)))
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, SessionSlot> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
