use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use cocoon_seal::SEALED_OVERHEAD;
use cocoon_tl::v3::{INITIAL_WINDOW, MAX_PIECE};
use cocoon_types::{Fault, Refusal};
use tokio::sync::Notify;

use super::pieces::Pieces;
use super::{AnswerEnd, AnswerEvent, AnswerHead, Violation};

const WINDOW: usize = INITIAL_WINDOW as usize;
/// Credit goes back when half the window has been taken: two credit messages a window, and a sender that keeps up
/// never waits.
const CREDIT_BATCH: usize = WINDOW / 2;
/// Most credit that a peer may give: far above any sensible window.
const MAX_CREDIT: usize = 1 << 30;

/// One request on a link, seen from one side: what has come, what may be sent, and whether it is over.
///
/// One task reads and one writes at a time; the reader of the link never waits here.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(super) id: i64,
    /// Whether its pieces are sealed: each is one that the other side made, and none is joined or cut.
    pub(super) is_sealed: bool,
    state: Mutex<State>,
    over: Notify,
}

#[derive(Debug)]
struct State {
    pieces: Pieces,
    /// Bytes that the peer may still send.
    window: usize,
    /// Bytes that the application took and the peer has no credit for yet.
    taken: usize,
    /// Nothing more comes in, or nothing is wanted: no credit is worth sending.
    incoming_done: bool,
    /// Nobody will read.
    discard: bool,
    /// Answering side: bytes of the body that are still to come.
    body_left: u64,
    head: Option<AnswerHead>,
    receipt: Option<Bytes>,
    end: Option<AnswerEnd>,
    /// What came with a refusal.
    skipped: Vec<Bytes>,
    /// Bytes that may be sent.
    credit: usize,
    life: Life,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug)]
enum Life {
    Open,
    /// Complete.
    Ended,
    /// Over before that.
    Refused(Refusal),
}

// === impl Stream: what comes from the peer ===

impl Stream {
    pub(super) fn new(id: i64, body_left: u64, is_sealed: bool) -> Self {
        Self {
            id,
            is_sealed,
            state: Mutex::new(State {
                pieces: if is_sealed {
                    Pieces::bounded()
                } else {
                    Pieces::default()
                },
                window: WINDOW,
                taken: 0,
                incoming_done: false,
                discard: false,
                body_left,
                head: None,
                receipt: None,
                end: None,
                skipped: Vec::new(),
                credit: WINDOW,
                life: Life::Open,
                reader: None,
                writer: None,
            }),
            over: Notify::new(),
        }
    }

    pub(super) fn body(&self, data: Bytes, last: bool) -> Result<(), Violation> {
        let mut state = self.lock();
        if !state.is_open() {
            // It crossed the end of the stream, which the peer has not seen yet: late, not wrong.
            return Ok(());
        }
        if state.incoming_done {
            return Err(Violation::AfterLast);
        }
        let text = if self.is_sealed {
            // Only the last may be without text, so that pieces are no more than bytes.
            let text = data
                .len()
                .checked_sub(SEALED_OVERHEAD)
                .filter(|text| last || *text > 0);
            text.ok_or(Violation::SealedTooShort(data.len()))?
        } else {
            data.len()
        };
        state.body_left = state
            .body_left
            .checked_sub(text as u64)
            .ok_or(Violation::BodyTooLong)?;
        if last && state.body_left > 0 {
            return Err(Violation::BodyTooShort);
        }
        state.incoming_done = last;
        Self::piece(state, data)
    }

    pub(super) fn part(&self, data: Bytes) -> Result<(), Violation> {
        let state = self.lock();
        if state.head.is_none() {
            return Err(Violation::BeforeAnswer("cocoon.part"));
        }
        if self.is_sealed && data.len() <= SEALED_OVERHEAD {
            return Err(Violation::SealedTooShort(data.len()));
        }
        Self::piece(state, data)
    }

    fn piece(mut state: MutexGuard<'_, State>, data: Bytes) -> Result<(), Violation> {
        let piece = data.len();
        if piece > MAX_PIECE {
            return Err(Violation::PieceTooLong(piece));
        }
        let window = state.window;
        state.window = window
            .checked_sub(piece)
            .ok_or(Violation::WindowOverrun { piece, window })?;
        // An empty piece costs the peer no credit, so it must take no place.
        if piece > 0 && !state.discard && state.is_open() {
            state.pieces.push(data);
        }
        State::wake_reader(state);
        Ok(())
    }

    pub(super) fn answer(&self, head: AnswerHead, message: &'static str) -> Result<(), Violation> {
        if head.sealed.is_some() != self.is_sealed {
            return Err(Violation::OtherKind(message));
        }
        let mut state = self.lock();
        if state.head.is_some() {
            return Err(Violation::SecondAnswer);
        }
        state.head = Some(head);
        State::wake_reader(state);
        Ok(())
    }

    pub(super) fn receipt(&self, receipt: Bytes) -> Result<(), Violation> {
        if !self.is_sealed {
            return Err(Violation::OtherKind("cocoon.receipt"));
        }
        let mut state = self.lock();
        if state.head.is_none() {
            return Err(Violation::BeforeAnswer("cocoon.receipt"));
        }
        if state.receipt.is_some() {
            return Err(Violation::SecondReceipt);
        }
        state.receipt = Some(receipt);
        Ok(())
    }

    pub(super) fn end(&self, end: AnswerEnd) -> Result<(), Violation> {
        let mut state = self.lock();
        if state.head.is_none() {
            drop(state);
            // The link ends too, but this stream is no longer in its table.
            self.refuse(Refusal::new(Fault::ProtocolViolation, "an end without an answer"));
            return Err(Violation::BeforeAnswer("cocoon.end"));
        }
        let receipt = state.receipt.take();
        state.end = Some(AnswerEnd { receipt, ..end });
        drop(state);
        self.finish(Life::Ended);
        Ok(())
    }

    pub(super) fn credit(&self, bytes: usize) -> Result<(), Violation> {
        let mut state = self.lock();
        state.credit = state.credit.saturating_add(bytes);
        if state.credit > MAX_CREDIT {
            return Err(Violation::CreditOverrun);
        }
        let writer = state.writer.take();
        drop(state);
        wake(writer);
        Ok(())
    }

    /// As [`Self::refuse`], with what a sealed stream is refused with.
    pub(super) fn refuse_sealed(&self, refusal: Refusal, skipped: Vec<Bytes>) -> Result<(), Violation> {
        if !self.is_sealed {
            // The link ends too, but this stream is no longer in its table.
            self.refuse(Refusal::new(
                Fault::ProtocolViolation,
                "a refusal of the other kind",
            ));
            return Err(Violation::OtherKind("cocoon.sealedRefuse"));
        }
        self.lock().skipped = skipped;
        self.refuse(refusal);
        Ok(())
    }

    /// Ends the stream before it is complete; what has come of an answer can still be read. The first ending stays.
    pub(super) fn refuse(&self, refusal: Refusal) {
        self.finish(Life::Refused(refusal));
    }

    /// Our answer is complete.
    pub(super) fn complete(&self) {
        self.finish(Life::Ended);
    }

    fn finish(&self, life: Life) {
        let mut state = self.lock();
        if !state.is_open() {
            return;
        }
        state.life = life;
        state.incoming_done = true;
        let wakers = (state.reader.take(), state.writer.take());
        drop(state);
        wake(wakers.0);
        wake(wakers.1);
        self.over.notify_waiters();
    }
}

// === impl Stream: what the application takes ===

impl Stream {
    pub(super) async fn head(&self) -> Result<AnswerHead, Refusal> {
        poll_fn(|context| {
            let mut state = self.lock();
            match (&state.head, &state.life) {
                (Some(head), _) => Poll::Ready(Ok(head.clone())),
                (None, Life::Refused(refusal)) => Poll::Ready(Err(refusal.clone())),
                (None, Life::Open | Life::Ended) => state.wait_to_read(context),
            }
        })
        .await
    }

    /// The next bytes or the end of an answer.
    pub(super) async fn next_of_answer(&self) -> Result<AnswerEvent, Refusal> {
        poll_fn(|context| {
            let mut state = self.lock();
            match (state.pieces.pop(), &state.end, &state.life) {
                (Some(piece), ..) => Poll::Ready(Ok(AnswerEvent::Part(piece))),
                (None, Some(end), _) => Poll::Ready(Ok(AnswerEvent::End(end.clone()))),
                (None, None, Life::Refused(refusal)) => Poll::Ready(Err(refusal.clone())),
                (None, None, Life::Open | Life::Ended) => state.wait_to_read(context),
            }
        })
        .await
    }

    /// The next bytes of a body, or nothing after the last.
    pub(super) async fn next_of_body(&self) -> Result<Option<Bytes>, Refusal> {
        poll_fn(|context| {
            let mut state = self.lock();
            match &state.life {
                Life::Open => {}
                Life::Ended => return Poll::Ready(Err(answered())),
                Life::Refused(refusal) => return Poll::Ready(Err(refusal.clone())),
            }
            match state.pieces.pop() {
                Some(piece) => Poll::Ready(Ok(Some(piece))),
                None if state.incoming_done => Poll::Ready(Ok(None)),
                None => state.wait_to_read(context),
            }
        })
        .await
    }

    /// What came with the refusal of a sealed stream.
    pub(super) fn skipped(&self) -> Vec<Bytes> {
        self.lock().skipped.clone()
    }

    /// Counts bytes as used by the application; the credit that is now due to the peer.
    pub(super) fn give_back(&self, bytes: usize) -> Option<i32> {
        let mut state = self.lock();
        state.taken += bytes;
        if state.incoming_done || state.taken < CREDIT_BATCH {
            return None;
        }
        let credit = std::mem::take(&mut state.taken);
        state.window += credit;
        i32::try_from(credit).ok()
    }

    /// Nobody will read what comes.
    pub(super) fn discard(&self) {
        let mut state = self.lock();
        state.discard = true;
        state.pieces.clear();
    }
}

// === impl Stream: what the application sends ===

impl Stream {
    /// Waits for credit; how many of `wanted` bytes may go as one piece. None for nothing, and all or none when sealed.
    pub(super) async fn allowed(&self, wanted: usize) -> Result<usize, Refusal> {
        let least = if self.is_sealed { wanted.min(MAX_PIECE) } else { 1 };
        poll_fn(|context| {
            let mut state = self.lock();
            match &state.life {
                Life::Open => {}
                Life::Ended => return Poll::Ready(Err(answered())),
                Life::Refused(refusal) => return Poll::Ready(Err(refusal.clone())),
            }
            let allowed = wanted.min(MAX_PIECE).min(state.credit);
            if allowed >= least || wanted == 0 {
                return Poll::Ready(Ok(allowed));
            }
            register(&mut state.writer, context);
            Poll::Pending
        })
        .await
    }

    /// Uses up credit that [`Self::allowed`] found; nobody else sends on this stream.
    pub(super) fn spend(&self, bytes: usize) {
        let mut state = self.lock();
        state.credit = state.credit.saturating_sub(bytes);
    }

    pub(super) fn is_over(&self) -> bool {
        !self.lock().is_open()
    }

    /// Waits for the end of the stream, however it comes.
    pub(super) async fn over(&self) {
        let over = self.over.notified();
        tokio::pin!(over);
        // Registered before looking, so that an end between the two is not missed.
        over.as_mut().enable();
        if !self.is_over() {
            over.await;
        }
    }

    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn held_bytes(&self) -> usize {
        self.lock().pieces.held_bytes()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    const fn is_open(&self) -> bool {
        matches!(self.life, Life::Open)
    }

    fn wait_to_read<T>(&mut self, context: &Context<'_>) -> Poll<T> {
        register(&mut self.reader, context);
        Poll::Pending
    }

    fn wake_reader(mut state: MutexGuard<'_, Self>) {
        let reader = state.reader.take();
        drop(state);
        wake(reader);
    }
}

fn answered() -> Refusal {
    Refusal::new(Fault::Cancelled, "the answer was complete before the body")
}

fn register(slot: &mut Option<Waker>, context: &Context<'_>) {
    if !slot
        .as_ref()
        .is_some_and(|waker| waker.will_wake(context.waker()))
    {
        *slot = Some(context.waker().clone());
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_that_crosses_our_refusal_is_late_and_not_wrong() {
        let stream = Stream::new(1, 10, false);
        stream.refuse(Refusal::new(Fault::Busy, "all workers are busy"));
        assert!(stream.body(Bytes::from_static(b"0123456789"), true).is_ok());
        assert_eq!(stream.held_bytes(), 0);
    }

    #[test]
    fn a_piece_after_the_last_is_wrong() {
        let stream = Stream::new(1, 4, false);
        stream.body(Bytes::from_static(b"0123"), true).unwrap();
        assert!(matches!(
            stream.body(Bytes::new(), true),
            Err(Violation::AfterLast)
        ));
    }
}
