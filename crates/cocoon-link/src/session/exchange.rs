use bytes::Bytes;
use cocoon_seal::SEALED_OVERHEAD;
use cocoon_types::{Fault, Refusal};

use super::shared::StreamHandle;
use super::{AnswerEvent, AnswerHead};
use crate::link::Outgoing;

/// The asker's side of one request. Dropping it, or either half, before the end cancels the request.
#[derive(Debug)]
pub struct Exchange {
    body: BodySender,
    answer: AnswerReceiver,
}

/// Sends the body of a request. Dropping it before the last piece cancels the request.
pub struct BodySender {
    handle: StreamHandle,
    /// Bytes that were announced and not sent.
    left: u64,
    done: bool,
}

/// Receives the answer to a request. Dropping it before the end cancels the request.
pub struct AnswerReceiver {
    handle: StreamHandle,
    /// Bytes handed out by the last call.
    taken: usize,
}

// === impl Exchange ===

impl Exchange {
    pub(super) fn new(handle: StreamHandle, body_bytes: u64) -> Self {
        Self {
            body: BodySender {
                handle: handle.clone(),
                left: body_bytes,
                done: false,
            },
            answer: AnswerReceiver { handle, taken: 0 },
        }
    }

    /// The two halves, for two tasks or one.
    pub fn split(self) -> (BodySender, AnswerReceiver) {
        (self.body, self.answer)
    }
}

// === impl BodySender ===

impl BodySender {
    /// Sends the next bytes, cut into pieces as credit allows; `last` ends the body. Of a sealed request each call sends
    /// one sealed piece, as it is. Not cancel-safe.
    ///
    /// # Errors
    /// The stream has ended (the answer side tells the same), or the bytes do not add up to the announced length.
    pub async fn send(&mut self, piece: Bytes, last: bool) -> Result<(), Refusal> {
        let overhead = if self.handle.stream.is_sealed {
            SEALED_OVERHEAD
        } else {
            0
        };
        let text = piece.len().checked_sub(overhead);
        let left = text.and_then(|text| self.left.checked_sub(text as u64));
        let Some(left) = left.filter(|left| !self.done && (!last || *left == 0)) else {
            let refusal = Refusal::new(Fault::Internal, "the body differs from its announced length");
            self.cancel(refusal.clone());
            return Err(refusal);
        };
        self.left = left;
        let stream = self.handle.stream.id;
        if !last && piece.is_empty() {
            return Ok(());
        }
        self.handle
            .send_pieces(piece, |data, is_final| Outgoing::Body {
                stream,
                last: last && is_final,
                data,
            })
            .await?;
        self.done = last;
        Ok(())
    }

    fn cancel(&self, refusal: Refusal) {
        let stream = self.handle.stream.id;
        self.handle.abort(refusal, Outgoing::Cancel { stream });
    }
}

impl Drop for BodySender {
    fn drop(&mut self) {
        if !self.done {
            self.cancel(Refusal::new(Fault::Cancelled, "the body was given up"));
        }
    }
}

impl std::fmt::Debug for BodySender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BodySender")
            .field("stream", &self.handle.stream.id)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

// === impl AnswerReceiver ===

impl AnswerReceiver {
    /// The head of the answer; the same one when asked again. Cancel-safe.
    ///
    /// # Errors
    /// The refusal that ended the stream.
    pub async fn head(&mut self) -> Result<AnswerHead, Refusal> {
        self.handle.stream.head().await
    }

    /// The next bytes or the end; after the end, the end again. Cancel-safe; credit for what was taken goes back here.
    ///
    /// # Errors
    /// The refusal that ended the stream, after what had come before it.
    pub async fn next(&mut self) -> Result<AnswerEvent, Refusal> {
        self.handle.give_back(std::mem::take(&mut self.taken));
        let event = self.handle.stream.next_of_answer().await?;
        if let AnswerEvent::Part(data) = &event {
            self.taken = data.len();
        }
        Ok(event)
    }
}

impl AnswerReceiver {
    /// What the refusal of a sealed request came with: from a worker its own signed refusal, from a proxy one for each
    /// candidate that it went through, or no bytes where a link was lost. Nothing before the refusal.
    pub fn skipped(&self) -> Vec<Bytes> {
        self.handle.stream.skipped()
    }
}

impl Drop for AnswerReceiver {
    fn drop(&mut self) {
        let stream = self.handle.stream.id;
        self.handle.abort(
            Refusal::new(Fault::Cancelled, "nobody waits for the answer"),
            Outgoing::Cancel { stream },
        );
        self.handle.stream.discard();
    }
}

impl std::fmt::Debug for AnswerReceiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnswerReceiver")
            .field("stream", &self.handle.stream.id)
            .finish_non_exhaustive()
    }
}
