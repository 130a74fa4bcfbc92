//! Reads a chain of certificates in PEM (RFC 7468), with limits on count and size.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Most certificates of one chain: leaf, CA, root, and one to spare.
pub(super) const MAX_CERTIFICATES: usize = 4;

/// Largest certificate of a chain, in bytes. Intel's have about 1200.
const MAX_CERTIFICATE_BYTES: usize = 8192;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The text is not a chain of certificates, or one that is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotPem;

/// The certificates in DER. Only white space may stand around them; Intel ends the text with a zero byte.
pub(super) fn read(text: &[u8]) -> Result<Vec<Vec<u8>>, NotPem> {
    let text = std::str::from_utf8(text).map_err(|_| NotPem)?;
    let mut rest = text.trim_end_matches('\0').trim_ascii();
    let mut chain = Vec::new();
    while !rest.is_empty() {
        let (body, after) = rest
            .strip_prefix(BEGIN)
            .and_then(|body| body.split_once(END))
            .ok_or(NotPem)?;
        if chain.len() >= MAX_CERTIFICATES || body.len() > MAX_CERTIFICATE_BYTES.saturating_mul(2) {
            return Err(NotPem);
        }
        let digits: Vec<u8> = body.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let certificate = STANDARD.decode(digits).map_err(|_| NotPem)?;
        if certificate.is_empty() || certificate.len() > MAX_CERTIFICATE_BYTES {
            return Err(NotPem);
        }
        chain.push(certificate);
        rest = after.trim_ascii_start();
    }
    Ok(chain)
}

/// Appends a certificate.
pub(super) fn write(text: &mut String, certificate: &[u8]) {
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

#[cfg(test)]
mod tests;
