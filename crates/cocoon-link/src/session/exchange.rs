use bytes::Bytes;
use cocoon_types::{Fault, Refusal};

use super::{AnswerEvent, AnswerHead};

/// The asker's side of one request. Dropping it, or either half, before the end cancels the request.
#[derive(Debug)]
pub struct Exchange {
    body: BodySender,
    answer: AnswerReceiver,
}

/// Sends the body of a request. Dropping it before the last piece cancels the request.
#[derive(Debug)]
pub struct BodySender {
    _private: (),
}

/// Receives the answer to a request. Dropping it before the end cancels the request.
#[derive(Debug)]
pub struct AnswerReceiver {
    _private: (),
}

// === impl Exchange ===

impl Exchange {
    /// The two halves, for two tasks or one.
    pub fn split(self) -> (BodySender, AnswerReceiver) {
        (self.body, self.answer)
    }
}

// === impl BodySender ===

impl BodySender {
    /// Sends the next bytes, cut into pieces as credit allows; `last` ends the body. Not cancel-safe.
    ///
    /// # Errors
    /// The stream has ended; the answer side tells the same.
    pub async fn send(&mut self, _piece: Bytes, _last: bool) -> Result<(), Refusal> {
        Err(Refusal::new(Fault::Internal, "not built yet"))
    }
}

// === impl AnswerReceiver ===

impl AnswerReceiver {
    /// The head of the answer; the same one when asked again. Cancel-safe.
    ///
    /// # Errors
    /// The refusal that ended the stream.
    pub async fn head(&mut self) -> Result<AnswerHead, Refusal> {
        Err(Refusal::new(Fault::Internal, "not built yet"))
    }

    /// The next bytes or the end. Cancel-safe; credit for what was taken goes back here.
    ///
    /// # Errors
    /// The refusal that ended the stream.
    pub async fn next(&mut self) -> Result<AnswerEvent, Refusal> {
        Err(Refusal::new(Fault::Internal, "not built yet"))
    }
}
