use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use cocoon_tl::{TlObject, peek_id, v3};
use cocoon_types::{Fault, MAX_BODY_BYTES, Refusal};

use super::stream::Stream;
use super::{Event, Exchange, RequestHead, Serving, Violation, wire};
use crate::link::{Core, Incoming, Limits, Mailbox, Outgoing, Owner};
use crate::{Link, LinkClosed};

/// Streams that a peer may have open at once. A stream that waits costs little; a proxy serves some hundreds per link.
const MAX_STREAMS: usize = 4096;
/// What the events hold: every stream's request once, and a margin of other messages; the inbox before them holds less.
const EVENTS: Limits = Limits {
    count: MAX_STREAMS + 512,
    bytes: 4 * 1024 * 1024,
};

/// The state of a session, shared by its handles, its streams and the link's reader.
pub(crate) struct Shared {
    pub(super) core: Arc<Core>,
    link: Weak<Owner>,
    table: Mutex<Table>,
    events: Mailbox<Event>,
    greeted: AtomicBool,
    lost: Fault,
}

#[derive(Default)]
struct Table {
    streams: HashMap<i64, Arc<Stream>>,
    asker: Option<Asker>,
    /// The number of the last stream that was opened.
    last: i64,
    ended: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asker {
    We,
    Peer,
}

// === impl Shared: our side ===

impl Shared {
    pub(super) fn new(link: &Link, lost: Fault) -> Self {
        Self {
            core: Arc::clone(link.core()),
            link: link.downgrade(),
            table: Mutex::default(),
            events: Mailbox::new(EVENTS),
            greeted: AtomicBool::new(false),
            lost,
        }
    }

    pub(crate) fn events(&self) -> &Mailbox<Event> {
        &self.events
    }

    pub(super) async fn open(
        self: &Arc<Self>,
        link: &Link,
        head: RequestHead,
    ) -> Result<Exchange, LinkClosed> {
        let Some(room) = self.core.outbox.room(request_bytes(&head)).await else {
            return Err(self.core.closed());
        };
        let mut table = self.lock();
        if table.ended {
            return Err(self.core.closed());
        }
        if table.asker == Some(Asker::Peer) {
            return Err(LinkClosed {
                reason: "the peer is the one that asks on this link".to_owned(),
            });
        }
        table.asker = Some(Asker::We);
        table.last += 1;
        let stream = Arc::new(Stream::new(table.last, 0, head.sealed.is_some()));
        table.streams.insert(stream.id, Arc::clone(&stream));
        // Under the lock, so that the numbers count up on the wire too.
        let queued = room.push(wire::request(stream.id, &head));
        drop(table);
        if !queued {
            return Err(self.core.closed());
        }
        let handle = StreamHandle {
            stream,
            shared: Arc::clone(self),
            _link: link.clone(),
        };
        Ok(Exchange::new(handle, head.body_bytes))
    }

    /// Fails everything; called once, by the link.
    pub(crate) fn link_ended(&self) {
        let streams = {
            let mut table = self.lock();
            table.ended = true;
            std::mem::take(&mut table.streams)
        };
        let sentence = match self.lost {
            Fault::WorkerLost => "the link to the worker broke",
            Fault::ProxyLost => "the link to the proxy broke",
            _ => "the link broke",
        };
        for stream in streams.into_values() {
            stream.refuse(Refusal::new(self.lost, sentence));
        }
        self.events.end();
    }

    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn streams(&self) -> Vec<Arc<Stream>> {
        self.lock().streams.values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Shared: the peer's side ===

impl Shared {
    /// Takes one message from the peer. Never waits; an event is for the caller to put into [`Self::events`].
    pub(crate) fn receive(self: &Arc<Self>, incoming: Incoming) -> Result<Option<Event>, Violation> {
        let data = match incoming {
            Incoming::Query { id, question } => return Ok(Some(Event::Query { id, question })),
            Incoming::Packet(data) => data,
        };
        let id = peek_id(&data);
        if !self.greeted.load(Ordering::Relaxed) {
            if id != Some(v3::Hello::ID) {
                return Err(Violation::HelloMissing);
            }
            self.greeted.store(true, Ordering::Relaxed);
            return wire::read_hello(data).map(|hello| Some(Event::Hello(hello)));
        }
        match id {
            Some(v3::Hello::ID) => Err(Violation::SecondHello),
            Some(
                v3::Request::ID
                | v3::Body::ID
                | v3::Credit::ID
                | v3::Cancel::ID
                | v3::Answer::ID
                | v3::Part::ID
                | v3::End::ID
                | v3::Refuse::ID
                | v3::SealedRequest::ID
                | v3::SealedAnswer::ID
                | v3::Receipt::ID
                | v3::SealedRefuse::ID,
            ) => self.message(data),
            _ => Ok(Some(Event::Message(data))),
        }
    }

    fn message(self: &Arc<Self>, data: Bytes) -> Result<Option<Event>, Violation> {
        use v3::Message;
        match Message::from_boxed(data).map_err(Violation::Unparsable)? {
            Message::Request(request) => return self.opened(request.stream, wire::read_request(&request)?),
            Message::SealedRequest(request) => {
                return self.opened(request.stream, wire::read_sealed_request(&request)?);
            }
            Message::Body(body) => {
                if let Some(stream) = self.find(body.stream, Some(Asker::Peer), "cocoon.body")? {
                    stream.body(body.data, body.flags & v3::Body::LAST != 0)?;
                }
            }
            Message::Part(part) => {
                if let Some(stream) = self.find(part.stream, Some(Asker::We), "cocoon.part")? {
                    stream.part(part.data)?;
                }
            }
            Message::Credit(credit) => {
                let bytes = wire::read_credit(&credit)?;
                if let Some(stream) = self.find(credit.stream, None, "cocoon.credit")? {
                    stream.credit(bytes)?;
                }
            }
            Message::Answer(answer) => {
                let head = wire::read_answer(&answer)?;
                if let Some(stream) = self.find(answer.stream, Some(Asker::We), "cocoon.answer")? {
                    stream.answer(head, "cocoon.answer")?;
                }
            }
            Message::SealedAnswer(answer) => {
                let head = wire::read_sealed_answer(&answer)?;
                if let Some(stream) = self.find(answer.stream, Some(Asker::We), "cocoon.sealedAnswer")? {
                    stream.answer(head, "cocoon.sealedAnswer")?;
                }
            }
            Message::Receipt(receipt) => {
                let bytes = wire::read_receipt(&receipt)?;
                if let Some(stream) = self.find(receipt.stream, Some(Asker::We), "cocoon.receipt")? {
                    stream.receipt(bytes)?;
                }
            }
            Message::Cancel(cancel) => {
                self.find(cancel.stream, Some(Asker::Peer), "cocoon.cancel")?;
                if let Some(stream) = self.remove(cancel.stream) {
                    stream.refuse(Refusal::new(Fault::Cancelled, "the asker cancelled"));
                }
            }
            Message::End(end) => {
                let answer_end = wire::read_end(&end)?;
                self.find(end.stream, Some(Asker::We), "cocoon.end")?;
                if let Some(stream) = self.remove(end.stream) {
                    stream.end(answer_end)?;
                }
            }
            Message::Refuse(refuse) => {
                self.find(refuse.stream, Some(Asker::We), "cocoon.refuse")?;
                if let Some(stream) = self.remove(refuse.stream) {
                    stream.refuse(wire::read_refuse(&refuse));
                }
            }
            Message::SealedRefuse(refuse) => {
                let (refusal, skipped) = wire::read_sealed_refuse(&refuse)?;
                self.find(refuse.stream, Some(Asker::We), "cocoon.sealedRefuse")?;
                if let Some(stream) = self.remove(refuse.stream) {
                    stream.refuse_sealed(refusal, skipped)?;
                }
            }
        }
        Ok(None)
    }

    /// The stream of a message that only this side may get; nothing for a stream that is over, since the message may
    /// have crossed with its ending.
    fn find(
        &self,
        stream: i64,
        asker: Option<Asker>,
        message: &'static str,
    ) -> Result<Option<Arc<Stream>>, Violation> {
        let table = self.lock();
        if asker.is_some() && table.asker.is_some() && asker != table.asker {
            return Err(Violation::WrongSide(message));
        }
        if stream < 1 || stream > table.last {
            return Err(Violation::NeverOpened(message));
        }
        Ok(table.streams.get(&stream).map(Arc::clone))
    }

    fn remove(&self, stream: i64) -> Option<Arc<Stream>> {
        self.lock().streams.remove(&stream)
    }

    fn opened(self: &Arc<Self>, id: i64, head: RequestHead) -> Result<Option<Event>, Violation> {
        // Before the lock, for the last handle of the link may be dropped here; then the link is ending.
        let Some(link) = Link::upgrade(&self.link) else {
            return Ok(None);
        };
        let mut table = self.lock();
        if table.ended {
            return Ok(None);
        }
        if table.asker == Some(Asker::We) {
            return Err(Violation::BothAsk);
        }
        if id <= table.last {
            return Err(Violation::StreamOrder);
        }
        table.asker = Some(Asker::Peer);
        table.last = id;
        let refusal = if table.streams.len() >= MAX_STREAMS {
            Some(Refusal::new(
                Fault::Busy,
                "too many requests at once on this link",
            ))
        } else if head.sealed.is_none() && head.body_bytes > MAX_BODY_BYTES as u64 {
            Some(Refusal::new(
                Fault::BodyTooLarge,
                "the body is too large for the network",
            ))
        } else if self.events.is_abandoned() {
            Some(Refusal::new(Fault::Draining, "this node takes no more requests"))
        } else {
            None
        };
        if let Some(refusal) = refusal {
            drop(table);
            self.core.send_urgent(wire::refuse(id, &refusal));
            return Ok(None);
        }
        let stream = Arc::new(Stream::new(id, head.body_bytes, head.sealed.is_some()));
        table.streams.insert(id, Arc::clone(&stream));
        drop(table);
        let handle = StreamHandle {
            stream,
            shared: Arc::clone(self),
            _link: link,
        };
        Ok(Some(Event::Request(Serving::new(head, handle))))
    }
}

/// Bytes of a request's message, as far as they differ.
fn request_bytes(head: &RequestHead) -> usize {
    match &head.sealed {
        Some(sealed) => sealed.bytes(),
        None => head.model.as_str().len(),
    }
}

/// What every half of a stream holds: the stream, and the link that it keeps alive.
#[derive(Clone)]
pub(super) struct StreamHandle {
    pub(super) stream: Arc<Stream>,
    shared: Arc<Shared>,
    _link: Link,
}

// === impl StreamHandle ===

impl StreamHandle {
    /// Sends bytes as pieces, as credit and the writer's queue allow; sealed ones as the one piece that they are. `frame` makes the message; its second argument says
    /// whether it is the last of these bytes. Nothing at all is one empty piece, so that a last piece can be empty.
    pub(super) async fn send_pieces(
        &self,
        mut data: Bytes,
        frame: impl Fn(Bytes, bool) -> Outgoing,
    ) -> Result<(), Refusal> {
        if self.stream.is_sealed && data.len() > v3::MAX_PIECE {
            return Err(Refusal::new(
                Fault::Internal,
                "a sealed piece that fits no message",
            ));
        }
        loop {
            let allowed = self.stream.allowed(data.len()).await?;
            let Some(room) = self.shared.core.outbox.room(allowed).await else {
                return Err(self.lost());
            };
            let piece = data.split_to(allowed);
            self.stream.spend(allowed);
            if !room.push(frame(piece, data.is_empty())) {
                return Err(self.lost());
            }
            if data.is_empty() {
                return Ok(());
            }
        }
    }

    /// Takes the bytes that the application has used into account.
    pub(super) fn give_back(&self, bytes: usize) {
        if bytes > 0
            && let Some(credit) = self.stream.give_back(bytes)
        {
            self.shared.core.send_urgent(Outgoing::Credit {
                stream: self.stream.id,
                bytes: credit,
            });
        }
    }

    /// Ends the stream from our side and tells the peer, unless it is over already. Does not wait.
    pub(super) fn abort(&self, refusal: Refusal, frame: Outgoing) {
        if self.shared.remove(self.stream.id).is_some() {
            self.stream.refuse(refusal);
            self.shared.core.send_urgent(frame);
        }
    }

    /// Sends the frame that is the last of the stream. False: the stream was over already.
    pub(super) async fn finish(&self, bytes: usize, frame: Outgoing) -> bool {
        let Some(room) = self.shared.core.outbox.room(bytes).await else {
            return false;
        };
        if self.shared.remove(self.stream.id).is_none() {
            return false;
        }
        self.stream.complete();
        room.push(frame)
    }

    /// Sends a frame in the middle of the stream. False: the stream is over.
    pub(super) async fn send(&self, bytes: usize, frame: Outgoing) -> bool {
        let Some(room) = self.shared.core.outbox.room(bytes).await else {
            return false;
        };
        !self.stream.is_over() && room.push(frame)
    }

    fn lost(&self) -> Refusal {
        Refusal::new(self.shared.lost, "the link broke")
    }
}
