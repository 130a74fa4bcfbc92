//! Canonical encodings: unsigned big-endian integers, fixed arrays, byte strings with a length before them.

use crate::{Digest, domain::Domain};

/// The bytes are not the canonical encoding of what they should be; says which field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed {0}")]
pub struct Malformed(pub &'static str);

/// Takes an encoding apart; nothing that it is given can make it panic.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read yet.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn take(&mut self, length: usize, field: &'static str) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed(field))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn domain(&mut self, domain: Domain, field: &'static str) -> Result<(), Malformed> {
        self.rest = self.rest.strip_prefix(domain.bytes()).ok_or(Malformed(field))?;
        Ok(())
    }

    pub(crate) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed(field))?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn digest(&mut self, field: &'static str) -> Result<Digest, Malformed> {
        self.array(field).map(Digest)
    }

    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, Malformed> {
        self.array(field).map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, Malformed> {
        self.array(field).map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, Malformed> {
        self.array(field).map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, Malformed> {
        self.array(field).map(u64::from_be_bytes)
    }

    pub(crate) fn u128(&mut self, field: &'static str) -> Result<u128, Malformed> {
        self.array(field).map(u128::from_be_bytes)
    }

    /// A byte string of at most `limit` bytes, its length before it as `u16`.
    pub(crate) fn b16(&mut self, limit: usize, field: &'static str) -> Result<&'a [u8], Malformed> {
        let length = usize::from(self.u16(field)?);
        self.limited(length, limit, field)
    }

    /// As [`Self::b16`], with a `u32`.
    pub(crate) fn b32(&mut self, limit: usize, field: &'static str) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.u32(field)?).map_err(|_| Malformed(field))?;
        self.limited(length, limit, field)
    }

    fn limited(&mut self, length: usize, limit: usize, field: &'static str) -> Result<&'a [u8], Malformed> {
        if length > limit {
            return Err(Malformed(field));
        }
        self.take(length, field)
    }

    /// Printable ASCII of at most `limit` bytes.
    pub(crate) fn text16(&mut self, limit: usize, field: &'static str) -> Result<&'a str, Malformed> {
        let bytes = self.b16(limit, field)?;
        let text = std::str::from_utf8(bytes).map_err(|_| Malformed(field))?;
        let printable = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        printable.then_some(text).ok_or(Malformed(field))
    }

    /// 0 or 1.
    pub(crate) fn flag(&mut self, field: &'static str) -> Result<bool, Malformed> {
        match self.u8(field)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed(field)),
        }
    }

    pub(crate) const fn finish(self, what: &'static str) -> Result<(), Malformed> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Malformed(what))
        }
    }
}

/// Writes an encoding.
pub(crate) trait Write {
    fn put(&mut self, bytes: &[u8]);

    fn u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    fn u16(&mut self, value: u16) {
        self.put(&value.to_be_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.put(&value.to_be_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.put(&value.to_be_bytes());
    }

    fn u128(&mut self, value: u128) {
        self.put(&value.to_be_bytes());
    }

    /// The callers hold their strings to limits below 2^16; a longer one would not be read again.
    fn b16(&mut self, bytes: &[u8]) {
        self.u16(u16::try_from(bytes.len()).unwrap_or(u16::MAX));
        self.put(bytes);
    }

    /// As [`Write::b16`], below 2^32.
    fn b32(&mut self, bytes: &[u8]) {
        self.u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.put(bytes);
    }
}

impl Write for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}
