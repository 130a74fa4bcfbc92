//! Entry functions of the fuzz targets (`/fuzz`): a link without tasks, driven step by step on one thread.
//!
//! A function here panics iff this crate is wrong. The input is everything that a peer may choose, and the order of what
//! our own side does meanwhile.

mod script;

use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use cocoon_attest::{EvidenceRule, ImageRule, Policy, Side, Simulated, VerifiedPeer, appraise_certificate};
use cocoon_tl::v3::INITIAL_WINDOW;
use cocoon_types::{Coefficient, Endpoint, Fault, ModelName, RequestId, TierPolicy};

use crate::link::{Batch, Link, Reader};
use crate::{AnswerEvent, EnginePlace, Event, Events, Hello, Identity, RequestHead, Serving, Session};

pub use script::script;

/// The name of a target and of its corpus directory, and its entry function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of this crate.
pub const TARGETS: &[Target] = &[("session_bytes", bytes), ("session_script", script)];

/// Bytes that a session may hold for each of its streams: the window, and buffers that are shared with other streams.
const HELD_PER_STREAM: usize = 4 * INITIAL_WINDOW as usize;

/// Raw bytes from a peer: frames, packets, dispatch. The first byte says who asks, and how the bytes are cut.
pub fn bytes(data: &[u8]) {
    let Some((mode, data)) = data.split_first() else {
        return;
    };
    let (link, inbox) = Link::without_tasks(peer());
    let (session, mut events) = Session::start(link.clone(), inbox, hello(), Fault::WorkerLost);
    let mut exchanges = Vec::new();
    if mode & 1 == 1 {
        exchanges.extend((0..3).filter_map(|_| now(session.open(head()))?.ok()));
        assert_eq!(exchanges.len(), 3);
    }
    let mut servings = Vec::new();
    let mut reader = Reader::bare(link.core());
    for chunk in data.chunks(1 + usize::from(mode >> 1)) {
        match now(reader.feed(chunk)) {
            Some(Ok(())) => {}
            Some(Err(broken)) => {
                link.core().fail(broken);
                break;
            }
            None => panic!("the reader waits although the events are read"),
        }
        take_events(&mut events, &mut servings);
        written(&link);
        assert!(session.held_bytes() <= HELD_PER_STREAM * (exchanges.len() + servings.len()));
    }
    link.close("the input is over");
    // Whatever happened, nobody is left waiting.
    for exchange in exchanges {
        let (mut body, mut answer) = exchange.split();
        assert!(now(body.send(Bytes::new(), true)).is_some());
        loop {
            match now(answer.next()) {
                Some(Ok(AnswerEvent::Part(_))) => {}
                Some(Ok(AnswerEvent::End(_)) | Err(_)) => break,
                None => panic!("an answer is waited for on a dead link"),
            }
        }
    }
    for serving in servings {
        assert!(now(serving.answer.cancelled()).is_some());
    }
    assert!(session.open_streams() == 0);
}

/// Somebody without evidence, honestly appraised.
pub(crate) fn peer() -> VerifiedPeer {
    static PEER: OnceLock<VerifiedPeer> = OnceLock::new();
    PEER.get_or_init(|| {
        let identity = Identity::without_evidence(0).expect("invariant: a certificate can be made");
        let policy = Policy {
            evidence: EvidenceRule::Optional {
                simulated: Simulated::Refuse,
            },
            image_hashes: ImageRule::Any,
            ..Policy::default()
        };
        appraise_certificate(identity.certificate_der(), Side::Dialler, &policy, 0)
            .expect("invariant: our own certificate is acceptable")
    })
    .clone()
}

fn hello() -> Hello {
    Hello {
        software: "fuzz".into(),
        capabilities: Vec::new(),
        endpoints: Vec::new(),
        context_length: 0,
        engine: EnginePlace::None,
    }
}

fn head() -> RequestHead {
    RequestHead {
        request_id: RequestId([0; 32]),
        endpoint: Endpoint::ChatCompletions,
        model: ModelName::new("model").expect("invariant: a good name"),
        max_tokens: 1,
        tier: TierPolicy::CONFIDENTIAL,
        max_coefficient: Coefficient::ONE,
        timeout: std::time::Duration::from_secs(1),
        body_bytes: 0,
        sealed: None,
    }
}

/// What the future says when it is asked once.
fn now<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Keeps a few requests and drops the rest, which refuses them.
fn take_events(events: &mut Events, servings: &mut Vec<Serving>) {
    while let Some(Some(event)) = now(events.recv()) {
        if let Event::Request(serving) = event
            && servings.len() < 8
        {
            servings.push(serving);
        }
    }
}

/// Does the writer's work; how many bytes it would have written.
fn written(link: &Link) -> usize {
    let outbox = &link.core().outbox;
    let mut entries = Vec::new();
    outbox.take(&mut entries);
    let mut batch = Batch::starting_at(1);
    let (mut room, mut urgent) = (0, 0);
    for (frame, cost) in entries {
        match cost {
            0 => urgent += 1,
            cost => room += cost as usize,
        }
        batch.encode(frame);
    }
    batch.seal();
    outbox.written(room, urgent);
    batch.remaining()
}

#[cfg(test)]
mod tests;
