//! A body in one piece that gives its part of the memory budget back when it has gone out, not before.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;

use super::budget::Hold;

/// Bytes and what they hold of the budget: a caller that reads slowly keeps both.
pub(super) struct Held {
    body: Full<Bytes>,
    _hold: Hold,
}

impl Held {
    pub(super) fn new(bytes: Bytes, hold: Hold) -> Self {
        Self {
            body: Full::new(bytes),
            _hold: hold,
        }
    }
}

impl Body for Held {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
