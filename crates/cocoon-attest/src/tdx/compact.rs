//! The compact form of collateral, in which it travels in a certificate (docs/attestation.md, section 8).
//!
//! Certificates stand in it once and in DER; everything else is as it was signed. There is one way to write each collateral:
//! what is read is what would be written.

use super::collateral::{Collateral, CollateralError, CollateralParts};
use super::pem;

/// Largest compact form, in bytes; the verifier looks at the length before anything else. Intel's for one platform have 9 to
/// 12 KiB, and with the largest quote it still fits a TLS certificate message (65 535 bytes).
pub const MAX_COMPACT_BYTES: usize = 24 * 1024;

/// First byte: whose collateral in which form.
const INTEL_1: u8 = 1;
/// Different certificates in all: signers, CA and root are four, and some to spare.
const MAX_CERTIFICATES: usize = 8;
/// Certificates of one chain.
const MAX_CHAIN: usize = pem::MAX_CERTIFICATES;
const SIGNATURE: usize = 64;

impl Collateral {
    /// Reads the compact form.
    ///
    /// # Errors
    /// [`CollateralError::TooLarge`], [`CollateralError::Compact`].
    pub fn from_compact(bytes: &[u8]) -> Result<Self, CollateralError> {
        if bytes.len() > MAX_COMPACT_BYTES {
            return Err(too_large());
        }
        let parts = read(bytes).ok_or(CollateralError::Compact)?;
        let collateral = Self::new(parts)?;
        // Order, doubles and strays: instead of a rule for each, the one way to write it.
        match collateral.to_compact() {
            Ok(written) if written == bytes => Ok(collateral),
            _ => Err(CollateralError::Compact),
        }
    }

    /// Writes the compact form. The PCK chain is left out: it stands in the quote.
    ///
    /// # Errors
    /// [`CollateralError::TooLarge`] when it does not travel; [`CollateralError::Compact`] when a chain cannot be read.
    pub fn to_compact(&self) -> Result<Vec<u8>, CollateralError> {
        let bytes = write(self.parts()).ok_or(CollateralError::Compact)?;
        if bytes.len() > MAX_COMPACT_BYTES {
            return Err(too_large());
        }
        Ok(bytes)
    }
}

const fn too_large() -> CollateralError {
    CollateralError::TooLarge {
        part: "compact form",
        limit: MAX_COMPACT_BYTES,
    }
}

fn read(bytes: &[u8]) -> Option<CollateralParts> {
    let mut reader = Reader(bytes);
    if reader.byte()? != INTEL_1 {
        return None;
    }
    let count = usize::from(reader.byte()?);
    if count > MAX_CERTIFICATES {
        return None;
    }
    let mut certificates = Vec::with_capacity(count);
    for _ in 0..count {
        certificates.push(reader.field()?);
    }
    let chain = |reader: &mut Reader<'_>| {
        let length = usize::from(reader.byte()?);
        if length > MAX_CHAIN {
            return None;
        }
        let mut text = String::new();
        for _ in 0..length {
            pem::write(&mut text, certificates.get(usize::from(reader.byte()?))?);
        }
        Some(text)
    };
    let parts = CollateralParts {
        pck_crl_issuer_chain: chain(&mut reader)?,
        tcb_info_issuer_chain: chain(&mut reader)?,
        qe_identity_issuer_chain: chain(&mut reader)?,
        root_ca_crl: reader.field()?.to_vec(),
        pck_crl: reader.field()?.to_vec(),
        tcb_info: text(reader.field()?)?,
        tcb_info_signature: reader.take(SIGNATURE)?.to_vec(),
        qe_identity: text(reader.field()?)?,
        qe_identity_signature: reader.take(SIGNATURE)?.to_vec(),
        pck_certificate_chain: None,
    };
    reader.0.is_empty().then_some(parts)
}

fn write(parts: &CollateralParts) -> Option<Vec<u8>> {
    let mut certificates: Vec<Vec<u8>> = Vec::new();
    let mut chains = Vec::new();
    for text in [
        &parts.pck_crl_issuer_chain,
        &parts.tcb_info_issuer_chain,
        &parts.qe_identity_issuer_chain,
    ] {
        let chain = pem::read(text.as_bytes()).ok()?;
        chains.push(u8::try_from(chain.len()).ok()?);
        for certificate in chain {
            let known = certificates.iter().position(|known| *known == certificate);
            let place = known.unwrap_or(certificates.len());
            if known.is_none() {
                certificates.push(certificate);
            }
            chains.push(u8::try_from(place).ok()?);
        }
    }
    if certificates.len() > MAX_CERTIFICATES {
        return None;
    }
    let mut out = vec![INTEL_1, u8::try_from(certificates.len()).ok()?];
    for certificate in &certificates {
        put(&mut out, certificate)?;
    }
    out.extend(chains);
    put(&mut out, &parts.root_ca_crl)?;
    put(&mut out, &parts.pck_crl)?;
    put(&mut out, parts.tcb_info.as_bytes())?;
    out.extend(&parts.tcb_info_signature);
    put(&mut out, parts.qe_identity.as_bytes())?;
    out.extend(&parts.qe_identity_signature);
    Some(out)
}

/// Length in two bytes, big-endian, then the bytes.
fn put(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    out.extend(u16::try_from(bytes.len()).ok()?.to_be_bytes());
    out.extend(bytes);
    Some(())
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

struct Reader<'a>(&'a [u8]);

// === impl Reader ===

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn field(&mut self) -> Option<&'a [u8]> {
        let length = u16::from_be_bytes([self.byte()?, self.byte()?]);
        self.take(usize::from(length))
    }
}

#[cfg(test)]
mod tests;
