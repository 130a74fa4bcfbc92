//! Answers that are passed on as they come.

use std::{fmt, sync::Arc};

use axum::{body::Body, response::Response};
use bytes::{Bytes, BytesMut};
use cocoon_link::AnswerEvent;
use cocoon_openai::{Note, NotedStream, error_event};
use cocoon_types::{Fault, Refusal, RequestId, Tier, Usage};
use futures_util::stream;

use super::{
    bill::Bill,
    budget::Hold,
    reply,
    scope::Scope,
    tail::{Tail, TailError},
};
use crate::{
    forward::Answer,
    idempotency::{MAX_ANSWER_BYTES, Running},
    receipts::Receipts,
};

/// What precedes an answer's bytes.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) tier: Tier,
    /// Of a sealed answer: its receipt's id.
    pub(super) receipt: Option<RequestId>,
}

/// An answer that goes on.
pub(super) struct Flow {
    pub(super) answer: Answer,
    pub(super) scope: Scope,
    /// Where its receipt is kept.
    pub(super) receipts: Arc<Receipts>,
}

/// How a failure in the middle of the answer is told.
#[derive(Debug)]
pub(super) enum Form {
    /// By an event, and by the `[DONE]` that does not come.
    Events {
        /// The request's id, which the event names.
        id: String,
    },
    /// By cutting the connection, so that half of it never looks whole.
    Whole,
}

/// An answer that is kept for its idempotency key if it comes to its end.
pub(super) struct Record {
    running: Running,
    head: Head,
    body: BytesMut,
    hold: Hold,
}

/// The answer broke off; hyper cuts the connection when a body ends with this.
#[derive(Debug)]
struct Broken;

struct Pump {
    form: Form,
    status: u16,
    /// What was read already.
    begun: Bytes,
    /// What is still going on; nothing once the end was seen.
    rest: Option<Flow>,
    record: Option<Record>,
    /// Writes what it cost into the stream, and holds its end back.
    bill: Option<(Bill, Tail)>,
    /// The last byte given ended an event.
    between_events: bool,
}

/// Answers with what has begun and what is still to come.
pub(super) fn respond(
    head: &Head,
    form: Form,
    begun: Bytes,
    flow: Flow,
    mut record: Option<Record>,
    bill: Option<Bill>,
) -> Response {
    flow.scope.sent(begun.len());
    record = record.and_then(|record| record.and(&begun));
    let pump = Pump {
        form,
        status: head.status,
        begun,
        rest: Some(flow),
        record,
        bill: bill.map(|bill| (bill, Tail::default())),
        between_events: true,
    };
    let parts = stream::unfold(pump, async |mut pump| pump.next().await.map(|part| (part, pump)));
    reply::answer(head, Body::from_stream(parts))
}

// === impl Pump ===

impl Pump {
    async fn next(&mut self) -> Option<Result<Bytes, Broken>> {
        if !self.begun.is_empty() {
            return Some(Ok(std::mem::take(&mut self.begun)));
        }
        loop {
            let Flow { answer, scope, .. } = self.rest.as_mut()?;
            match answer.next().await {
                Ok(AnswerEvent::Part(part)) if part.is_empty() => {}
                Ok(AnswerEvent::Part(part)) => {
                    let part = match &mut self.bill {
                        Some((bill, tail)) => match push(bill, tail, part) {
                            // The event goes on in the next part.
                            Ok(part) if part.is_empty() => continue,
                            Ok(part) => part,
                            Err(_) => return self.give_up(),
                        },
                        None => part,
                    };
                    scope.sent(part.len());
                    self.record = self.record.take().and_then(|record| record.and(&part));
                    self.between_events = ends_event(&part);
                    return Some(Ok(part));
                }
                Ok(AnswerEvent::End(end)) => {
                    let flow = self.rest.take()?;
                    return self.end(flow, &end.usage).await;
                }
                Err(refusal) => {
                    self.record = None;
                    let Flow { scope, .. } = self.rest.take()?;
                    scope.end(self.status, Some(refusal.fault));
                    return Some(self.tell(&refusal));
                }
            }
        }
    }

    /// The answer is whole: its receipt is kept, and what was held back goes out.
    async fn end(&mut self, flow: Flow, usage: &Usage) -> Option<Result<Bytes, Broken>> {
        let Flow {
            mut answer,
            scope,
            receipts,
        } = flow;
        scope.used(usage);
        let (bill, (tail, told)) = match self.bill.take() {
            Some((bill, tail)) => (Some(bill), tail.finish()),
            None => (None, (Bytes::new(), None)),
        };
        let concluded = answer.conclude(&receipts, told.map(|usage| usage.completion()));
        let tail = match bill {
            Some(bill) if !tail.is_empty() => {
                noted_events(&tail, |usage| bill.note(usage, concluded.as_ref()))
            }
            _ => tail,
        };
        scope.sent(tail.len());
        self.record = self.record.take().and_then(|record| record.and(&tail));
        if let Some(record) = self.record.take() {
            record.keep().await;
        }
        scope.end(self.status, None);
        (!tail.is_empty()).then_some(Ok(tail))
    }

    /// The stream is none that can be carried.
    fn give_up(&mut self) -> Option<Result<Bytes, Broken>> {
        let refusal = Refusal::new(Fault::ProtocolViolation, "the answer is no stream of events");
        self.record = None;
        let Flow { scope, .. } = self.rest.take()?;
        scope.end(self.status, Some(refusal.fault));
        Some(self.tell(&refusal))
    }

    fn tell(&self, refusal: &Refusal) -> Result<Bytes, Broken> {
        let Form::Events { id } = &self.form else {
            return Err(Broken);
        };
        tracing::debug!(request = id.as_str(), fault = %refusal.fault, "an answer broke off");
        let event = error_event(refusal, id);
        if self.between_events {
            return Ok(event);
        }
        // The broken event is ended first, or ours would be read as its continuation.
        let mut bytes = BytesMut::from(&b"\n\n"[..]);
        bytes.extend_from_slice(&event);
        Ok(bytes.freeze())
    }
}

/// What may go out of the next bytes; usage that is told on the way is noted.
fn push(bill: &Bill, tail: &mut Tail, part: Bytes) -> Result<Bytes, TailError> {
    let part = tail.push(part)?;
    if memchr::memmem::find(&part, b"\"usage\"").is_none() {
        return Ok(part);
    }
    Ok(noted_events(&part, |usage| bill.note(usage, None)))
}

fn noted_events(events: &Bytes, note: impl FnMut(&Usage) -> Option<Note>) -> Bytes {
    // They were read as events before.
    let mut noting = NotedStream::new(note);
    let Ok(noted) = noting.push(events.clone()) else {
        return events.clone();
    };
    let rest = noting.finish();
    if rest.is_empty() {
        return noted;
    }
    [noted, rest].concat().into()
}

fn ends_event(part: &[u8]) -> bool {
    part.ends_with(b"\n\n") || part.ends_with(b"\r\n\r\n") || part.ends_with(b"\r\r")
}

// === impl Record ===

impl Record {
    pub(super) fn new(running: Running, head: Head, hold: Hold) -> Self {
        Self {
            running,
            head,
            body: BytesMut::new(),
            hold,
        }
    }

    /// With more bytes; nothing when it grows too large to be kept.
    fn and(mut self, part: &[u8]) -> Option<Self> {
        let length = self.body.len() + part.len();
        if length > MAX_ANSWER_BYTES || !self.head.may_be_kept() || !self.hold.cover(length) {
            return None;
        }
        // Copied: a part is a slice of a larger buffer, which it would keep alive.
        self.body.extend_from_slice(part);
        Some(self)
    }

    async fn keep(self) {
        self.running.keep(self.head.with(self.body.freeze())).await;
    }
}

// === impl Broken ===

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer broke off")
    }
}

impl std::error::Error for Broken {}
