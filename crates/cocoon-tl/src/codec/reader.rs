use bytes::Bytes;

use super::TlField;
use crate::TlError;

/// Vector elements that one object may hold, all its vectors together.
///
/// A vector of empty strings takes 4 bytes an element on the wire and some tens in memory; this bound keeps the
/// memory of a parsed object near the largest frame (16 MiB). The largest real object, a list of all workers of all
/// models, stays far below.
pub const MAX_ELEMENTS: usize = 1 << 18;

/// Takes values off the front of some bytes.
#[derive(Debug)]
pub struct Reader<'a> {
    source: &'a Bytes,
    rest: &'a [u8],
    elements_left: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `source`.
    pub fn new(source: &'a Bytes) -> Self {
        Self {
            source,
            rest: source,
            elements_left: MAX_ELEMENTS,
        }
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// Declares that the object is over.
    ///
    /// # Errors
    /// [`TlError::LeftOver`]
    pub fn finish(self) -> Result<(), TlError> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(TlError::LeftOver { count }),
        }
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// [`TlError::Truncated`]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], TlError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(TlError::Truncated {
            needed: N as u64,
            left: self.rest.len(),
        })?;
        self.rest = rest;
        Ok(*head)
    }

    /// The next 4 bytes as a little-endian number.
    ///
    /// # Errors
    /// [`TlError::Truncated`]
    pub fn u32(&mut self) -> Result<u32, TlError> {
        self.array().map(u32::from_le_bytes)
    }

    /// A TL string: its data, as a slice of the source. Longer length forms than necessary are accepted and the
    /// padding is not looked at, as in the original.
    ///
    /// # Errors
    /// [`TlError::Truncated`], also when only padding is missing.
    pub fn bytes(&mut self) -> Result<Bytes, TlError> {
        let whole = self.rest;
        let first = self.array::<4>()?;
        let (head, length) = match first {
            [0xff, a, b, c] => {
                let [d, e, f, g] = self.array::<4>()?;
                (8_usize, u64::from_le_bytes([a, b, c, d, e, f, g, 0]))
            }
            [0xfe, a, b, c] => (4, u64::from_le_bytes([a, b, c, 0, 0, 0, 0, 0])),
            [length, ..] => (1, u64::from(length)),
        };
        let truncated = TlError::Truncated {
            needed: length,
            left: self.rest.len(),
        };
        let length = usize::try_from(length).map_err(|_| truncated)?;
        let data_end = head.checked_add(length).ok_or(truncated)?;
        let end = data_end.checked_next_multiple_of(4).ok_or(truncated)?;
        // Counted from before the length: in the short form data bytes were taken along with it.
        let (data, rest) = match (whole.get(head..data_end), whole.get(end..)) {
            (Some(data), Some(rest)) => (data, rest),
            _ => return Err(truncated),
        };
        self.rest = rest;
        Ok(self.source.slice_ref(data))
    }

    /// A bare vector.
    ///
    /// # Errors
    /// [`TlError::VectorTooLong`], [`TlError::TooManyElements`], or that of the first bad element.
    pub fn vector<T: TlField>(&mut self) -> Result<Vec<T>, TlError> {
        let claimed = self.u32()?;
        let left = self.rest.len();
        let too_long = TlError::VectorTooLong { count: claimed, left };
        let count = usize::try_from(claimed).map_err(|_| too_long)?;
        // Stricter than "count above the bytes left", with the same outcome: such a vector could never be read whole.
        if count
            .checked_mul(T::MIN_SIZE.max(1))
            .is_none_or(|needed| needed > left)
        {
            return Err(too_long);
        }
        self.elements_left = self
            .elements_left
            .checked_sub(count)
            .ok_or(TlError::TooManyElements)?;
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(T::read(self)?);
        }
        Ok(elements)
    }
}
