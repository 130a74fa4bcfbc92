use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use cocoon_openai::MAX_ANSWER_BYTES;
use cocoon_types::{Fault, Refusal};
use futures_util::Stream;
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

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

/// The body of an [`EngineAnswer`]: pieces of up to 64 KiB, and a [`Refusal`] as the last item when it is cut, stalls,
/// passes its deadline or grows too long.
pub struct EngineBody {
    source: Source,
    limits: Limits,
    timer: Pin<Box<Sleep>>,
    taken: usize,
}

enum Source {
    Live(Incoming),
    Ready(Bytes),
    Ended,
}

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
    pub(crate) fn live(incoming: Incoming, limits: Limits) -> Self {
        Self {
            source: Source::Live(incoming),
            timer: Box::pin(sleep_until(limits.next())),
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

    fn end(&mut self, refusal: Refusal) -> Poll<Option<Result<Bytes, Refusal>>> {
        // Dropping the source closes the connection.
        self.source = Source::Ended;
        Poll::Ready(Some(Err(refusal)))
    }
}

impl Stream for EngineBody {
    type Item = Result<Bytes, Refusal>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            let incoming = match &mut this.source {
                Source::Live(incoming) => incoming,
                Source::Ended => return Poll::Ready(None),
                Source::Ready(bytes) => {
                    let bytes = std::mem::take(bytes);
                    this.source = Source::Ended;
                    if bytes.is_empty() {
                        continue;
                    }
                    return Poll::Ready(Some(Ok(bytes)));
                }
            };
            let Poll::Ready(frame) = Pin::new(incoming).poll_frame(cx) else {
                ready!(this.timer.as_mut().poll(cx));
                let message = if Instant::now() >= this.limits.deadline {
                    "the engine did not finish its answer in time"
                } else {
                    "the engine fell silent in the middle of its answer"
                };
                return this.end(Refusal::new(Fault::Timeout, message));
            };
            match frame {
                None => this.source = Source::Ended,
                Some(Err(_)) => return this.end(failed("the engine broke off its answer")),
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    if Instant::now() >= this.limits.deadline {
                        return this.end(Refusal::new(
                            Fault::Timeout,
                            "the engine did not finish its answer in time",
                        ));
                    }
                    this.taken = this.taken.saturating_add(data.len());
                    if this.taken > this.limits.bytes {
                        return this.end(failed("the engine's answer is too long"));
                    }
                    this.timer.as_mut().reset(this.limits.next());
                    if !data.is_empty() {
                        return Poll::Ready(Some(Ok(data)));
                    }
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
    /// When silence becomes too long, from now.
    fn next(&self) -> Instant {
        // `checked`: an idle time of "for ever" must not overflow.
        let idle = Instant::now().checked_add(self.idle).unwrap_or(self.deadline);
        idle.min(self.deadline)
    }
}

pub(crate) fn failed(message: &str) -> Refusal {
    Refusal::new(Fault::EngineFailed, message)
}
