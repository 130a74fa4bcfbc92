//! Adds to an answer's JSON what the network knows and the engine does not: what it cost.
//!
//! Nothing else of the answer changes by a byte. The members of the original stand where it puts them, in `usage`
//! (spec/ton.md 6.4); ours are in one object, `cocoon`. An answer that holds a `cocoon` member already gets no second
//! one: what an engine writes there is not ours, so it is taken out of a caller's trust by its absence from the bill.

use std::fmt::Write as _;
use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};
use cocoon_types::{Nanoton, Usage};
use memchr::memmem;

use crate::{
    json::members,
    meter::usage_of,
    sse::{SseError, SseReader},
};

/// What is added to one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What stands in `usage`, where it is known.
    pub costs: Option<Costs>,
    /// The `cocoon` object, as JSON.
    pub cocoon: String,
}

/// What an answer cost, as the original tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs {
    /// Cost of all prompt tokens.
    pub prompt: Nanoton,
    /// Cost of all completion tokens.
    pub completion: Nanoton,
    /// Both.
    pub total: Nanoton,
}

/// Adds notes to a stream of events: to each that tells usage.
pub struct NotedStream<F> {
    reader: SseReader,
    note: F,
}

/// A hint that an event may tell its usage.
static USAGE: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(b"\"usage\""));

/// Members of an answer that are looked through; engines write about ten.
const MAX_MEMBERS: usize = 256;

/// The answer with its note; `None` when it is not an object that tells its usage, which is then left as it is.
pub fn noted(body: &[u8], note: impl FnOnce(&Usage) -> Option<Note>) -> Option<Bytes> {
    let members = members(body, MAX_MEMBERS).ok()?;
    let usage = members
        .iter()
        .find_map(|(name, value)| (name == "usage").then(|| value.get()))?;
    let note = note(&usage_of(usage.as_bytes())?)?;
    // The value is a slice of the body: where it ends, less its brace, is where members can be added.
    let start = (usage.as_ptr() as usize).checked_sub(body.as_ptr() as usize)?;
    let usage_end = start.checked_add(usage.len())?.checked_sub(1)?;
    let top_end = body.iter().rposition(|byte| *byte == b'}')?;
    let empty = usage.get(1..usage.len() - 1)?.trim_ascii().is_empty();
    let mut costs = String::with_capacity(128);
    let comma = if empty { "" } else { "," };
    if let Some(cost) = &note.costs {
        // Writing to a String cannot fail.
        let _ = write!(
            costs,
            "{comma}\"prompt_total_cost\":{},\"completion_total_cost\":{},\"total_cost\":{}",
            cost.prompt.nano(),
            cost.completion.nano(),
            cost.total.nano()
        );
    }
    let mut out = BytesMut::with_capacity(body.len() + costs.len() + note.cocoon.len() + 12);
    out.extend_from_slice(body.get(..usage_end)?);
    out.extend_from_slice(costs.as_bytes());
    out.extend_from_slice(body.get(usage_end..top_end)?);
    if !members.iter().any(|(name, _)| name == "cocoon") {
        out.extend_from_slice(b",\"cocoon\":");
        out.extend_from_slice(note.cocoon.as_bytes());
    }
    out.extend_from_slice(body.get(top_end..)?);
    Some(out.freeze())
}

/// The usage that a whole answer tells.
pub fn usage_in(body: &[u8]) -> Option<Usage> {
    let members = members(body, MAX_MEMBERS).ok()?;
    let usage = members
        .iter()
        .find_map(|(name, value)| (name == "usage").then(|| value.get()))?;
    usage_of(usage.as_bytes())
}

/// The answer as it was before [`noted`] or [`NotedStream`], whole or as a stream of events; what holds no note of ours comes
/// back as it is.
pub fn unnoted(body: &[u8]) -> Bytes {
    if let Some(plain) = unnoted_object(body) {
        return plain.into();
    }
    let mut out = BytesMut::with_capacity(body.len());
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let data = line.strip_prefix(b"data:").map(<[u8]>::trim_ascii);
        let plain = data.and_then(|data| Some((data, unnoted_object(data)?)));
        match plain {
            Some((data, plain)) => {
                let rest = line.len() - 5 - line[5..].trim_ascii_start().len();
                out.extend_from_slice(&line[..5 + rest]);
                out.extend_from_slice(&plain);
                out.extend_from_slice(&line[5 + rest + data.len()..]);
            }
            None => out.extend_from_slice(line),
        }
    }
    out.freeze()
}

/// One answer or event without its note; `None` when it has none.
fn unnoted_object(body: &[u8]) -> Option<Vec<u8>> {
    const OURS: &[u8] = b",\"cocoon\":";
    const COSTS: &[u8] = b"\"prompt_total_cost\":";
    let members = members(body, MAX_MEMBERS).ok()?;
    let place = |value: &str| (value.as_ptr() as usize).checked_sub(body.as_ptr() as usize);
    let (name, value) = members.last()?;
    let start = place(value.get())?;
    if name != "cocoon" || !body.get(..start)?.ends_with(OURS) {
        return None;
    }
    let mut plain = body.to_vec();
    plain.drain(start - OURS.len()..start + value.get().len());
    let usage = members
        .iter()
        .find_map(|(name, value)| (name == "usage").then(|| value.get()))?;
    let start = place(usage)?;
    if let Some(at) = memmem::rfind(usage.as_bytes(), COSTS) {
        let comma = usize::from(usage.as_bytes().get(..at)?.ends_with(b","));
        plain.drain(start + at - comma..start + usage.len() - 1);
    }
    Some(plain)
}

// === impl NotedStream ===

impl<F: FnMut(&Usage) -> Option<Note>> NotedStream<F> {
    /// Notes what `note` says about the usage of an event.
    pub fn new(note: F) -> Self {
        Self {
            reader: SseReader::default(),
            note,
        }
    }

    /// Takes the next bytes and gives back the whole events that they complete, some of them noted.
    ///
    /// # Errors
    /// [`SseError`], when the stream cannot be carried.
    pub fn push(&mut self, chunk: Bytes) -> Result<Bytes, SseError> {
        let batch = self.reader.push(chunk)?;
        let bytes = batch.bytes();
        let mut out = BytesMut::new();
        let mut copied = 0;
        for (range, event) in batch.events() {
            let raw = &bytes[range.clone()];
            // Most events tell no usage, or `"usage":null`; they are not looked into.
            if USAGE.find(raw).is_none() {
                continue;
            }
            // Data of one line is found in the event as it is; of several lines it is left alone.
            let Some(data) = event.data() else { continue };
            let Some(at) = memmem::find(raw, &data) else {
                continue;
            };
            let Some(noted) = noted(&data, &mut self.note) else {
                continue;
            };
            out.extend_from_slice(&bytes[copied..range.start + at]);
            out.extend_from_slice(&noted);
            copied = range.start + at + data.len();
        }
        if copied == 0 {
            return Ok(batch.into_bytes());
        }
        out.extend_from_slice(&bytes[copied..]);
        Ok(out.freeze())
    }

    /// What is left at the end: the beginning of an event that was never finished.
    pub fn finish(self) -> Bytes {
        self.reader.finish()
    }
}

impl<F> std::fmt::Debug for NotedStream<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NotedStream")
    }
}

#[cfg(test)]
mod tests;
