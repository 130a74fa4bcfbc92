//! The end of a stream of events, held back until it is known to be the end.
//!
//! `[DONE]` and the event that tells the usage come before the network's own end, and a stream that was cut in between would
//! look whole to its reader. So both wait for it, with everything after them; the bill is then written with the receipt.

use bytes::{Bytes, BytesMut};
use cocoon_openai::{SseError, SseEvent, SseReader, usage_of};
use cocoon_types::Usage;

/// Cuts a stream at its tail.
#[derive(Debug, Default)]
pub(super) struct Tail {
    reader: SseReader,
    held: Option<BytesMut>,
    /// What the last event that told any said of usage.
    usage: Option<Usage>,
}

/// A stream that cannot be carried.
#[derive(Debug, thiserror::Error)]
pub(super) enum TailError {
    #[error(transparent)]
    Events(#[from] SseError),
    #[error("the stream goes on after its end")]
    TooLong,
}

/// Longest tail, in bytes: one event with usage, one that says `[DONE]`, and some room.
const MAX_TAIL: usize = 64 * 1024;

// === impl Tail ===

impl Tail {
    /// Takes the next bytes; gives the whole events that may be handed on now.
    pub(super) fn push(&mut self, part: Bytes) -> Result<Bytes, TailError> {
        let batch = self.reader.push(part)?;
        if self.held.is_none() {
            if !may_end(batch.bytes()) {
                return Ok(batch.into_bytes());
            }
            let mut first = None;
            for (range, event) in batch.events() {
                if self.look(event) {
                    first = Some(range.start);
                    break;
                }
            }
            let Some(first) = first else {
                return Ok(batch.into_bytes());
            };
            let mut bytes = batch.into_bytes();
            let tail = bytes.split_off(first);
            self.hold(tail)?;
            return Ok(bytes);
        }
        for (_, event) in batch.events() {
            self.look(event);
        }
        self.hold(batch.into_bytes())?;
        Ok(Bytes::new())
    }

    /// The end has come: what was held back, and what was told of usage.
    pub(super) fn finish(self) -> (Bytes, Option<Usage>) {
        let mut tail = self.held.unwrap_or_default();
        tail.extend_from_slice(&self.reader.finish());
        (tail.freeze(), self.usage)
    }

    fn hold(&mut self, bytes: Bytes) -> Result<(), TailError> {
        let held = self.held.get_or_insert_default();
        if held.len() + bytes.len() > MAX_TAIL {
            return Err(TailError::TooLong);
        }
        held.extend_from_slice(&bytes);
        Ok(())
    }

    /// Whether the tail begins with this event: it says `[DONE]`, or tells usage and has no choice in it.
    fn look(&mut self, event: SseEvent<'_>) -> bool {
        let Some(data) = event.data() else { return false };
        if data.trim_ascii() == b"[DONE]" {
            return true;
        }
        let Some(usage) = told(&data) else { return false };
        self.usage = Some(usage.0);
        usage.1
    }
}

/// The usage that an event tells, and whether it has no choices.
fn told(data: &[u8]) -> Option<(Usage, bool)> {
    #[derive(serde::Deserialize)]
    struct Event<'a> {
        #[serde(borrow)]
        usage: &'a serde_json::value::RawValue,
        #[serde(default)]
        choices: Vec<serde::de::IgnoredAny>,
    }
    let event: Event<'_> = serde_json::from_slice(data).ok()?;
    let usage = usage_of(event.usage.get().as_bytes())?;
    Some((usage, event.choices.is_empty()))
}

/// Most chunks neither end a stream nor tell usage; they are not looked into.
fn may_end(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, b"[DONE]").is_some() || memchr::memmem::find(bytes, b"\"usage\"").is_some()
}

#[cfg(test)]
mod tests;
