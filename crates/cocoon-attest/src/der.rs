//! A small DER reader and writer: what one certificate needs, nothing more.
//!
//! The common parsers refuse what the original sends (X.509 v1 with extensions, unknown critical extensions), so we have
//! our own. The reader borrows, never recurses and never allocates; it takes one-byte tags and minimal definite lengths
//! below 64 KiB, which is more than [`crate::MAX_CERTIFICATE_BYTES`] lets through.

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// The bytes are not the DER that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotDer;

/// Reads elements one after another from borrowed bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

/// One element: its tag, its content, and the whole of it with header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    pub(crate) whole: &'a [u8],
}

// === impl Reader ===

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next element, whatever its tag.
    pub(crate) fn element(&mut self) -> Result<Element<'a>, NotDer> {
        let start = self.rest;
        let (&tag, after_tag) = start.split_first().ok_or(NotDer)?;
        // Tag numbers of 31 and more take further bytes; no part of a certificate has one.
        if tag & 0x1f == 0x1f {
            return Err(NotDer);
        }
        let (&first, after_first) = after_tag.split_first().ok_or(NotDer)?;
        let (length, body) = match (first, after_first) {
            (0..=0x7f, body) => (usize::from(first), body),
            (0x81, [byte @ 0x80..=0xff, body @ ..]) => (usize::from(*byte), body),
            (0x82, [high @ 1..=0xff, low, body @ ..]) => {
                (usize::from(u16::from_be_bytes([*high, *low])), body)
            }
            _ => return Err(NotDer),
        };
        let (content, rest) = body.split_at_checked(length).ok_or(NotDer)?;
        let whole = start
            .get(..start.len().saturating_sub(rest.len()))
            .ok_or(NotDer)?;
        self.rest = rest;
        Ok(Element { tag, content, whole })
    }

    /// The next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<Element<'a>, NotDer> {
        let element = self.element()?;
        if element.tag == tag {
            Ok(element)
        } else {
            Err(NotDer)
        }
    }

    /// The next element when it has this tag; otherwise nothing is consumed.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, NotDer> {
        if self.rest.first() == Some(&tag) {
            self.element().map(Some)
        } else {
            Ok(None)
        }
    }

    /// Nothing may be left over.
    pub(crate) const fn end(self) -> Result<(), NotDer> {
        if self.rest.is_empty() { Ok(()) } else { Err(NotDer) }
    }
}

/// The one element with this tag that these bytes are.
pub(crate) fn only(bytes: &[u8], tag: u8) -> Result<Element<'_>, NotDer> {
    let mut reader = Reader::new(bytes);
    let element = reader.expect(tag)?;
    reader.end()?;
    Ok(element)
}

/// The bytes of a BIT STRING that has no unused bits.
pub(crate) fn whole_bits(content: &[u8]) -> Result<&[u8], NotDer> {
    match content {
        [0, bits @ ..] => Ok(bits),
        _ => Err(NotDer),
    }
}

/// One element; `None` when the content is 64 KiB or more.
pub(crate) fn write(tag: u8, parts: &[&[u8]]) -> Option<Vec<u8>> {
    let length = parts
        .iter()
        .fold(0_usize, |sum, part| sum.saturating_add(part.len()));
    let [high, low] = u16::try_from(length).ok()?.to_be_bytes();
    let mut out = vec![tag];
    match (high, low) {
        (0, 0..=0x7f) => out.push(low),
        (0, _) => out.extend([0x81, low]),
        _ => out.extend([0x82, high, low]),
    }
    out.extend(parts.iter().copied().flatten());
    Some(out)
}

#[cfg(test)]
mod tests;
