use std::fmt;
use std::io;

use cocoon_attest::Refusal;
use rustls::Error as TlsError;

use crate::pow::NotPow;
use crate::pow::load::Overload;
use crate::tls::refusal_in;

/// What a connection that is not a link yet is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Resolving the name and connecting.
    Tcp,
    /// Proof of work.
    Pow,
    /// The TLS handshake, the appraisal included.
    Tls,
    /// The `tcp.connect` exchange.
    Link,
}

/// A connection failed while it was brought up, at either side.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// Not done in time.
    #[error("{0} took too long")]
    Deadline(Step),
    /// The peer went away.
    #[error("the peer closed the connection during {0}")]
    Closed(Step),
    /// We refuse the peer.
    #[error("the peer is refused")]
    Refused(#[source] Refusal),
    /// The peer refused us and said so. The original only closes.
    #[error("the peer refused this node")]
    RefusedByPeer(#[source] io::Error),
    /// The peer refused us and said why.
    #[error("the peer refused this node: {0}")]
    RefusedBecause(String),
    /// Simulated evidence, where it counts on this machine only.
    #[error(
        "the peer's evidence is simulated and it is not on this machine: without a registry that marks a test network, such evidence is taken on loopback only (hint: set chain and root, or use 127.0.0.1)"
    )]
    SimulatedFromAfar,
    /// TLS failed for another reason.
    #[error("the TLS handshake failed")]
    Tls(#[source] io::Error),
    /// The peer's first frame is not what the protocol says.
    #[error("{0}")]
    Greeting(String),
    /// The operating system reported an error.
    #[error("the connection failed during {0}")]
    Io(Step, #[source] io::Error),
}

/// No link to the peer that was dialled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// Nobody listens there, or the name is unknown.
    #[error("no TCP connection")]
    Tcp(#[source] io::Error),
    /// What was answered is no challenge: probably not a node of this network.
    #[error(transparent)]
    NotPow(#[from] NotPow),
    /// More than [`crate::PowOptions::max_difficulty`]; it was not answered.
    #[error("the peer asks for {asked} bits of proof of work, this node gives {limit} at most")]
    TooMuchWork {
        /// Bits that the challenge asks for.
        asked: i32,
        /// Bits that we allow.
        limit: u8,
    },
    /// The node is shutting down.
    #[error("the search for a proof of work was stopped")]
    Stopped,
    /// Failed as either side can.
    #[error(transparent)]
    Stream(#[from] StreamError),
}

/// No link to the peer that dialled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// There was no place for it.
    #[error(transparent)]
    Overload(#[from] Overload),
    /// What came is no solution.
    #[error(transparent)]
    NotPow(#[from] NotPow),
    /// The nonce does not solve the challenge.
    #[error("the proof of work is wrong")]
    WrongWork,
    /// The secure source failed.
    #[error("no randomness for a challenge")]
    Randomness,
    /// Failed as either side can.
    #[error(transparent)]
    Stream(#[from] StreamError),
}

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("the address cannot be listened on")]
pub struct ListenError(#[source] pub io::Error);

/// Whether a read failed because the peer closed without a TLS close_notify. The original never sends one
/// (spec/network.md 3.1), and frames carry their own lengths, so this is an ordinary end.
pub(crate) fn is_end(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
}

// === impl StreamError ===

impl StreamError {
    /// Tells the ends, refusals and TLS errors apart that all arrive as [`io::Error`].
    pub(crate) fn of(step: Step, error: io::Error) -> Self {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
        match tls {
            Some(tls) if let Some(refusal) = refusal_in(tls) => Self::Refused(refusal),
            Some(TlsError::AlertReceived(_)) => Self::RefusedByPeer(error),
            Some(_) => Self::Tls(error),
            None if is_end(&error) || error.kind() == io::ErrorKind::ConnectionReset => Self::Closed(step),
            None => Self::Io(step, error),
        }
    }
}

// === impl Step ===

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "the TCP connection",
            Self::Pow => "the proof of work",
            Self::Tls => "the TLS handshake",
            Self::Link => "the link's opening exchange",
        })
    }
}
