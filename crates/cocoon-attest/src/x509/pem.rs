//! Reads certificates in PEM (RFC 7468), with limits on count and size.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub(crate) const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
pub(crate) const END: &str = "-----END CERTIFICATE-----";

/// Largest certificate, in bytes. The makers' have about 1200.
pub(crate) const MAX_CERTIFICATE_BYTES: usize = 8192;

/// What may stand before, between and after the blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Between {
    /// White space.
    Blank,
    /// Any text: tools put subject lines there.
    Text,
}

/// The DER of each certificate in a text, at most `most` of them; `None` when it holds none, or anything else.
pub(crate) fn certificates(text: &str, most: usize, between: Between) -> Option<Vec<Vec<u8>>> {
    let may_stand = |gap: &str| between == Between::Text || gap.trim_ascii().is_empty();
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((gap, after)) = rest.split_once(BEGIN) {
        let (body, after) = after.split_once(END)?;
        // White space may double the digits, no more.
        let is_bounded = found.len() < most && body.len() <= MAX_CERTIFICATE_BYTES.saturating_mul(2);
        if !is_bounded || !may_stand(gap) {
            return None;
        }
        let digits: String = body.split_ascii_whitespace().collect();
        let certificate = STANDARD.decode(digits).ok()?;
        if certificate.is_empty() || certificate.len() > MAX_CERTIFICATE_BYTES {
            return None;
        }
        found.push(certificate);
        rest = after;
    }
    (!found.is_empty() && may_stand(rest)).then_some(found)
}

/// Appends a certificate.
pub(crate) fn write(text: &mut String, certificate: &[u8]) {
    text.push_str(BEGIN);
    text.push('\n');
    for (place, digit) in STANDARD.encode(certificate).chars().enumerate() {
        if place > 0 && place.is_multiple_of(64) {
            text.push('\n');
        }
        text.push(digit);
    }
    text.push('\n');
    text.push_str(END);
    text.push('\n');
}
