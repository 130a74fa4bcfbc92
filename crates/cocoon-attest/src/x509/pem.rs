use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The DER of each certificate in a text, at most `most` of them; `None` when it is anything else. Text between the
/// blocks is skipped: tools put subject lines there.
pub(crate) fn certificates(text: &str, most: usize) -> Option<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(BEGIN) {
        let (body, after) = after.split_once(END)?;
        if found.len() >= most {
            return None;
        }
        let packed: String = body.split_ascii_whitespace().collect();
        found.push(STANDARD.decode(packed).ok()?);
        rest = after;
    }
    (!found.is_empty()).then_some(found)
}
