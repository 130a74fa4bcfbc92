use bytes::{Bytes, BytesMut};
use cocoon_types::{Fault, Refusal};

use super::shared::StreamHandle;
use super::{AnswerEnd, AnswerHead, RequestHead, wire};
use crate::link::Outgoing;

/// Bytes that a body gets on the strength of its announced length alone.
const MAX_ADVANCE: usize = 256 * 1024;

/// The answering side of one request.
#[derive(Debug)]
pub struct Serving {
    /// What is asked.
    pub head: RequestHead,
    /// The request's body.
    pub body: BodyReceiver,
    /// Where the answer goes.
    pub answer: AnswerSender,
}

/// Receives the body of a request. Dropping it discards the rest.
pub struct BodyReceiver {
    handle: StreamHandle,
    /// Bytes handed out by the last call.
    taken: usize,
    /// The announced length.
    length: u64,
}

/// Sends the answer. Dropping it unfinished refuses the request as an internal fault.
pub struct AnswerSender {
    handle: StreamHandle,
    has_head: bool,
}

/// Nobody waits for this answer any more: the asker cancelled, or the link ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the asker cancelled or its link ended")]
pub struct StreamGone;

/// Why an answer has no end.
#[derive(Debug)]
pub enum Unfinished {
    /// The request is refused, before the answer or in the middle of it.
    Refused(Refusal),
    /// A sealed request is refused, with what the asker is to see of it ([`AnswerSender::refuse_sealed`]).
    Sealed(Refusal, Vec<Bytes>),
    /// The asker cancelled or its link ended.
    Gone,
}

// === impl Serving ===

impl Serving {
    pub(super) fn new(head: RequestHead, handle: StreamHandle) -> Self {
        Self {
            body: BodyReceiver {
                handle: handle.clone(),
                taken: 0,
                length: head.body_bytes,
            },
            answer: AnswerSender {
                handle,
                has_head: false,
            },
            head,
        }
    }
}

// === impl BodyReceiver ===

impl BodyReceiver {
    /// The next bytes, or nothing after the last. Cancel-safe; credit for what was taken goes back here.
    ///
    /// # Errors
    /// The stream has ended before the body.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        self.handle.give_back(std::mem::take(&mut self.taken));
        let piece = self.handle.stream.next_of_body().await?;
        self.taken = piece.as_ref().map_or(0, Bytes::len);
        Ok(piece)
    }

    /// The whole body, if it is at most `limit` bytes. The caller sets a deadline.
    ///
    /// # Errors
    /// `BodyTooLarge` above the limit, else as [`Self::next`].
    pub async fn collect(mut self, limit: usize) -> Result<Bytes, Refusal> {
        let length = usize::try_from(self.length).unwrap_or(usize::MAX);
        if length > limit {
            return Err(Refusal::new(
                Fault::BodyTooLarge,
                "the body is larger than this node takes",
            ));
        }
        let Some(first) = self.next().await? else {
            return Ok(Bytes::new());
        };
        if first.len() == length {
            // The end is still waited for: it is what makes the body complete.
            return match self.next().await? {
                None => Ok(first),
                Some(_) => Err(Refusal::new(
                    Fault::ProtocolViolation,
                    "a body longer than announced",
                )),
            };
        }
        let mut body = BytesMut::with_capacity(length.min(MAX_ADVANCE));
        body.extend_from_slice(&first);
        drop(first);
        while let Some(piece) = self.next().await? {
            body.extend_from_slice(&piece);
        }
        Ok(body.freeze())
    }
}

impl Drop for BodyReceiver {
    fn drop(&mut self) {
        self.handle.stream.discard();
    }
}

impl std::fmt::Debug for BodyReceiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BodyReceiver")
            .field("stream", &self.handle.stream.id)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

// === impl AnswerSender ===

impl AnswerSender {
    /// Sends the head; once, before everything else. A status or media type that cannot travel is replaced by 502 or
    /// `application/octet-stream`.
    ///
    /// # Errors
    /// [`StreamGone`], also for a second head, and for one that is sealed where the request is not, or the reverse.
    pub async fn head(&mut self, head: AnswerHead) -> Result<(), StreamGone> {
        if self.has_head || head.sealed.is_some() != self.handle.stream.is_sealed {
            return Err(StreamGone);
        }
        let frame = wire::answer(self.handle.stream.id, &head);
        self.has_head = self.handle.send(frame.bytes(), frame).await;
        if self.has_head { Ok(()) } else { Err(StreamGone) }
    }

    /// Sends the next bytes, cut into pieces as credit allows; of a sealed answer one sealed part, as it is. Not cancel-safe.
    /// The caller sets a deadline.
    ///
    /// # Errors
    /// [`StreamGone`], also without a head.
    pub async fn part(&mut self, part: Bytes) -> Result<(), StreamGone> {
        if !self.has_head {
            return Err(StreamGone);
        }
        if part.is_empty() {
            return Ok(());
        }
        let stream = self.handle.stream.id;
        self.handle
            .send_pieces(part, |data, _| Outgoing::Part { stream, data })
            .await
            .map_err(|_| StreamGone)
    }

    /// Completes the answer.
    ///
    /// # Errors
    /// [`StreamGone`]; without a head the request is refused as an internal fault.
    pub async fn end(self, end: AnswerEnd) -> Result<(), StreamGone> {
        if let Some(receipt) = end
            .receipt
            .as_ref()
            .filter(|_| self.has_head && self.handle.stream.is_sealed)
        {
            let frame = wire::receipt(self.handle.stream.id, receipt);
            self.handle.send(receipt.len(), frame).await;
        }
        let frame = wire::end(self.handle.stream.id, &end);
        if self.has_head && self.handle.finish(0, frame).await {
            Ok(())
        } else {
            Err(StreamGone)
        }
    }

    /// Ends the stream with a refusal, before the answer or in the middle of it. The sentence must hold no content.
    ///
    /// # Errors
    /// [`StreamGone`].
    pub async fn refuse(self, refusal: Refusal) -> Result<(), StreamGone> {
        let frame = wire::refuse(self.handle.stream.id, &refusal);
        if self.handle.finish(refusal.message.len(), frame).await {
            Ok(())
        } else {
            Err(StreamGone)
        }
    }

    /// As [`Self::refuse`], of a sealed request. `skipped`: a worker's own signed refusal; a proxy's collection of them.
    ///
    /// # Errors
    /// [`StreamGone`].
    pub async fn refuse_sealed(self, refusal: Refusal, skipped: Vec<Bytes>) -> Result<(), StreamGone> {
        if !self.handle.stream.is_sealed {
            return self.refuse(refusal).await;
        }
        let frame = wire::sealed_refuse(self.handle.stream.id, &refusal, skipped);
        if self.handle.finish(frame.bytes(), frame).await {
            Ok(())
        } else {
            Err(StreamGone)
        }
    }

    /// Ends the stream as its work has ended. Nothing is told to an asker that has gone meanwhile.
    pub async fn finish(self, outcome: Result<AnswerEnd, Unfinished>) {
        let _ = match outcome {
            Ok(end) => self.end(end).await,
            Err(Unfinished::Refused(refusal)) => self.refuse(refusal).await,
            Err(Unfinished::Sealed(refusal, skipped)) => self.refuse_sealed(refusal, skipped).await,
            Err(Unfinished::Gone) => {
                self.refuse(Refusal::new(Fault::Cancelled, "the request was cancelled"))
                    .await
            }
        };
    }

    /// Waits until the asker has cancelled or the link has ended. Cancel-safe.
    pub async fn cancelled(&self) {
        self.handle.stream.over().await;
    }

    /// Waits for something as long as somebody waits for the answer; cancels it then.
    ///
    /// # Errors
    /// [`StreamGone`].
    pub async fn unless_cancelled<T>(&self, work: impl Future<Output = T>) -> Result<T, StreamGone> {
        tokio::select! {
            biased;
            () = self.cancelled() => Err(StreamGone),
            done = work => Ok(done),
        }
    }
}

impl Drop for AnswerSender {
    fn drop(&mut self) {
        // Does nothing after an end, a refusal or a cancel.
        let refusal = Refusal::new(Fault::Internal, "the answer was given up unfinished");
        let frame = wire::refuse(self.handle.stream.id, &refusal);
        self.handle.abort(refusal, frame);
    }
}

// === impl Unfinished ===

impl Unfinished {
    /// The fault to be counted.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Refused(refusal) | Self::Sealed(refusal, _) => refusal.fault,
            Self::Gone => Fault::Cancelled,
        }
    }
}

impl From<Refusal> for Unfinished {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StreamGone> for Unfinished {
    fn from(_: StreamGone) -> Self {
        Self::Gone
    }
}

impl std::fmt::Debug for AnswerSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnswerSender")
            .field("stream", &self.handle.stream.id)
            .field("has_head", &self.has_head)
            .finish_non_exhaustive()
    }
}
