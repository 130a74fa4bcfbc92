use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use cocoon_openai::MAX_ANSWER_BYTES;
use cocoon_types::{Fault, Refusal};
use futures_util::Stream;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::connection::Answering;

/// An engine's answer whose head has come.
///
/// Dropping it (or its body) before the end closes the connection, at which every known engine stops its work.
#[derive(Debug)]
pub struct EngineAnswer {
    /// 200 to 299, or 400 to 499 when the engine refused the request itself.
    pub status: u16,
    /// `application/json`, `text/event-stream`, or `text/plain` for a refusal in other words.
    pub content_type: &'static str,
    /// The bytes as they come.
    pub body: EngineBody,
}

/// The body of an [`EngineAnswer`]: what is there together in pieces of up to 64 KiB or a chunk more, and a [`Refusal`] as the last
/// item when it is cut, stalls, passes its deadline or grows too long.
pub struct EngineBody {
    source: Source,
    limits: Limits,
    /// Goes off when it may be time to give up; it is not moved for every piece.
    timer: Pin<Box<Sleep>>,
    heard: Instant,
    taken: usize,
}

enum Source {
    Live(Box<Answering>),
    Ready(Bytes),
    /// What cut it, after what came before.
    Cut(Refusal),
    Ended,
}

/// Bytes that are gathered into one piece, as far as they are there: a piece of the network's protocol, less the largest chunk of a
/// usual engine.
const GATHERED: usize = 32 * 1024;

/// How long a body may take and how long it may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// End of the whole request.
    pub deadline: Instant,
    /// Longest silence between two pieces.
    pub idle: Duration,
    /// Most bytes; streams are bounded by their token limit and deadline instead.
    pub bytes: usize,
}

// === impl EngineAnswer ===

impl EngineAnswer {
    /// Whether the body is a stream of server-sent events.
    pub fn is_event_stream(&self) -> bool {
        self.content_type == EVENT_STREAM
    }
}

pub(crate) const EVENT_STREAM: &str = "text/event-stream";
pub(crate) const JSON: &str = "application/json";
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";

// === impl EngineBody ===

impl EngineBody {
    pub(crate) fn live(answering: Answering, limits: Limits) -> Self {
        let now = Instant::now();
        Self {
            source: Source::Live(Box::new(answering)),
            timer: Box::pin(sleep_until(limits.after(now))),
            heard: now,
            limits,
            taken: 0,
        }
    }

    pub(crate) fn ready(bytes: Bytes) -> Self {
        let limits = Limits {
            deadline: Instant::now(),
            idle: Duration::ZERO,
            bytes: MAX_ANSWER_BYTES,
        };
        Self {
            source: Source::Ready(bytes),
            timer: Box::pin(sleep_until(limits.deadline)),
            heard: limits.deadline,
            limits,
            taken: 0,
        }
    }

    /// The next piece; cancel-safe. `None` after a clean end or after an error.
    pub async fn next(&mut self) -> Option<Result<Bytes, Refusal>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The whole body.
    ///
    /// # Errors
    /// What cut it short, or [`Fault::EngineFailed`] when it is longer than `limit` bytes.
    pub async fn collect(mut self, limit: usize) -> Result<Bytes, Refusal> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.next().await {
            let piece = piece?;
            if piece.len() > limit.saturating_sub(whole.len()) {
                return Err(failed("the engine's answer is too long"));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// What is there now, up to [`GATHERED`] bytes; nothing while nothing is.
    fn gather(&mut self, cx: &mut Context<'_>) -> Bytes {
        let mut first = Bytes::new();
        let mut more = BytesMut::new();
        while first.len() + more.len() < GATHERED
            && let Source::Live(answering) = &mut self.source
        {
            let data = match answering.poll_frame(cx) {
                Poll::Pending => break,
                Poll::Ready(None) => {
                    self.source = Source::Ended;
                    break;
                }
                Poll::Ready(Some(Err(_))) => {
                    self.source = Source::Cut(failed("the engine broke off its answer"));
                    break;
                }
                Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            };
            self.taken = self.taken.saturating_add(data.len());
            if self.taken > self.limits.bytes {
                self.source = Source::Cut(failed("the engine's answer is too long"));
                break;
            }
            // Mostly one alone, which is not copied.
            if first.is_empty() {
                first = data;
            } else {
                more.extend_from_slice(&data);
            }
        }
        if more.is_empty() {
            return first;
        }
        let mut whole = BytesMut::with_capacity(first.len() + more.len());
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&more);
        whole.freeze()
    }

    /// Why it is time to give up, if it is.
    fn overdue(&mut self, cx: &mut Context<'_>) -> Poll<Refusal> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let next = self.limits.after(self.heard);
            if Instant::now() < next {
                self.timer.as_mut().reset(next);
                continue;
            }
            let message = if next >= self.limits.deadline {
                "the engine did not finish its answer in time"
            } else {
                "the engine fell silent in the middle of its answer"
            };
            return Poll::Ready(Refusal::new(Fault::Timeout, message));
        }
    }
}

impl Stream for EngineBody {
    type Item = Result<Bytes, Refusal>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            match &mut this.source {
                Source::Ended => return Poll::Ready(None),
                Source::Ready(bytes) => {
                    let bytes = std::mem::take(bytes);
                    this.source = Source::Ended;
                    if !bytes.is_empty() {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
                Source::Cut(_) => {
                    let cut = std::mem::replace(&mut this.source, Source::Ended);
                    if let Source::Cut(refusal) = cut {
                        return Poll::Ready(Some(Err(refusal)));
                    }
                }
                Source::Live(_) => {
                    let data = this.gather(cx);
                    if !data.is_empty() {
                        this.heard = Instant::now();
                        if this.heard < this.limits.deadline {
                            return Poll::Ready(Some(Ok(data)));
                        }
                    } else if !matches!(this.source, Source::Live(_)) {
                        continue;
                    }
                    let refusal = ready!(this.overdue(cx));
                    // Dropping what was there closes the connection.
                    this.source = Source::Cut(refusal);
                }
            }
        }
    }
}

impl std::fmt::Debug for EngineBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EngineBody({} bytes so far)", self.taken)
    }
}

// === impl Limits ===

impl Limits {
    /// When silence becomes too long that began then.
    fn after(&self, then: Instant) -> Instant {
        // `checked`: an idle time of "for ever" must not overflow.
        let idle = then.checked_add(self.idle).unwrap_or(self.deadline);
        idle.min(self.deadline)
    }
}

pub(crate) fn failed(message: &str) -> Refusal {
    Refusal::new(Fault::EngineFailed, message)
}
