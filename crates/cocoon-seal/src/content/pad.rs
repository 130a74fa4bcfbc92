//! Sizes: what the proxy can tell of a body and of a part.

use cocoon_types::MAX_BODY_BYTES;

/// Begins the padding.
const MARK: u8 = 0x80;

/// Parts of an answer are padded to multiples of this.
const STEP: usize = 64;

/// Smallest size of a padded body.
const SMALLEST: u64 = 256;

/// `bucket(x)`: the size up to which `x` bytes are padded.
pub(crate) const fn bucket(x: u64) -> u64 {
    if x <= SMALLEST {
        return SMALLEST;
    }
    let e = x.ilog2();
    let s = e.ilog2() + 1;
    let step = 1_u64 << (e - s);
    x.div_ceil(step).saturating_mul(step)
}

/// Padded size of a body of so many bytes: what the proxy sees, and reserves for (docs/sealing.md 3.3).
pub const fn padded_body(length: usize) -> u64 {
    bucket((length as u64).saturating_add(1))
}

/// Whether a body that a gateway takes can have this padded size.
pub(crate) const fn is_bucket(size: u64) -> bool {
    size <= padded_body(MAX_BODY_BYTES) && bucket(size) == size
}

/// Appends the padding of a body that is to have `size` bytes in all.
pub(crate) fn fill(text: &mut Vec<u8>, size: usize) {
    text.push(MARK);
    text.resize(size.max(text.len()), 0);
}

/// Bytes of padding after a part's text.
pub(crate) const fn part_padding(length: usize, padded: bool) -> usize {
    if padded {
        (length + 1).next_multiple_of(STEP) - length
    } else {
        1
    }
}

/// Appends the padding of a part.
pub(crate) fn pad_part(out: &mut Vec<u8>, length: usize, padded: bool) {
    let end = out.len() + part_padding(length, padded);
    out.push(MARK);
    out.resize(end, 0);
}

/// The text before the padding; `None` when there is no padding.
pub(crate) fn strip(text: &[u8]) -> Option<&[u8]> {
    let end = text.iter().rposition(|byte| *byte != 0)?;
    let (content, padding) = text.split_at_checked(end)?;
    (padding.first() == Some(&MARK)).then_some(content)
}

#[cfg(test)]
mod tests {
    use cocoon_types::MAX_BODY_BYTES;
    use proptest::prelude::*;

    use super::{bucket, fill, is_bucket, pad_part, padded_body, strip};

    #[test]
    fn sizes_are_few_and_near() {
        let mut sizes = 0;
        let mut last = 0;
        for length in (0..MAX_BODY_BYTES).step_by(97) {
            let size = padded_body(length);
            assert!(size > length as u64 && is_bucket(size));
            assert!(size <= 256 || size * 8 <= (length as u64 + 1) * 9);
            sizes += usize::from(size != last);
            last = size;
        }
        assert!((300..400).contains(&sizes), "{sizes}");
        assert!(!is_bucket(bucket(1 << 40)) && !is_bucket(0) && !is_bucket(257));
    }

    proptest! {
        #[test]
        fn padding_comes_off(text in prop::collection::vec(any::<u8>(), 0..600), padded: bool) {
            let mut part = text.clone();
            pad_part(&mut part, text.len(), padded);
            let expected = if padded { (text.len() + 1).next_multiple_of(64) } else { text.len() + 1 };
            prop_assert_eq!(part.len(), expected);
            prop_assert_eq!(strip(&part), Some(&text[..]));
            let mut body = text.clone();
            fill(&mut body, usize::try_from(padded_body(text.len())).unwrap());
            prop_assert_eq!(strip(&body), Some(&text[..]));
        }
    }

    #[test]
    fn what_has_no_padding_is_no_text() {
        for text in [&b""[..], b"\0\0", b"text", b"text\0", b"\x81"] {
            assert_eq!(strip(text), None);
        }
    }
}
