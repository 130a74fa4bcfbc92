use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cocoon_attest::Side;
use cocoon_tl::{TlObject, tcp};
use tokio::io::AsyncRead;
use tokio::time::Instant;

use super::mailbox::{Mailbox, Pushed};
use super::outbox::Outgoing;
use super::pending::random_id;
use super::{Broken, Core, Incoming};
use crate::LinkLimits;
use crate::error::is_end;
use crate::frame::FrameReader;
use crate::session::Shared;

/// How long a full inbox may stay full before the link is given up: whoever should read it is stuck.
const UNREAD: Duration = Duration::from_secs(60);
/// Bytes of a peer's error text that are kept.
const MAX_ERROR_TEXT: usize = 512;

/// Reads frames until the link ends.
pub(super) async fn run(
    mut io: impl AsyncRead + Unpin,
    frames: FrameReader,
    core: Arc<Core>,
    side: Side,
    limits: LinkLimits,
) {
    let mut reader = Reader::new(&core, frames, Silence::new(side, limits));
    if let Err(broken) = reader.run(&mut io).await {
        core.fail(broken);
    }
}

pub(crate) struct Reader<'a> {
    core: &'a Core,
    frames: FrameReader,
    silence: Silence,
    /// The session, once it has taken over the inbox; asked for once instead of for every message.
    session: Option<Arc<Shared>>,
}

/// The timers of spec/network.md 1.6: only complete frames count as a sign of life.
struct Silence {
    last_frame: Instant,
    ping: Option<Duration>,
    pinged: bool,
    death: Duration,
}

// === impl Reader ===

impl<'a> Reader<'a> {
    fn new(core: &'a Core, frames: FrameReader, silence: Silence) -> Self {
        Self {
            core,
            frames,
            silence,
            session: None,
        }
    }

    /// A reader of a link without tasks, with nothing read yet.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn bare(core: &'a Core) -> Self {
        let silence = Silence::new(Side::Acceptor, LinkLimits::default());
        Self::new(
            core,
            FrameReader::new(LinkLimits::default().largest_frame),
            silence,
        )
    }

    /// Takes some bytes off the stream, as if they had just come.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) async fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Broken> {
        loop {
            while let Some(payload) = self.frames.next()? {
                self.receive(payload).await?;
            }
            if self.frames.fill(&mut bytes).await.map_err(Broken::Read)? == 0 {
                return Ok(());
            }
        }
    }

    async fn run(&mut self, io: &mut (impl AsyncRead + Unpin)) -> Result<(), Broken> {
        let ended = self.core.ended();
        let alarm = tokio::time::sleep_until(self.silence.next());
        tokio::pin!(ended, alarm);
        loop {
            let mut received = false;
            self.frames.allow(self.core.allowed_frame());
            while let Some(payload) = self.frames.next()? {
                self.receive(payload).await?;
                received = true;
                if self.core.is_ended() {
                    return Ok(());
                }
            }
            if received {
                self.silence.frame();
            }
            tokio::select! {
                biased;
                read = self.frames.fill(io) => self.check(read)?,
                () = alarm.as_mut() => {
                    // Frames do not move the alarm; it is set anew only when it goes off.
                    if self.silence.is_ping_due()? {
                        self.core.send_urgent(Outgoing::Ping(random_id()));
                    }
                    alarm.as_mut().reset(self.silence.next());
                }
                () = ended.as_mut() => return Ok(()),
            }
        }
    }

    fn check(&self, read: std::io::Result<usize>) -> Result<(), Broken> {
        match read {
            Ok(0) if self.frames.is_mid_frame() => Err(Broken::HalfFrame),
            Ok(0) => Err(Broken::PeerClosed),
            Ok(_) => Ok(()),
            // A peer that dies says no good-bye in TLS; that is no other event than a plain end.
            Err(error) if is_end(&error) || error.kind() == std::io::ErrorKind::ConnectionReset => {
                self.check(Ok(0))
            }
            Err(error) => Err(Broken::Read(error)),
        }
    }

    /// Answers and pings are dealt with here, before anything that may have to wait.
    async fn receive(&mut self, payload: Bytes) -> Result<(), Broken> {
        use tcp::Packet;
        match Packet::from_boxed(payload).map_err(Broken::Packet)? {
            Packet::Packet(packet) => self.deliver(Incoming::Packet(packet.data)).await,
            Packet::Query(query) => {
                self.deliver(Incoming::Query {
                    id: query.id,
                    question: query.data,
                })
                .await
            }
            Packet::QueryAnswer(answer) => {
                self.core.pending.answered(answer.id, Ok(answer.data));
                Ok(())
            }
            Packet::QueryError(error) => {
                let text = error.message.lossy(MAX_ERROR_TEXT);
                self.core.pending.answered(error.id, Err((error.code, text)));
                Ok(())
            }
            Packet::Ping(ping) => {
                self.core.send_urgent(Outgoing::Pong(ping.id));
                Ok(())
            }
            // After the greeting these two are ignored, and a pong's content is not looked at (spec/network.md 1.4, 1.6).
            Packet::Pong(_) | Packet::Connect(_) | Packet::Connected(_) => Ok(()),
        }
    }

    pub(crate) async fn deliver(&mut self, incoming: Incoming) -> Result<(), Broken> {
        let incoming = if self.session.is_none() {
            let bytes = incoming.bytes();
            match push(self.core, &self.core.inbox, incoming, bytes).await? {
                None => return Ok(()),
                Some(forwarded) => {
                    self.session = self.core.session();
                    forwarded
                }
            }
        } else {
            incoming
        };
        // Without a session here, the link has just ended.
        let Some(session) = &self.session else {
            return Ok(());
        };
        if let Some(event) = session.receive(incoming)? {
            let bytes = event.bytes();
            push(self.core, session.events(), event, bytes).await?;
        }
        Ok(())
    }
}

/// Puts an item into a mailbox, waiting for room. Gives it back when the mailbox was taken over.
async fn push<T>(core: &Core, mailbox: &Mailbox<T>, mut item: T, bytes: usize) -> Result<Option<T>, Broken> {
    loop {
        match mailbox.push(item, bytes) {
            Pushed::Done => return Ok(None),
            Pushed::Forward(item) => return Ok(Some(item)),
            Pushed::Full(back) => item = back,
        }
        // Meanwhile nothing is read: TCP slows the peer down.
        tokio::select! {
            () = mailbox.room() => {}
            () = core.ended() => return Ok(None),
            () = tokio::time::sleep(UNREAD) => return Err(Broken::InboxUnread(UNREAD)),
        }
    }
}

// === impl Silence ===

impl Silence {
    fn new(side: Side, limits: LinkLimits) -> Self {
        let (ping, death) = match side {
            Side::Dialler => (Some(limits.ping_after), limits.dialler_death),
            Side::Acceptor => (None, limits.acceptor_death),
        };
        Self {
            last_frame: Instant::now(),
            ping,
            pinged: false,
            death,
        }
    }

    fn frame(&mut self) {
        self.last_frame = Instant::now();
        self.pinged = false;
    }

    /// When to look again.
    fn next(&self) -> Instant {
        match self.ping {
            Some(ping) if !self.pinged => self.last_frame + ping,
            _ => self.last_frame + self.death,
        }
    }

    fn is_ping_due(&mut self) -> Result<bool, Broken> {
        let silent = self.last_frame.elapsed();
        if silent >= self.death {
            return Err(Broken::Silence(self.death));
        }
        let due = !self.pinged && self.ping.is_some_and(|ping| silent >= ping);
        self.pinged |= due;
        Ok(due)
    }
}
