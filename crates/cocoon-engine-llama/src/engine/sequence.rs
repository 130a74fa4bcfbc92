use cocoon_types::Fault;

use super::{End, Event, FinishReason, Job, RunError, Runner, Sampled, Token, text::TextOut};
use crate::api::Problem;

/// A job that runs in a slot.
pub(crate) struct Sequence<S> {
    pub(crate) job: Job,
    pub(crate) sampler: S,
    /// Counts admissions: the earlier sequence's prompt is computed first.
    pub(crate) admitted: u64,
    /// Drawn but not yet computed.
    pub(crate) next: Option<Token>,
    text: TextOut,
    cached: usize,
    completion: u32,
}

/// Events that a step may add: text and the end.
const EVENTS_PER_STEP: usize = 2;

// === impl Sequence ===

impl<S> Sequence<S> {
    pub(crate) fn new(mut job: Job, sampler: S, cached: usize, admitted: u64) -> Self {
        let text = TextOut::new(std::mem::take(&mut job.stops));
        Self {
            job,
            sampler,
            admitted,
            next: None,
            text,
            cached,
            completion: 0,
        }
    }

    /// Whether the caller is gone.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.job.events.is_closed()
    }

    /// Whether the reader has room for what a step may bring.
    pub(crate) fn has_room(&self) -> bool {
        self.job.events.capacity() >= EVENTS_PER_STEP
    }

    /// Draws the token at `row`; `held` is what the slot holds now. Says whether the sequence goes on.
    pub(crate) fn draw<R: Runner<Sampler = S>>(&mut self, runner: &mut R, row: usize, held: usize) -> bool {
        let Sampled { token, complete } = match runner.sample(&mut self.sampler, row) {
            Ok(sampled) => sampled,
            Err(error) => {
                self.fail(error);
                return false;
            }
        };
        self.completion += 1;
        if runner.is_end(token) && !self.job.sampling.ignore_end {
            return self.finish(FinishReason::Stop);
        }
        let logprob = self.job.logprobs.map(|top| runner.logprob(row, token, top));
        let mut bytes = Vec::with_capacity(16);
        runner.piece(token, &mut bytes);
        if self.text.push(&bytes, logprob) || complete {
            return self.finish(FinishReason::Stop);
        }
        if self.completion >= self.job.max_tokens || held >= runner.context_length() {
            return self.finish(FinishReason::Length);
        }
        if self.job.stream {
            self.send_text(false);
        }
        self.next = Some(token);
        true
    }

    /// Tells the caller that the engine failed it.
    pub(crate) fn fail(&mut self, error: RunError) {
        tracing::warn!(%error, "a sequence failed");
        self.send(Event::Failed(match error {
            RunError::Decode => Problem::internal(),
            RunError::Constraint => Problem::new(
                Fault::EngineFailed,
                "the answer could not be held to the schema: it is too complex or admits nothing",
            ),
        }));
    }

    fn finish(&mut self, reason: FinishReason) -> bool {
        self.send_text(true);
        self.send(Event::End(End {
            reason,
            cached: u32::try_from(self.cached).unwrap_or(u32::MAX),
            completion: self.completion,
        }));
        false
    }

    fn send_text(&mut self, all: bool) {
        let released = self.text.release(all);
        if !released.text.is_empty() || !released.logprobs.is_empty() {
            self.send(Event::Text {
                text: released.text,
                logprobs: released.logprobs,
            });
        }
    }

    /// Never full: a sequence runs only while [`Self::has_room`]. Closed: the next step notices.
    fn send(&self, event: Event) {
        let _ = self.job.events.try_send(event);
    }
}
