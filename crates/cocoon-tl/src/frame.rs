//! Frames (spec/network.md 1.3): `u32 len`, `i32 seqno`, then `len` bytes of one boxed `tcp.Packet`.
//!
//! Only layout and limits; who counts `seqno` and reads the socket is `cocoon-link`.

use bytes::{Bytes, BytesMut};

use crate::{TlObject, Writer, bytes_size, tcp};

/// Bytes before the payload.
pub const HEADER_LEN: usize = 8;
/// Fewest bytes of a payload: a constructor id.
pub const MIN_PAYLOAD: usize = 4;
/// Most bytes of a payload, as the original's receiver demands.
pub const MAX_PAYLOAD: usize = 1 << 24;
/// Most bytes of a message in a `tcp.packet`: [`MAX_PAYLOAD`] less the id and the longest length field that fits, in
/// whole words, so that no padding is added.
pub const MAX_PACKET: usize = MAX_PAYLOAD - 8;

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Bytes of payload that follow, between [`MIN_PAYLOAD`] and [`MAX_PAYLOAD`].
    pub len: usize,
    /// 0 for the first frame of a direction, then one more for each.
    pub seqno: i32,
}

/// A payload's length is outside the limits of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {len} bytes: must be between {MIN_PAYLOAD} and {MAX_PAYLOAD}")]
pub struct FrameLengthError {
    /// The length.
    pub len: usize,
}

/// Reads a frame's header.
///
/// # Errors
/// [`FrameLengthError`]: the connection is to be closed.
pub fn read_header(header: [u8; HEADER_LEN]) -> Result<FrameHeader, FrameLengthError> {
    let [a, b, c, d, e, f, g, h] = header;
    let len = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    check(len)?;
    Ok(FrameHeader {
        len,
        seqno: i32::from_le_bytes([e, f, g, h]),
    })
}

/// Appends a whole frame with any packet. Nothing is appended on an error, so `seqno` is still free.
///
/// # Errors
/// [`FrameLengthError`]: the packet is too long for a frame.
pub fn write_frame(out: &mut BytesMut, seqno: i32, packet: &tcp::Packet) -> Result<(), FrameLengthError> {
    let len = packet.boxed_size();
    out.reserve(len.min(MAX_PAYLOAD).saturating_add(HEADER_LEN));
    begin(out, seqno, len)?;
    packet.write_boxed(&mut Writer::new(out));
    Ok(())
}

/// Appends a whole frame with a `tcp.packet` around a message, without an intermediate copy of the message.
///
/// # Errors
/// [`FrameLengthError`]: the message is too long for a frame.
pub fn write_packet<T: TlObject>(
    out: &mut BytesMut,
    seqno: i32,
    message: &T,
) -> Result<(), FrameLengthError> {
    let size = message.boxed_size();
    // Header, id, length and padding: 8 + 4 + 8 + 3 at most.
    out.reserve(size.min(MAX_PAYLOAD).saturating_add(23));
    write_packet_header(out, seqno, size)?;
    message.write_boxed(&mut Writer::new(out));
    write_packet_padding(out, size);
    Ok(())
}

/// Appends what stands before a message of `len` bytes that travels as `tcp.packet`: frame header, id, length. The
/// caller then appends (or writes to the socket) the message itself, then [`packet_padding`].
///
/// # Errors
/// [`FrameLengthError`]: the message is too long for a frame; nothing was appended.
pub fn write_packet_header(out: &mut BytesMut, seqno: i32, len: usize) -> Result<(), FrameLengthError> {
    begin(out, seqno, bytes_size(len).saturating_add(4))?;
    let mut writer = Writer::new(out);
    writer.u32(tcp::PacketData::ID);
    writer.bytes_head(len);
    Ok(())
}

/// Appends what stands after a message of `len` bytes that travels as `tcp.packet`.
pub fn write_packet_padding(out: &mut BytesMut, len: usize) {
    Writer::new(out).bytes_padding(len);
}

/// The zero bytes that stand after a message of `len` bytes that travels as `tcp.packet` (none to three).
pub fn packet_padding(len: usize) -> Bytes {
    Bytes::from_static(crate::codec::bytes_padding(len))
}

fn check(len: usize) -> Result<(), FrameLengthError> {
    if (MIN_PAYLOAD..=MAX_PAYLOAD).contains(&len) {
        Ok(())
    } else {
        Err(FrameLengthError { len })
    }
}

fn begin(out: &mut BytesMut, seqno: i32, len: usize) -> Result<(), FrameLengthError> {
    check(len)?;
    let word = u32::try_from(len).map_err(|_| FrameLengthError { len })?;
    let mut writer = Writer::new(out);
    writer.u32(word);
    writer.raw(&seqno.to_le_bytes());
    Ok(())
}

#[cfg(test)]
mod tests;
