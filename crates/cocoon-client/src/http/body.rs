//! Reading a request's body: bounded in size, time and, over all requests, in memory.

use std::time::Duration;

use axum::{
    body::{Body, HttpBody as _},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use bytes::{Bytes, BytesMut};
use cocoon_types::{Fault, Refusal};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    budget::{Budget, Hold},
    scope::Scope,
};

/// How much of a body that is not wanted is read, in bytes, so that the caller reads the error instead of a reset, and the
/// connection lives on: twice the largest body. Past it the connection is closed.
const DISCARD_BYTES: usize = 2 * cocoon_types::MAX_BODY_BYTES;
/// How long a body that is not wanted is read.
const DISCARD_TIME: Duration = Duration::from_secs(10);
/// First guess at a body's size, in bytes; a caller's claim is not believed further.
const FIRST_GUESS: usize = 64 * 1024;

/// A body that has not been read.
pub(super) struct Unread {
    body: Body,
    /// The caller waits for `100 Continue` before it sends the body.
    waits: bool,
    encoded: bool,
    /// What was read already, in bytes.
    read: usize,
}

/// A body that was read, and its part of the budget.
pub(super) struct Taken {
    pub(super) bytes: Bytes,
    _hold: Hold,
}

/// Bounds of one body.
pub(super) struct Bounds<'a> {
    pub(super) bytes: usize,
    pub(super) time: Duration,
    pub(super) budget: &'a Budget,
}

// === impl Unread ===

impl Unread {
    pub(super) fn new(body: Body, headers: &HeaderMap) -> Self {
        Self {
            body,
            waits: headers.contains_key(header::EXPECT),
            encoded: headers
                .get(header::CONTENT_ENCODING)
                .is_some_and(|encoding| encoding != "identity"),
            read: 0,
        }
    }

    /// Reads the body.
    ///
    /// # Errors
    /// What is wrong with it, and the rest of it, to be refused with [`Unread::refuse`].
    pub(super) async fn take(mut self, bounds: Bounds<'_>) -> Result<Taken, (Refusal, Self)> {
        if self.encoded {
            let refusal = Refusal::new(Fault::InvalidRequest, "the body is compressed; send it as it is");
            return Err((refusal, self));
        }
        // A length that is claimed and too large is refused before anything is read.
        if self.body.size_hint().lower() > bounds.bytes as u64 {
            return Err((too_large(bounds.bytes), self));
        }
        match self.collect(&bounds).await {
            Ok(taken) => Ok(taken),
            Err(refusal) => Err((refusal, self)),
        }
    }

    async fn collect(&mut self, bounds: &Bounds<'_>) -> Result<Taken, Refusal> {
        let deadline = Instant::now() + bounds.time;
        let mut hold = bounds.budget.hold();
        let claimed = usize::try_from(self.body.size_hint().lower()).unwrap_or(usize::MAX);
        let mut bytes = BytesMut::with_capacity(claimed.min(FIRST_GUESS));
        loop {
            let Ok(frame) = timeout_at(deadline, self.body.frame()).await else {
                self.waits = true;
                let message = format!("the body did not arrive within {} s", bounds.time.as_secs());
                return Err(Refusal::new(Fault::InvalidRequest, message));
            };
            let data = match frame {
                None => break,
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                Some(Err(_)) => {
                    self.waits = true;
                    return Err(Refusal::new(Fault::InvalidRequest, "the body broke off"));
                }
            };
            self.read += data.len();
            if self.read > bounds.bytes {
                return Err(too_large(bounds.bytes));
            }
            if !hold.cover(self.read) {
                return Err(Refusal::new(
                    Fault::Busy,
                    "the gateway holds as many bodies as it may",
                ));
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Taken {
            bytes: bytes.freeze(),
            _hold: hold,
        })
    }

    /// Answers with an error; reads what is left of the body first, as far as that is worth it.
    pub(super) async fn refuse(mut self, scope: Scope, refusal: &Refusal, id: &str) -> Response {
        let whole = timeout(DISCARD_TIME, self.discard()).await.unwrap_or(false);
        let mut answer = scope.refuse(refusal, id);
        if !whole {
            answer
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }

    /// Whether the whole body was read.
    async fn discard(&mut self) -> bool {
        if self.body.is_end_stream() {
            return true;
        }
        if self.waits || self.body.size_hint().lower() > DISCARD_BYTES as u64 {
            return false;
        }
        while let Some(frame) = self.body.frame().await {
            let Ok(frame) = frame else { return false };
            self.read += frame.data_ref().map_or(0, Bytes::len);
            if self.read > DISCARD_BYTES {
                return false;
            }
        }
        true
    }
}

fn too_large(limit: usize) -> Refusal {
    Refusal::new(
        Fault::BodyTooLarge,
        format!("the body is larger than {limit} bytes"),
    )
}

#[cfg(test)]
mod tests;
