use bytes::Bytes;
use cocoon_types::{Fault, Refusal};

use super::{AnswerEnd, AnswerHead, RequestHead};

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
#[derive(Debug)]
pub struct BodyReceiver {
    _private: (),
}

/// Sends the answer. Dropping it unfinished refuses the request as an internal fault.
#[derive(Debug)]
pub struct AnswerSender {
    _private: (),
}

/// Nobody waits for this answer any more: the asker cancelled, or the link ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the asker cancelled or its link ended")]
pub struct StreamGone;

// === impl BodyReceiver ===

impl BodyReceiver {
    /// The next bytes, or nothing after the last. Cancel-safe; credit for what was taken goes back here.
    ///
    /// # Errors
    /// The stream has ended before the body.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        Err(Refusal::new(Fault::Internal, "not built yet"))
    }

    /// The whole body, if it is at most `limit` bytes.
    ///
    /// # Errors
    /// `BodyTooLarge` above the limit, else as [`Self::next`].
    pub async fn collect(self, _limit: usize) -> Result<Bytes, Refusal> {
        Err(Refusal::new(Fault::Internal, "not built yet"))
    }
}

// === impl AnswerSender ===

impl AnswerSender {
    /// Sends the head; once, before everything else.
    ///
    /// # Errors
    /// [`StreamGone`].
    pub async fn head(&mut self, _head: AnswerHead) -> Result<(), StreamGone> {
        Err(StreamGone)
    }

    /// Sends the next bytes, cut into pieces as credit allows. Not cancel-safe.
    ///
    /// # Errors
    /// [`StreamGone`].
    pub async fn part(&mut self, _part: Bytes) -> Result<(), StreamGone> {
        Err(StreamGone)
    }

    /// Completes the answer.
    ///
    /// # Errors
    /// [`StreamGone`].
    pub async fn end(self, _end: AnswerEnd) -> Result<(), StreamGone> {
        Err(StreamGone)
    }

    /// Ends the stream with a refusal, before the answer or in the middle of it.
    ///
    /// # Errors
    /// [`StreamGone`].
    pub async fn refuse(self, _refusal: Refusal) -> Result<(), StreamGone> {
        Err(StreamGone)
    }

    /// Waits until the asker has cancelled or the link has ended. Cancel-safe.
    pub async fn cancelled(&self) {}
}
