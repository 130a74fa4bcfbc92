use std::net::Ipv6Addr;
use std::ops::RangeInclusive;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::{der, oid, time};

/// A certificate before it is signed: what a node presents (spec/network.md 3.2), and with changed fields what a hostile
/// peer presents in a test.
///
/// It holds no secret. Sign [`Draft::to_be_signed`] with the private key of `public_key` and give the signature to
/// [`Draft::finish`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// X.509 v3, or v1 as the original makes it with OpenSSL 3.0.
    pub is_v3: bool,
    /// Serial number, big-endian and positive.
    pub serial: [u8; 16],
    /// Attributes of issuer, as pairs of object identifier (content bytes) and text.
    pub issuer: Vec<(&'static [u8], String)>,
    /// Attributes of subject.
    pub subject: Vec<(&'static [u8], String)>,
    /// First second of validity, Unix time.
    pub not_before: u64,
    /// Last second of validity, Unix time.
    pub not_after: u64,
    /// The key, as a SubjectPublicKeyInfo.
    pub public_key_info: Vec<u8>,
    /// The extensions, in order.
    pub extensions: Vec<Extension>,
}

/// One extension of a [`Draft`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Content bytes of the object identifier.
    pub oid: &'static [u8],
    /// Whether a verifier that does not know it must refuse.
    pub critical: bool,
    /// Content of the octet string.
    pub value: Vec<u8>,
}

/// Subject and issuer of every node, as the original has them (the locality is empty and left out).
const SUBJECT: [(&[u8], &str); 5] = [
    (oid::COUNTRY, "AE"),
    (oid::STATE, "DUBAI"),
    (oid::ORGANIZATION, "TDLib Development"),
    (oid::ORGANIZATIONAL_UNIT, "Security"),
    (oid::COMMON_NAME, "localhost"),
];

/// The draft does not fit the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a part of the certificate is 64 KiB or longer, or a date is after the year 9999")]
pub struct DraftError;

// === impl Draft ===

impl Draft {
    /// The certificate of spec/network.md 3.2 for this key, with the quote (and the claims) if there is evidence.
    ///
    /// `serial` is random; its first two bits are overwritten, so that it is positive and of full length.
    ///
    /// # Errors
    /// The quote is 64 KiB or longer.
    pub fn new(
        public_key: &[u8; 32],
        quote: Option<&[u8]>,
        serial: [u8; 16],
        validity: RangeInclusive<u64>,
    ) -> Result<Self, DraftError> {
        let name: Vec<_> = SUBJECT
            .iter()
            .map(|&(oid, text)| (oid, text.to_owned()))
            .collect();
        let mut extensions = Vec::new();
        if let Some(quote) = quote {
            extensions.push(Extension::critical(oid::OID_QUOTE, quote.to_vec()));
            extensions.push(Extension::critical(oid::OID_CLAIMS, public_key.to_vec()));
        }
        extensions.extend(standard_extensions(public_key).ok_or(DraftError)?);
        Ok(Self {
            is_v3: true,
            serial,
            issuer: name.clone(),
            subject: name,
            not_before: *validity.start(),
            not_after: *validity.end(),
            public_key_info: public_key_info(public_key),
            extensions,
        })
    }

    /// The same with the maker's collateral for the quote beside it, in its compact form.
    #[must_use]
    pub fn with_collateral(mut self, compact: Vec<u8>) -> Self {
        let after_claims = self.extensions.len().min(2);
        self.extensions
            .insert(after_claims, Extension::optional(oid::OID_COLLATERAL, compact));
        self
    }

    /// The bytes that the signature covers.
    ///
    /// # Errors
    /// A part is too long, or a date is after the year 9999.
    pub fn to_be_signed(&self) -> Result<Vec<u8>, DraftError> {
        self.encode().ok_or(DraftError)
    }

    /// The certificate: the signed bytes, the algorithm, the Ed25519 signature over them.
    ///
    /// # Errors
    /// The signed bytes are too long.
    pub fn finish(to_be_signed: &[u8], signature: &[u8]) -> Result<Vec<u8>, DraftError> {
        let bits = der::write(der::BIT_STRING, &[&[0], signature]).ok_or(DraftError)?;
        der::write(der::SEQUENCE, &[to_be_signed, &algorithm(), &bits]).ok_or(DraftError)
    }

    fn encode(&self) -> Option<Vec<u8>> {
        let version = if self.is_v3 {
            der::write(0xa0, &[&[der::INTEGER, 1, 2]])?
        } else {
            Vec::new()
        };
        let [first, serial @ ..] = self.serial;
        let serial = der::write(der::INTEGER, &[&[(first & 0x7f) | 0x40], &serial])?;
        let validity = der::write(
            der::SEQUENCE,
            &[&time::write(self.not_before)?, &time::write(self.not_after)?],
        )?;
        let mut list = Vec::new();
        for extension in &self.extensions {
            list.extend(extension.encode()?);
        }
        let extensions = if list.is_empty() {
            list
        } else {
            der::write(0xa3, &[&der::write(der::SEQUENCE, &[&list])?])?
        };
        der::write(
            der::SEQUENCE,
            &[
                &version,
                &serial,
                &algorithm(),
                &name(&self.issuer)?,
                &validity,
                &name(&self.subject)?,
                &self.public_key_info,
                &extensions,
            ],
        )
    }
}

// === impl Extension ===

impl Extension {
    /// An extension that a verifier must know.
    pub const fn critical(oid: &'static [u8], value: Vec<u8>) -> Self {
        Self {
            oid,
            critical: true,
            value,
        }
    }

    /// An extension that a verifier may pass over.
    pub const fn optional(oid: &'static [u8], value: Vec<u8>) -> Self {
        Self {
            oid,
            critical: false,
            value,
        }
    }

    fn encode(&self) -> Option<Vec<u8>> {
        let name = der::write(der::OID, &[self.oid])?;
        let flag: &[u8] = if self.critical {
            &[der::BOOLEAN, 1, 0xff]
        } else {
            &[]
        };
        let value = der::write(der::OCTET_STRING, &[&self.value])?;
        der::write(der::SEQUENCE, &[&name, flag, &value])
    }
}

/// The SubjectPublicKeyInfo of an Ed25519 key (RFC 8410 section 4): a fixed head, then the key.
pub fn public_key_info(public_key: &[u8; 32]) -> Vec<u8> {
    const HEAD: [u8; 12] = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    [&HEAD[..], public_key].concat()
}

/// The algorithm identifier of Ed25519.
fn algorithm() -> [u8; 7] {
    [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70]
}

fn name(attributes: &[(&'static [u8], String)]) -> Option<Vec<u8>> {
    let mut sets = Vec::new();
    for (oid, text) in attributes {
        // A country is a PrintableString by its definition; everything else is UTF-8.
        let tag = if *oid == oid::COUNTRY {
            der::PRINTABLE_STRING
        } else {
            der::UTF8_STRING
        };
        let pair = [
            der::write(der::OID, &[oid])?,
            der::write(tag, &[text.as_bytes()])?,
        ]
        .concat();
        sets.extend(der::write(der::SET, &[&der::write(der::SEQUENCE, &[&pair])?])?);
    }
    der::write(der::SEQUENCE, &[&sets])
}

/// The standard extensions, in the original's order.
fn standard_extensions(public_key: &[u8; 32]) -> Option<Vec<Extension>> {
    // cA defaults to false, and DER leaves defaults out.
    let basic_constraints = der::write(der::SEQUENCE, &[])?;
    // Seven unused bits, then digitalSignature.
    let key_usage = der::write(der::BIT_STRING, &[&[7, 0x80]])?;
    let purposes = der::write(
        der::SEQUENCE,
        &[
            &der::write(der::OID, &[oid::SERVER_AUTH])?,
            &der::write(der::OID, &[oid::CLIENT_AUTH])?,
        ],
    )?;
    // An identifier, not a protection: X.509 names SHA-1 here (RFC 5280 4.2.1.2).
    let key_id = digest(&SHA1_FOR_LEGACY_USE_ONLY, public_key);
    let key_id = der::write(der::OCTET_STRING, &[key_id.as_ref()])?;
    let names = der::write(
        der::SEQUENCE,
        &[
            &der::write(0x82, &[b"localhost"])?,
            &der::write(0x82, &[b"127.0.0.1"])?,
            &der::write(0x87, &[&Ipv6Addr::LOCALHOST.octets()])?,
        ],
    )?;
    Some(vec![
        Extension::critical(oid::BASIC_CONSTRAINTS, basic_constraints),
        Extension::critical(oid::KEY_USAGE, key_usage),
        Extension::critical(oid::EXTENDED_KEY_USAGE, purposes),
        Extension::optional(oid::SUBJECT_KEY_ID, key_id),
        Extension::optional(oid::SUBJECT_ALT_NAME, names),
    ])
}

#[cfg(test)]
mod tests;
