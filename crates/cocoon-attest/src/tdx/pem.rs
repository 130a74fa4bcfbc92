//! The chains of certificates in a quote and its collateral.

pub(super) use crate::x509::write_pem as write;
use crate::x509::{Between, pem_certificates};

/// Most certificates of one chain: leaf, CA, root, and one to spare.
pub(super) const MAX_CERTIFICATES: usize = 4;

/// The text is not a chain of certificates, or one that is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotPem;

/// The certificates in DER. Only white space may stand around them; Intel ends the text with a zero byte.
pub(super) fn read(text: &[u8]) -> Result<Vec<Vec<u8>>, NotPem> {
    let text = std::str::from_utf8(text).map_err(|_| NotPem)?;
    let text = text.trim_end_matches('\0').trim_ascii();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    pem_certificates(text, MAX_CERTIFICATES, Between::Blank).ok_or(NotPem)
}

#[cfg(test)]
mod tests;
