use std::time::Duration;

use cocoon_tl::TlError;
use cocoon_tl::frame::FrameLengthError;

use crate::error::{Step, StreamError};
use crate::session::Violation;

/// Why a link ended by itself. The text is the reason that is logged; it never holds content.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("the peer closed the connection")]
    PeerClosed,
    #[error("the connection ended in the middle of a frame")]
    HalfFrame,
    #[error("reading failed: {0}")]
    Read(#[source] std::io::Error),
    #[error("writing failed: {0}")]
    Write(#[source] std::io::Error),
    #[error(transparent)]
    FrameLength(#[from] FrameLengthError),
    #[error("a frame of {len} bytes, where at most {largest} are taken")]
    LargeFrame { len: usize, largest: usize },
    #[error("frame number {found} instead of {expected}")]
    Seqno { expected: i32, found: i32 },
    #[error("a frame is not a tcp.Packet: {0}")]
    Packet(#[source] TlError),
    #[error("the peer refused this node: {0}")]
    Refused(String),
    #[error("the first frame is not {expected}")]
    FirstPacket { expected: &'static str },
    #[error("no complete frame for {0:?}")]
    Silence(Duration),
    #[error("the peer took no bytes for {0:?}")]
    Stalled(Duration),
    #[error("the peer makes us answer without reading the answers")]
    ControlFlood,
    #[error("nobody read the inbox for {0:?}")]
    InboxUnread(Duration),
    #[error("the peer sends faster than a session can begin")]
    EventFlood,
    #[error("the peer broke protocol 3: {0}")]
    Protocol(#[from] Violation),
    #[error("the greeting took longer than {0:?}")]
    GreetingTimeout(Duration),
}

impl From<Broken> for StreamError {
    /// What a link's greeting failed with.
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::GreetingTimeout(_) => Self::Deadline(Step::Link),
            Broken::PeerClosed | Broken::HalfFrame => Self::Closed(Step::Link),
            Broken::Read(error) | Broken::Write(error) => Self::of(Step::Link, error),
            Broken::Refused(reason) => Self::RefusedBecause(reason),
            broken => Self::Greeting(broken.to_string()),
        }
    }
}
