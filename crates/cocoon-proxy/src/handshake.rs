//! What is agreed on a fresh link before it becomes a session: spec/network.md 6.1 to 6.4.
//!
//! The states and checks ([`client`], [`worker`]) are functions of the questions alone; [`drive`] puts them on a link.

pub(crate) mod client;
pub(crate) mod worker;

mod address;

use std::time::Duration;

use bytes::Bytes;
use cocoon_link::{Inbox, Incoming, Link};
use cocoon_tl::{TlString, frame::MAX_PAYLOAD, shared::ProtoVersions};
use cocoon_types::{Address, Refusal, TierPolicy};
use tokio::time::timeout;

use crate::accounting::Books;

/// An ordinary refusal (spec/network.md 0).
pub(crate) const ERROR: i32 = 602;
/// Malformed or disallowed input.
pub(crate) const PROTOVIOLATION: i32 = 621;
/// Refusals that the original makes without a code.
pub(crate) const UNCODED: i32 = 0;

/// The protocol that our own nodes speak.
pub(crate) const PROTOCOL: i32 = 3;
/// Time for a whole handshake; each of its questions has 30 s at the asker (spec/network.md 6.11).
const DEADLINE: Duration = Duration::from_secs(30);
/// One-way messages before the handshake is done are ignored, as the original does, but not for ever.
const MAX_EARLY_MESSAGES: usize = 16;

/// What one question leads to.
#[derive(Debug)]
pub(crate) enum Step<T> {
    /// Answer, and go on.
    Answer(Bytes),
    /// Answer; the handshake is done.
    Done(Bytes, T),
}

/// The peer is told this, and the link is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Denied {
    pub(crate) code: i32,
    pub(crate) message: String,
}

/// One side's states.
pub(crate) trait Handshake {
    /// What is known of the peer when it is done.
    type Outcome;

    /// Takes the peer's next question.
    fn on(&mut self, question: Bytes) -> impl Future<Output = Result<Step<Self::Outcome>, Denied>> + Send;

    /// Whether a protocol of the original was agreed on (2 or less).
    fn is_original(&self) -> bool;

    /// How long all of it may take.
    fn deadline(&self) -> Duration {
        DEADLINE
    }
}

/// What a proxy checks peers against.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) is_test: bool,
    pub(crate) public_key: [u8; 32],
    /// The accounts; `None` where nothing is paid.
    pub(crate) books: Option<Books>,
    /// The tiers that serve the requests of the original's clients; `None` where its peers are refused.
    pub(crate) original: Option<TierPolicy>,
}

/// Leads the handshake to its end on a fresh link; nothing when the peer broke it off or was denied.
pub(crate) async fn drive<H: Handshake>(
    link: &Link,
    inbox: &mut Inbox,
    mut handshake: H,
) -> Option<H::Outcome> {
    let outcome = timeout(handshake.deadline(), converse(link, inbox, &mut handshake)).await;
    match outcome {
        Ok(Ok(outcome)) => Some(outcome),
        Ok(Err(reason)) => {
            link.close(&reason);
            None
        }
        Err(_) => {
            link.close("the handshake took too long");
            None
        }
    }
}

async fn converse<H: Handshake>(
    link: &Link,
    inbox: &mut Inbox,
    handshake: &mut H,
) -> Result<H::Outcome, String> {
    let mut early = 0;
    loop {
        let (id, question) = match inbox.recv().await {
            None => return Err("the peer left during the handshake".to_owned()),
            Some(Incoming::Query { id, question }) => (id, question),
            Some(Incoming::Packet(_)) if early < MAX_EARLY_MESSAGES => {
                early += 1;
                continue;
            }
            Some(Incoming::Packet(_)) => return Err("too many messages before the handshake".to_owned()),
        };
        let (answer, outcome) = match handshake.on(question).await {
            Ok(Step::Answer(answer)) => (answer, None),
            Ok(Step::Done(answer, outcome)) => (answer, Some(outcome)),
            Err(denied) => {
                let reason = format!("handshake denied: {} (code {})", denied.message, denied.code);
                // Whether the peer still hears it or not, the link ends.
                let _ = link.answer(id, Err((denied.code, denied.message))).await;
                return Err(reason);
            }
        };
        if outcome.is_some() && handshake.is_original() {
            // Such a peer sends a whole request, or a whole answer, in one frame.
            link.allow_frames(MAX_PAYLOAD);
        }
        link.answer(id, Ok(answer))
            .await
            .map_err(|closed| closed.reason)?;
        if let Some(outcome) = outcome {
            return Ok(outcome);
        }
    }
}

/// The protocol version that both sides speak.
fn agree(versions: Option<&ProtoVersions>, expected: &Expected) -> Result<i32, Denied> {
    let (least, most) = versions.map_or((0, 0), |versions| {
        (versions.min_proto_version, versions.max_proto_version)
    });
    if most < 0 || least > most || least > PROTOCOL {
        return Err(Denied::violation("no protocol version in common"));
    }
    if most >= PROTOCOL {
        return Ok(PROTOCOL);
    }
    if expected.original.is_none() {
        return Err(Denied::error("this proxy serves nobody of protocol 0 to 2"));
    }
    if expected.books.is_none() {
        return Err(Denied::error(
            "protocol 0 to 2 needs payments, and nothing is paid here",
        ));
    }
    Ok(most)
}

/// An address as it is told in this version; `own` is one as the peer wrote it.
fn written(address: &Address, version: i32, own: &TlString) -> TlString {
    TlString::from(if version < PROTOCOL {
        address.in_the_form_of(own.as_str().unwrap_or_default())
    } else {
        address.to_string()
    })
}

/// What both legs are told about this proxy.
fn params(expected: &Expected, version: i32, own: &TlString) -> cocoon_tl::proxy::Params {
    // The key that signs payments is the one that a peer derives our contract's address with.
    let (proxy_public_key, owner, contract) = match &expected.books {
        None => (expected.public_key, TlString::EMPTY, TlString::EMPTY),
        Some(books) => (
            books.public_key(),
            written(&books.owner(), version, own),
            written(&books.contract(), version, own),
        ),
    };
    cocoon_tl::proxy::Params {
        proxy_public_key,
        proxy_owner_address: owner,
        proxy_sc_address: contract,
        is_test: Some(expected.is_test),
        // Version 0 does not know the field.
        proto_version: (version > 0).then_some(version),
    }
}

// === impl Denied ===

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self::new(ERROR, &refusal.message)
    }
}

impl Denied {
    fn new(code: i32, message: &str) -> Self {
        Self {
            code,
            message: message.to_owned(),
        }
    }

    fn error(message: &str) -> Self {
        Self::new(ERROR, message)
    }

    fn violation(message: &str) -> Self {
        Self::new(PROTOVIOLATION, message)
    }

    fn uncoded(message: &str) -> Self {
        Self::new(UNCODED, message)
    }
}

#[cfg(test)]
mod tests;
