use bytes::{BufMut, BytesMut};

/// Appends values to a caller's buffer. Reserve [`super::TlObject::boxed_size`] first and nothing is moved.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut BytesMut,
}

/// How many bytes a TL string of `length` bytes takes: length, data and padding.
pub const fn bytes_size(length: usize) -> usize {
    let unpadded = bytes_head(length).len.saturating_add(length);
    // Saturates only above the size of any address space.
    match unpadded.checked_next_multiple_of(4) {
        Some(size) => size,
        None => usize::MAX,
    }
}

/// The length field of a TL string.
pub(crate) struct BytesHead {
    bytes: [u8; 8],
    len: usize,
}

pub(crate) const fn bytes_head(length: usize) -> BytesHead {
    let [a, b, c, d, e, f, g, _] = (length as u64).to_le_bytes();
    match length {
        0..=0xfd => BytesHead {
            bytes: [a, 0, 0, 0, 0, 0, 0, 0],
            len: 1,
        },
        0xfe..=0xff_ffff => BytesHead {
            bytes: [0xfe, a, b, c, 0, 0, 0, 0],
            len: 4,
        },
        _ => BytesHead {
            bytes: [0xff, a, b, c, d, e, f, g],
            len: 8,
        },
    }
}

/// The zero bytes after the data of a TL string of `length` bytes.
pub(crate) fn bytes_padding(length: usize) -> &'static [u8] {
    let padding = bytes_size(length)
        .saturating_sub(bytes_head(length).len)
        .saturating_sub(length);
    [0_u8; 3].as_slice().get(..padding).unwrap_or_default()
}

impl BytesHead {
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl<'a> Writer<'a> {
    /// A writer at the end of `out`.
    pub fn new(out: &'a mut BytesMut) -> Self {
        Self { out }
    }

    /// Appends raw bytes.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.put_slice(bytes);
    }

    /// Appends a little-endian number.
    pub fn u32(&mut self, value: u32) {
        self.out.put_u32_le(value);
    }

    /// Appends a TL string, in its shortest form.
    pub fn bytes(&mut self, data: &[u8]) {
        self.bytes_head(data.len());
        self.raw(data);
        self.bytes_padding(data.len());
    }

    /// Appends what stands before the data of a TL string; the caller appends the data itself, then
    /// [`Self::bytes_padding`].
    pub fn bytes_head(&mut self, length: usize) {
        self.raw(bytes_head(length).as_slice());
    }

    /// Appends what stands after the data of a TL string.
    pub fn bytes_padding(&mut self, length: usize) {
        self.raw(bytes_padding(length));
    }
}
