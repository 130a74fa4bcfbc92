use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Nesting that a body may have, its own braces included.
///
/// serde_json's usual limit. Raw values are skipped without recursion, so the limit is checked here: engines parse
/// the body again, some with less room on their stack.
pub const MAX_DEPTH: usize = 128;

/// Longest name of a member, in bytes; the APIs' own names stay below 40.
const MAX_NAME_BYTES: usize = 256;

/// Why an object was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ObjectError {
    /// Not JSON; the place, counted from 1, where reading stopped.
    Syntax { line: usize, column: usize },
    /// JSON, but not an object.
    NotAnObject,
    /// More members than the limit.
    TooManyMembers,
    /// A member's name is too long.
    NameTooLong,
    /// Two members that an engine could take for one.
    Duplicate,
}

/// The members of one object, in order, with their values untouched.
pub(crate) type Members<'de> = Vec<(String, &'de RawValue)>;

/// Reads one object's members, refusing doubles: two readers that choose differently between them would see
/// two different requests.
///
/// # Errors
/// [`ObjectError`].
pub(crate) fn members(text: &[u8], limit: usize) -> Result<Members<'_>, ObjectError> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let found = reader.deserialize_map(Collect { limit }).and_then(|found| {
        reader.end()?;
        Ok(found)
    });
    let found = found.map_err(|error| match error.classify() {
        serde_json::error::Category::Data => ObjectError::NotAnObject,
        _ => ObjectError::Syntax {
            line: error.line(),
            column: error.column(),
        },
    })??;
    let mut names: Vec<Cow<'_, str>> = found.iter().map(|(name, _)| fold_name(name)).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(ObjectError::Duplicate);
    }
    Ok(found)
}

struct Collect {
    limit: usize,
}

impl<'de> Visitor<'de> for Collect {
    type Value = Result<Members<'de>, ObjectError>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Members::new();
        // After a refusal the rest is still read, so that a syntax error further on is reported as one.
        let mut refused = None;
        while let Some(name) = map.next_key::<String>()? {
            if name.len() > MAX_NAME_BYTES {
                refused = refused.or(Some(ObjectError::NameTooLong));
            } else if found.len() >= self.limit {
                refused = refused.or(Some(ObjectError::TooManyMembers));
            }
            if refused.is_some() {
                map.next_value::<IgnoredAny>()?;
            } else {
                found.push((name, map.next_value()?));
            }
        }
        Ok(refused.map_or(Ok(found), Err))
    }
}

/// The name as the most lenient engine reads it: Go's JSON reader (Ollama) ignores case, and to it the long s and
/// the Kelvin sign are an s and a k.
pub fn fold_name(name: &str) -> Cow<'_, str> {
    if name
        .bytes()
        .all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
    {
        return Cow::Borrowed(name);
    }
    let fold = |letter: char| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    Cow::Owned(name.chars().map(fold).collect())
}

/// Whether the nesting of valid JSON stays within [`MAX_DEPTH`].
pub(crate) fn depth_is_bounded(text: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return false;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => rest = after_string(rest),
            _ => {}
        }
    }
    true
}

/// What follows the string whose opening quote was just read.
fn after_string(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        let skip = if rest[at] == b'"' { 1 } else { 2 };
        rest = rest.get(at + skip..).unwrap_or_default();
        if skip == 1 {
            return rest;
        }
    }
    &[]
}

/// The bytes of a raw value as a slice of the body that it was read from.
pub(crate) fn slice_of(body: &Bytes, value: &RawValue) -> Bytes {
    body.slice_ref(value.get().as_bytes())
}

#[cfg(test)]
mod tests;
