use std::fmt;

use bytes::Bytes;

/// A TL `string`: a peer's text, which need not be UTF-8.
///
/// `Debug` shows the length only, since a peer's text may hold content; see [`Self::lossy`].
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TlString(Bytes);

impl TlString {
    /// The empty string.
    pub const EMPTY: Self = Self(Bytes::new());

    /// A string that lives as long as the program; copies nothing.
    pub const fn from_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, taken out.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text, when it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The first `limit` bytes as text that is safe on one line of a log or terminal: what is not UTF-8, and every
    /// character that controls, breaks lines or turns the direction of writing, becomes U+FFFD; a cut is marked by
    /// `…`. The result has at most three bytes per byte of `limit`, plus three.
    pub fn lossy(&self, limit: usize) -> String {
        let cut = self.0.get(..limit);
        let mut text: String = String::from_utf8_lossy(cut.unwrap_or(&self.0))
            .chars()
            .map(|c| if steers(c) { char::REPLACEMENT_CHARACTER } else { c })
            .collect();
        if limit < self.0.len() {
            text.push('…');
        }
        text
    }
}

/// Whether a character does something to the text around it rather than being seen.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

impl fmt::Debug for TlString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.0.len())
    }
}

impl From<Bytes> for TlString {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl From<String> for TlString {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

impl From<&str> for TlString {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl PartialEq<str> for TlString {
    fn eq(&self, text: &str) -> bool {
        self.0 == text.as_bytes()
    }
}

impl PartialEq<&str> for TlString {
    fn eq(&self, text: &&str) -> bool {
        self.0 == text.as_bytes()
    }
}

#[cfg(test)]
mod tests;
