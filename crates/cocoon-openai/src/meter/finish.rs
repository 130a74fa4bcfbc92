//! Why an engine stopped, taken from the text of its answer without parsing all of it.

use std::sync::LazyLock;

use memchr::memmem;

/// Longest word; those that are known are half as long.
const MAX_WORD: usize = 32;

const NAME: &[u8] = b"\"finish_reason\"";
static NAME_FINDER: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(NAME));

/// The first `finish_reason` of this JSON that is a word. Within a string of it, quotes are escaped, so that no content can
/// look like one.
pub(super) fn word(json: &[u8]) -> Option<&str> {
    NAME_FINDER.find_iter(json).find_map(|at| {
        let rest = json.get(at + NAME.len()..)?.trim_ascii_start();
        let rest = rest.strip_prefix(b":")?.trim_ascii_start();
        let rest = rest.strip_prefix(b"\"")?;
        let end = rest.iter().take(MAX_WORD + 1).position(|byte| *byte == b'"')?;
        let word = rest.get(..end)?;
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let word = std::str::from_utf8(word).ok()?;
        word.bytes().all(|byte| plain(&byte)).then_some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::word;

    #[test]
    fn the_first_word_counts() {
        for (json, expected) in [
            (
                r#"{"choices":[{"finish_reason":null},{"finish_reason": "stop"}]}"#,
                Some("stop"),
            ),
            (
                r#"{"choices":[{"finish_reason" :"length"},{"finish_reason":"stop"}]}"#,
                Some("length"),
            ),
            (r#"{"text":"\"finish_reason\":\"stop\""}"#, None),
            (r#"{"finish_reason":"a b"}"#, None),
            (r#"{"finish_reason":"unended"#, None),
            (
                r#"{"finish_reason":"a_word_that_no_engine_would_ever_say_of_itself"}"#,
                None,
            ),
            (r#"{"finish_reason""#, None),
            ("", None),
        ] {
            assert_eq!(word(json.as_bytes()), expected, "{json}");
        }
    }
}
