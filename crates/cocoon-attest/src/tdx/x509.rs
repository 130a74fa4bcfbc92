//! Certificates and revocation lists of Intel's PKI, taken apart: ECDSA P-256 with SHA-256 throughout.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

use crate::der::{self, NotDer, Reader};
use crate::time;

/// 1.2.840.10045.2.1 and 1.2.840.10045.3.1.7: a key on P-256.
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const PRIME256V1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// Something signed: a certificate or a revocation list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed<'a> {
    to_be_signed: &'a [u8],
    signature: &'a [u8],
    /// Name of who signed it.
    pub(super) issuer: &'a [u8],
    /// First second of validity.
    pub(super) from: u64,
    /// Last second of validity.
    pub(super) until: u64,
}

/// A certificate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Certificate<'a> {
    pub(super) signed: Signed<'a>,
    pub(super) serial: &'a [u8],
    pub(super) subject: &'a [u8],
    /// The point, 65 bytes.
    pub(super) key: &'a [u8],
}

/// A revocation list.
#[derive(Clone, Copy, Debug)]
pub(super) struct RevocationList<'a> {
    pub(super) signed: Signed<'a>,
    /// The entries, in DER.
    entries: &'a [u8],
}

// === impl Signed ===

impl Signed<'_> {
    pub(super) fn is_signed_by(&self, key: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key)
            .verify(self.to_be_signed, self.signature)
            .is_ok()
    }
}

// === impl Certificate ===

impl<'a> Certificate<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, NotDer> {
        let (whole, mut fields, signature) = outer(bytes)?;
        if let Some(version) = fields.optional(0xa0)? {
            der::only(version.content, der::INTEGER)?;
        }
        let serial = fields.expect(der::INTEGER)?;
        fields.expect(der::SEQUENCE)?;
        let issuer = fields.expect(der::SEQUENCE)?;
        let mut validity = Reader::new(fields.expect(der::SEQUENCE)?.content);
        let from = time::read(validity.element()?)?;
        let until = time::read(validity.element()?)?;
        validity.end()?;
        let subject = fields.expect(der::SEQUENCE)?;
        let key = key(&mut fields)?;
        Ok(Self {
            signed: Signed {
                to_be_signed: whole,
                signature,
                issuer: issuer.content,
                from,
                until,
            },
            serial: serial.content,
            subject: subject.content,
            key,
        })
    }
}

// === impl RevocationList ===

impl<'a> RevocationList<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, NotDer> {
        let (whole, mut fields, signature) = outer(bytes)?;
        fields.optional(der::INTEGER)?;
        fields.expect(der::SEQUENCE)?;
        let issuer = fields.expect(der::SEQUENCE)?;
        let from = time::read(fields.element()?)?;
        // Optional in X.509, but a list without an end would be good for ever.
        let next = time::read(fields.element()?)?;
        let entries = fields.optional(der::SEQUENCE)?;
        Ok(Self {
            signed: Signed {
                to_be_signed: whole,
                signature,
                issuer: issuer.content,
                from,
                // At the moment itself the next list is due.
                until: next.saturating_sub(1),
            },
            entries: entries.map_or(&[], |entries| entries.content),
        })
    }

    pub(super) fn lists(&self, serial: &[u8]) -> Result<bool, NotDer> {
        let mut entries = Reader::new(self.entries);
        let mut found = false;
        while !entries.is_empty() {
            let mut entry = Reader::new(entries.expect(der::SEQUENCE)?.content);
            found |= entry.expect(der::INTEGER)?.content == serial;
        }
        Ok(found)
    }
}

/// What is signed (with header, and as fields) and the signature.
fn outer(bytes: &[u8]) -> Result<(&[u8], Reader<'_>, &[u8]), NotDer> {
    let mut parts = Reader::new(der::only(bytes, der::SEQUENCE)?.content);
    let signed = parts.expect(der::SEQUENCE)?;
    parts.expect(der::SEQUENCE)?;
    let signature = der::whole_bits(parts.expect(der::BIT_STRING)?.content)?;
    parts.end()?;
    Ok((signed.whole, Reader::new(signed.content), signature))
}

fn key<'a>(fields: &mut Reader<'a>) -> Result<&'a [u8], NotDer> {
    let mut info = Reader::new(fields.expect(der::SEQUENCE)?.content);
    let mut algorithm = Reader::new(info.expect(der::SEQUENCE)?.content);
    let kind = algorithm.expect(der::OID)?.content;
    let curve = algorithm.expect(der::OID)?.content;
    let point = der::whole_bits(info.expect(der::BIT_STRING)?.content)?;
    if kind == EC_PUBLIC_KEY && curve == PRIME256V1 && point.len() == 65 {
        Ok(point)
    } else {
        Err(NotDer)
    }
}
