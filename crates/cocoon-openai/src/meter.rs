use std::fmt;
use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};
use cocoon_types::{Fault, Refusal, Usage};
use memchr::memmem;

use crate::sse::{SseBatch, SseError, SseEvent, SseReader};

mod finish;
mod usage;

pub use usage::usage_of;

static ERROR: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(b"error"));
static USAGE: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(b"usage"));

/// Longest answer that is not streamed, in bytes: 2048 embeddings of 2048 numbers are near 50 MB of text.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Watches an engine's answer on its way to the caller: counts the usage, takes out what the caller did not ask
/// for, and knows whether the answer came to its end.
///
/// Usage is what the engine reports: of a stream the largest number of each kind that any event reports, since
/// engines report running sums. An engine that reports none gives none; whoever asks decides what that means.
pub struct UsageMeter(Form);

enum Form {
    Stream(StreamMeter),
    Whole(BytesMut),
}

#[derive(Default)]
struct StreamMeter {
    reader: SseReader,
    keep_usage_chunk: bool,
    usage: Option<Usage>,
    done: bool,
    failed: bool,
    chunks: u64,
    finish: Option<String>,
}

/// What the meter knows at the end.
#[derive(Clone, PartialEq, Eq)]
pub struct Metered {
    /// Bytes that are still to be passed on: the whole answer when it is not a stream, else mostly nothing.
    pub rest: Bytes,
    /// What the engine reported; nothing when it reported nothing that can be true.
    pub usage: Option<Usage>,
    /// The answer came to its own end: whole JSON, or `[DONE]`.
    pub complete: bool,
    /// The engine reported an error inside the stream (passed on as it came).
    pub engine_error: bool,
    /// Events of a stream with data other than `[DONE]`, errors and usage alone; near the number of model tokens.
    pub chunks: u64,
    /// The first `finish_reason` that the answer names.
    pub finish: Option<String>,
}

/// The answer is not one that can be carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MeterError {
    /// See [`SseError`].
    #[error(transparent)]
    Stream(#[from] SseError),
    /// Not streamed, and longer than [`MAX_ANSWER_BYTES`].
    #[error("the answer is longer than {MAX_ANSWER_BYTES} bytes")]
    TooLong,
    /// Not streamed, and not one JSON object.
    #[error("the answer is not a JSON object")]
    NotJson,
}

// === impl UsageMeter ===

impl UsageMeter {
    /// For a stream of events; `keep_usage_chunk` when the caller asked for that chunk itself.
    pub fn stream(keep_usage_chunk: bool) -> Self {
        Self(Form::Stream(StreamMeter {
            keep_usage_chunk,
            ..StreamMeter::default()
        }))
    }

    /// For an answer in one piece: it is kept until its end, so that half of it is never passed on.
    pub fn whole() -> Self {
        Self(Form::Whole(BytesMut::new()))
    }

    /// The form that this content type stands for.
    pub fn for_content_type(content_type: &str, keep_usage_chunk: bool) -> Self {
        if is_event_stream(content_type) {
            Self::stream(keep_usage_chunk)
        } else {
            Self::whole()
        }
    }

    /// Takes the engine's next bytes and gives back what may go to the caller now; may be empty.
    ///
    /// # Errors
    /// [`MeterError`]; the answer has then failed.
    pub fn push(&mut self, chunk: Bytes) -> Result<Bytes, MeterError> {
        match &mut self.0 {
            Form::Stream(meter) => {
                let batch = meter.reader.push(chunk)?;
                Ok(meter.watch(batch))
            }
            Form::Whole(body) => {
                if chunk.len() > MAX_ANSWER_BYTES - body.len() {
                    return Err(MeterError::TooLong);
                }
                body.extend_from_slice(&chunk);
                Ok(Bytes::new())
            }
        }
    }

    /// What is known so far, for an answer that is broken off: nothing for one that is not streamed.
    pub fn usage(&self) -> Option<Usage> {
        match &self.0 {
            Form::Stream(meter) => meter.usage,
            Form::Whole(_) => None,
        }
    }

    /// Whether the end of the answer was seen already (a stream's `[DONE]`).
    pub fn is_done(&self) -> bool {
        matches!(&self.0, Form::Stream(StreamMeter { done: true, .. }))
    }

    /// Events so far, as [`Metered::chunks`].
    pub fn chunks(&self) -> u64 {
        match &self.0 {
            Form::Stream(meter) => meter.chunks,
            Form::Whole(_) => 0,
        }
    }

    /// The engine's bytes have ended cleanly.
    ///
    /// # Errors
    /// [`MeterError::NotJson`] for an answer in one piece that is not a JSON object.
    pub fn finish(self) -> Result<Metered, MeterError> {
        match self.0 {
            Form::Stream(meter) => Ok(meter.finish()),
            Form::Whole(body) => {
                let usage = usage::of_answer(&body).ok_or(MeterError::NotJson)?;
                let finish = finish::word(&body).map(str::to_owned);
                Ok(Metered {
                    finish,
                    rest: body.freeze(),
                    usage,
                    complete: true,
                    engine_error: false,
                    chunks: 0,
                })
            }
        }
    }
}

impl fmt::Debug for UsageMeter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Stream(meter) => write!(f, "UsageMeter(stream, {} chunks)", meter.chunks),
            Form::Whole(body) => write!(f, "UsageMeter(whole, {} bytes)", body.len()),
        }
    }
}

impl fmt::Debug for Metered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metered")
            .field("rest", &self.rest.len())
            .field("usage", &self.usage)
            .field("complete", &self.complete)
            .field("engine_error", &self.engine_error)
            .field("chunks", &self.chunks)
            .finish()
    }
}

impl From<MeterError> for Refusal {
    fn from(error: MeterError) -> Self {
        Self::new(
            Fault::EngineFailed,
            format!("the engine's answer cannot be used: {error}"),
        )
    }
}

/// Whether this content type, parameters aside, is a stream of events.
pub(crate) fn is_event_stream(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("text/event-stream")
}

// === impl StreamMeter ===

/// What an event is to the meter.
enum Seen {
    /// Goes on to the caller.
    Pass,
    /// Was there for us only.
    Drop,
}

impl StreamMeter {
    fn watch(&mut self, batch: SseBatch) -> Bytes {
        let mut dropped: Vec<std::ops::Range<usize>> = Vec::new();
        for (range, event) in batch.events() {
            if let Seen::Drop = self.see(&batch.bytes()[range.clone()], event) {
                dropped.push(range);
            }
        }
        let bytes = batch.into_bytes();
        match dropped.as_slice() {
            [] => bytes,
            [only] if only.start == 0 => bytes.slice(only.end..),
            [only] if only.end == bytes.len() => bytes.slice(..only.start),
            several => {
                let mut kept = BytesMut::with_capacity(bytes.len());
                let mut from = 0;
                for range in several {
                    kept.extend_from_slice(&bytes[from..range.start]);
                    from = range.end;
                }
                kept.extend_from_slice(&bytes[from..]);
                kept.freeze()
            }
        }
    }

    fn see(&mut self, raw: &[u8], event: SseEvent<'_>) -> Seen {
        let may_be_error = ERROR.find(raw).is_some();
        // llama.cpp of 2024 names an error's line so.
        if may_be_error && event.has(b"error") {
            self.failed = true;
            return Seen::Pass;
        }
        let Some(data) = event.data() else {
            return Seen::Pass;
        };
        let data = data.trim_ascii();
        if data == b"[DONE]" {
            self.done = true;
            return Seen::Pass;
        }
        if self.finish.is_none() {
            self.finish = finish::word(data).map(str::to_owned);
        }
        // Both words can stand in a text without meaning anything: they are hints that the event is worth parsing.
        if !may_be_error && USAGE.find(raw).is_none() {
            self.chunks += 1;
            return Seen::Pass;
        }
        let chunk = usage::of_chunk(data);
        if chunk.is_error {
            self.failed = true;
            return Seen::Pass;
        }
        let alone = chunk.usage.is_some() && !chunk.has_choices;
        self.usage = usage::larger(self.usage, chunk.usage.flatten());
        self.chunks += u64::from(!alone);
        if alone && !self.keep_usage_chunk {
            Seen::Drop
        } else {
            Seen::Pass
        }
    }

    fn finish(mut self) -> Metered {
        let left = std::mem::take(&mut self.reader).finish();
        let mut rest = Bytes::new();
        // Some engines leave the empty line after the last event away.
        let last = SseEvent::of(&left).data();
        if !self.done && last.is_some_and(|data| data.trim_ascii() == b"[DONE]") {
            self.done = true;
            rest = Bytes::from_static(b"data: [DONE]\n\n");
        }
        Metered {
            rest,
            usage: self.usage,
            complete: self.done,
            engine_error: self.failed,
            chunks: self.chunks,
            finish: self.finish,
        }
    }
}

#[cfg(test)]
mod tests;
