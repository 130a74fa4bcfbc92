use std::borrow::Cow;

use bytes::{Bytes, BytesMut};

/// Longest event, and so longest line, that is taken, in bytes: a chunk of an answer has a few hundred, one with
/// all log probabilities some ten thousand, one that holds an image made by the model a few million.
pub const MAX_EVENT_BYTES: usize = 8 * 1024 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Cuts a byte stream into whole server-sent events (WHATWG HTML, section 9.2.6), however it was split on the way.
///
/// Bytes pass through unchanged, except that a byte order mark at the start is taken off and that an event that never
/// ends is never handed out. A chunk that begins and ends between events is handed on without a copy.
#[derive(Debug, Default)]
pub struct SseReader {
    /// The beginning of an event whose end has not come.
    carry: BytesMut,
    place: Place,
    /// The byte order mark was looked for.
    started: bool,
    failed: bool,
}

/// What the last byte was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// The end of a line, or of the event.
    #[default]
    LineStart,
    /// A carriage return: a line feed that follows belongs to it.
    AfterReturn,
    /// Something inside a line.
    InLine,
}

/// Whole events that one chunk completed.
#[derive(Clone, Debug, Default)]
pub struct SseBatch {
    bytes: Bytes,
    /// Where each event ends in `bytes`; the last is the length of `bytes`.
    ends: Vec<usize>,
}

/// One event, its closing empty line included.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SseEvent<'a>(&'a [u8]);

/// The stream is not one that can be carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// An event goes on past [`MAX_EVENT_BYTES`].
    #[error("an event of the stream is longer than {MAX_EVENT_BYTES} bytes")]
    EventTooLong,
}

// === impl SseReader ===

impl SseReader {
    /// Takes the next bytes and gives back the events that they complete.
    ///
    /// # Errors
    /// [`SseError::EventTooLong`], then and ever after: the place in the stream is lost.
    pub fn push(&mut self, chunk: Bytes) -> Result<SseBatch, SseError> {
        if self.failed {
            return Err(SseError::EventTooLong);
        }
        let Some(chunk) = self.without_mark(chunk) else {
            return Ok(SseBatch::default());
        };
        let mut ends = self.scan(&chunk);
        let cut = ends.last().copied().unwrap_or(0);
        let longest = ends.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
        let first = ends.first().map_or(0, |end| self.carry.len() + end);
        let left = chunk.len() - cut + if ends.is_empty() { self.carry.len() } else { 0 };
        if longest.max(first).max(left) > MAX_EVENT_BYTES {
            self.failed = true;
            self.carry = BytesMut::new();
            return Err(SseError::EventTooLong);
        }
        if ends.is_empty() {
            self.carry.extend_from_slice(&chunk);
            return Ok(SseBatch::default());
        }
        let bytes = if self.carry.is_empty() {
            chunk.slice(..cut)
        } else {
            let carried = self.carry.len();
            ends.iter_mut().for_each(|end| *end += carried);
            self.carry.extend_from_slice(&chunk[..cut]);
            self.carry.split().freeze()
        };
        self.carry.extend_from_slice(&chunk[cut..]);
        Ok(SseBatch { bytes, ends })
    }

    /// The end of the stream: what came of an event that was not closed by an empty line.
    pub fn finish(self) -> Bytes {
        self.carry.freeze()
    }

    /// Where events end in the chunk.
    fn scan(&mut self, chunk: &[u8]) -> Vec<usize> {
        let mut ends = Vec::new();
        let mut at = 0;
        while let Some(&byte) = chunk.get(at) {
            match (byte, self.place) {
                (b'\n', Place::AfterReturn) => {
                    // The second half of a line end; when the first half closed an event it belongs to that event.
                    if ends.last() == Some(&at) {
                        ends.pop();
                        ends.push(at + 1);
                    }
                    self.place = Place::LineStart;
                    at += 1;
                }
                (b'\n' | b'\r', place) => {
                    at += 1;
                    if place != Place::InLine {
                        ends.push(at);
                    }
                    self.place = if byte == b'\r' {
                        Place::AfterReturn
                    } else {
                        Place::LineStart
                    };
                }
                _ => {
                    self.place = Place::InLine;
                    at = memchr::memchr2(b'\n', b'\r', &chunk[at..]).map_or(chunk.len(), |next| at + next);
                }
            }
        }
        ends
    }

    /// The chunk without the byte order mark that may begin a stream; nothing while that is not decided.
    fn without_mark(&mut self, chunk: Bytes) -> Option<Bytes> {
        if self.started {
            return Some(chunk);
        }
        let mut head = chunk;
        if !self.carry.is_empty() {
            self.carry.extend_from_slice(&head);
            head = self.carry.split().freeze();
        }
        if head.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(&head) {
            self.carry.extend_from_slice(&head);
            return None;
        }
        self.started = true;
        if head.starts_with(BYTE_ORDER_MARK) {
            head = head.slice(BYTE_ORDER_MARK.len()..);
        }
        Some(head)
    }
}

// === impl SseBatch ===

impl SseBatch {
    /// The bytes of all events of the batch.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes of all events of the batch.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Whether no event was completed.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many events were completed, comments and stray empty lines included.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The events with the place of each in [`Self::bytes`].
    pub fn events(&self) -> impl Iterator<Item = (std::ops::Range<usize>, SseEvent<'_>)> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(self.ends.iter().copied())
            .map(|(start, end)| (start..end, SseEvent(&self.bytes[start..end])))
    }
}

// === impl SseEvent ===

impl<'a> SseEvent<'a> {
    /// An event from bytes that hold one (or the beginning of one).
    pub fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The lines `data:`, joined by line feeds; nothing if there is none (a comment, a ping).
    pub fn data(&self) -> Option<Cow<'a, [u8]>> {
        let mut data: Option<Cow<'a, [u8]>> = None;
        for value in self.values(b"data") {
            match &mut data {
                None => data = Some(Cow::Borrowed(value)),
                Some(before) => {
                    let joined = before.to_mut();
                    joined.push(b'\n');
                    joined.extend_from_slice(value);
                }
            }
        }
        data
    }

    /// Whether the event has a line of this name.
    pub fn has(&self, name: &[u8]) -> bool {
        self.values(name).next().is_some()
    }

    /// The last `event:` line.
    pub fn kind(&self) -> Option<&'a [u8]> {
        self.values(b"event").last()
    }

    fn values(&self, name: &[u8]) -> impl Iterator<Item = &'a [u8]> {
        let bytes = self.0;
        let ends = memchr::memchr2_iter(b'\n', b'\r', bytes).chain([bytes.len()]);
        let mut start = 0;
        let lines = ends.map(move |end| {
            let line = &bytes[start..end];
            start = end + 1;
            line
        });
        lines.filter_map(move |line| {
            let rest = line.strip_prefix(name)?;
            match rest.split_first() {
                None => Some(rest),
                Some((b':', value)) => Some(value.strip_prefix(b" ").unwrap_or(value)),
                Some(_) => None,
            }
        })
    }
}

impl std::fmt::Debug for SseEvent<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SseEvent({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests;
