use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};
use cocoon_tl::{TlField, TlString, Writer, bytes_size, frame, tcp, v3};

use super::outbox::Outgoing;

/// Bytes after which a batch takes no more frames: four times what rustls buffers at once, so that a batch costs few
/// system calls, and small enough to be no burden as a buffer.
pub(crate) const MAX_BATCH: usize = 256 * 1024;
/// Data from this size on is written from where it is; below, a copy is cheaper than one more slice.
const MIN_UNCOPIED: usize = 8 * 1024;

/// Frames encoded for one write: a list of slices of which the large ones are the senders' own bytes.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    slices: VecDeque<Bytes>,
    scratch: BytesMut,
    bytes: usize,
    seqno: i32,
}

// === impl Batch ===

impl Batch {
    /// A batch whose first frame has this number.
    pub(crate) fn starting_at(seqno: i32) -> Self {
        Self {
            seqno,
            ..Self::default()
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes + self.scratch.len() >= MAX_BATCH
    }

    /// Appends one frame. A frame that cannot be encoded is left out, without using up a number.
    pub(crate) fn encode(&mut self, outgoing: Outgoing) {
        let seqno = self.seqno;
        let done = match outgoing {
            Outgoing::Packet(message) => self.packet(&message),
            Outgoing::Query { id, data } => self.frame(&tcp::Packet::Query(tcp::Query { id, data })),
            Outgoing::Answer { id, data } => {
                self.frame(&tcp::Packet::QueryAnswer(tcp::QueryAnswer { id, data }))
            }
            Outgoing::Error { id, code, message } => self.frame(&tcp::Packet::QueryError(tcp::QueryError {
                id,
                code,
                message: TlString::from(message),
            })),
            Outgoing::Ping(id) => self.frame(&tcp::Packet::Ping(tcp::Ping { id })),
            Outgoing::Pong(id) => self.frame(&tcp::Packet::Pong(tcp::Pong { id })),
            Outgoing::Body { stream, last, data } => {
                let flags = if last { v3::Body::LAST } else { 0 };
                self.piece(v3::Body::ID, stream, Some(flags), data)
            }
            Outgoing::Part { stream, data } => self.piece(v3::Part::ID, stream, None, data),
            Outgoing::Credit { stream, bytes } => {
                frame::write_packet(&mut self.scratch, seqno, &v3::Credit { stream, bytes })
            }
            Outgoing::Cancel { stream } => {
                frame::write_packet(&mut self.scratch, seqno, &v3::Cancel { stream })
            }
        };
        match done {
            Ok(()) => self.seqno = seqno.wrapping_add(1),
            Err(error) => tracing::error!(%error, "a message of ours does not fit a frame and was left out"),
        }
    }

    /// Declares the batch ready to be written.
    pub(crate) fn seal(&mut self) {
        if !self.scratch.is_empty() {
            let slice = self.scratch.split().freeze();
            self.bytes += slice.len();
            self.slices.push_back(slice);
        }
    }

    fn frame(&mut self, packet: &tcp::Packet) -> Result<(), frame::FrameLengthError> {
        frame::write_frame(&mut self.scratch, self.seqno, packet)
    }

    fn packet(&mut self, message: &Bytes) -> Result<(), frame::FrameLengthError> {
        frame::write_packet_header(&mut self.scratch, self.seqno, message.len())?;
        self.data(message);
        frame::write_packet_padding(&mut self.scratch, message.len());
        Ok(())
    }

    /// `cocoon.body` or `cocoon.part`: what a `v3` struct would encode to, without copying the data twice.
    fn piece(
        &mut self,
        id: u32,
        stream: i64,
        flags: Option<u32>,
        data: Bytes,
    ) -> Result<(), frame::FrameLengthError> {
        let size = 4 + 8 + flags.map_or(0, |_| 4) + bytes_size(data.len());
        frame::write_packet_header(&mut self.scratch, self.seqno, size)?;
        let mut writer = Writer::new(&mut self.scratch);
        writer.u32(id);
        stream.write(&mut writer);
        if let Some(flags) = flags {
            writer.u32(flags);
        }
        writer.bytes_head(data.len());
        self.data(&data);
        Writer::new(&mut self.scratch).bytes_padding(data.len());
        frame::write_packet_padding(&mut self.scratch, size);
        Ok(())
    }

    fn data(&mut self, data: &Bytes) {
        if data.len() < MIN_UNCOPIED {
            self.scratch.extend_from_slice(data);
        } else {
            self.seal();
            self.bytes += data.len();
            self.slices.push_back(data.clone());
        }
    }
}

impl Buf for Batch {
    fn remaining(&self) -> usize {
        self.bytes
    }

    fn chunk(&self) -> &[u8] {
        self.slices.front().map_or(&[], |slice| slice)
    }

    fn chunks_vectored<'a>(&'a self, slots: &mut [IoSlice<'a>]) -> usize {
        let mut count = 0;
        for (slot, slice) in slots.iter_mut().zip(&self.slices) {
            *slot = IoSlice::new(slice);
            count += 1;
        }
        count
    }

    fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        while written > 0 {
            let Some(front) = self.slices.front_mut() else {
                return;
            };
            let step = written.min(front.len());
            front.advance(step);
            written -= step;
            if front.is_empty() {
                self.slices.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests;
