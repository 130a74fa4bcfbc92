//! Cutting a byte stream into frames (spec/network.md 1.3).

use bytes::{Buf, Bytes, BytesMut};
use cocoon_tl::frame::{HEADER_LEN, read_header};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::link::Broken;

/// Bytes of buffer that a read begins with: two TLS records, so that one buffer serves many small frames.
const READ_CHUNK: usize = 32 * 1024;
/// A read with less room than this is not worth its system call.
const MIN_ROOM: usize = 4 * 1024;
/// Room that a frame gets on the strength of its length field alone; above it the buffer doubles as bytes arrive, so
/// that a claim costs the peer as much as us. Holds a frame with a piece of 64 KiB.
const MAX_ADVANCE: usize = 128 * 1024;

/// The receiving end of a sequence of frames.
#[derive(Debug)]
pub(crate) struct FrameReader {
    buffer: BytesMut,
    expected_seqno: i32,
    /// Largest payload that is taken.
    largest: usize,
}

// === impl FrameReader ===

impl FrameReader {
    /// A reader that takes payloads of up to `largest` bytes.
    pub(crate) fn new(largest: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            expected_seqno: 0,
            largest,
        }
    }

    /// Takes payloads of up to this many bytes, when that is more than before.
    pub(crate) fn allow(&mut self, bytes: usize) {
        self.largest = self.largest.max(bytes);
    }

    /// The payload of the next frame, if it is here whole. It shares the buffer that it was read into.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        let Some(length) = self.length()? else {
            return Ok(None);
        };
        if self.buffer.len() < HEADER_LEN + length {
            return Ok(None);
        }
        self.buffer.advance(HEADER_LEN);
        self.expected_seqno = self.expected_seqno.wrapping_add(1);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    /// Reads what there is; 0 is the end of the stream. Cancel-safe. To be called when [`Self::next`] had nothing.
    pub(crate) async fn fill(&mut self, io: &mut (impl AsyncRead + Unpin)) -> std::io::Result<usize> {
        let held = self.buffer.len();
        let missing = match self.length() {
            Ok(Some(length)) => (HEADER_LEN + length).saturating_sub(held),
            _ => MIN_ROOM,
        };
        let room = missing.clamp(MIN_ROOM, MAX_ADVANCE.max(held));
        if self.buffer.capacity() - held < room {
            self.buffer.reserve(room.max(READ_CHUNK));
        }
        io.read_buf(&mut self.buffer).await
    }

    /// Whether a frame has begun and is not complete.
    pub(crate) fn is_mid_frame(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The payload length that the next frame's header names, once the header is here.
    fn length(&self) -> Result<Option<usize>, Broken> {
        let Some(header) = self.buffer.first_chunk::<HEADER_LEN>() else {
            return Ok(None);
        };
        let header = read_header(*header)?;
        if header.seqno != self.expected_seqno {
            return Err(Broken::Seqno {
                expected: self.expected_seqno,
                found: header.seqno,
            });
        }
        if header.len > self.largest {
            return Err(Broken::LargeFrame {
                len: header.len,
                largest: self.largest,
            });
        }
        Ok(Some(header.len))
    }
}

#[cfg(test)]
mod tests;
