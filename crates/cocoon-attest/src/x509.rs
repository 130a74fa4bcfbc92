//! X.509 v3 certificates of the makers' chains (RFC 5280), as far as AMD and NVIDIA use it.
//!
//! Chains here are short and straight: every place in them is known beforehand, so there is no path building and a loop
//! has no place to stand. What is not read is refused: other signature schemes, other keys, unknown critical extensions.
//! The common parsers accept far more than these two makers send and would bring their dependencies along; the DER reader of
//! this crate is there anyway.

mod crl;
mod fault;
mod key;
mod pem;

pub(crate) use crl::Crl;
pub use fault::CertificateFault;
pub(crate) use key::{Key, Scheme};
#[cfg(test)]
pub(crate) use pem::{BEGIN, END, MAX_CERTIFICATE_BYTES};
pub(crate) use pem::{Between, certificates as pem_certificates, write as write_pem};

use crate::der::{self, Element, NotDer, Reader};
use crate::{oid, time};

/// AMD's certificates have up to 1.7 KiB, NVIDIA's 1 KiB.
pub(crate) const MAX_X509_BYTES: usize = 4096;

/// AMD's VCEK has eleven.
const MAX_EXTENSIONS: usize = 24;

/// A certificate whose form is right. Nothing about it is verified.
#[derive(Clone, Debug)]
pub(crate) struct X509<'a> {
    /// Content of the INTEGER.
    pub(crate) serial: &'a [u8],
    /// The whole Name.
    pub(crate) issuer: &'a [u8],
    pub(crate) subject: &'a [u8],
    pub(crate) not_after: u64,
    pub(crate) key: Key<'a>,
    not_before: u64,
    to_be_signed: &'a [u8],
    scheme: Scheme,
    signature: &'a [u8],
    extensions: Vec<Extension<'a>>,
}

/// What certificates and revocation lists have in common.
struct Signed<'a> {
    fields: Reader<'a>,
    to_be_signed: &'a [u8],
    algorithm: Element<'a>,
    signature: &'a [u8],
}

#[derive(Clone, Copy, Debug)]
struct Extension<'a> {
    name: &'a [u8],
    critical: bool,
    value: &'a [u8],
}

// === impl X509 ===

impl<'a> X509<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, CertificateFault> {
        if bytes.len() > MAX_X509_BYTES {
            return Err(CertificateFault::TooLarge);
        }
        let Signed {
            mut fields,
            to_be_signed,
            algorithm: outer,
            signature,
        } = signed(bytes, "certificate")?;
        let malformed = |part| move |NotDer| CertificateFault::Malformed(part);
        match fields
            .optional(0xa0)
            .map_err(malformed("version"))?
            .map(|version| version.content)
        {
            Some([der::INTEGER, 1, 2]) => {}
            _ => return Err(CertificateFault::Version),
        }
        let serial = fields.expect(der::INTEGER).map_err(malformed("serial number"))?;
        let inner = fields
            .expect(der::SEQUENCE)
            .map_err(malformed("signature algorithm"))?;
        let scheme = agreed_scheme(inner, outer)?;
        let issuer = fields.expect(der::SEQUENCE).map_err(malformed("issuer"))?;
        let (not_before, not_after) = validity(&mut fields).map_err(malformed("validity"))?;
        let subject = fields.expect(der::SEQUENCE).map_err(malformed("subject"))?;
        let key = fields.expect(der::SEQUENCE).map_err(malformed("public key"))?;
        let key = Key::read(key.content)?;
        let extensions = match fields.optional(0xa3).map_err(malformed("extensions"))? {
            Some(tagged) => Extension::list(tagged.content)?,
            None => Vec::new(),
        };
        fields.end().map_err(malformed("certificate"))?;
        Ok(Self {
            serial: serial.content,
            issuer: issuer.whole,
            subject: subject.whole,
            not_after,
            key,
            not_before,
            to_be_signed,
            scheme,
            signature,
            extensions,
        })
    }

    /// The value of an extension.
    pub(crate) fn extension(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.extensions
            .iter()
            .find(|extension| extension.name == name)
            .map(|extension| extension.value)
    }

    /// The common name of the subject, when there is one that is text.
    pub(crate) fn common_name(&self) -> Option<&'a str> {
        common_name(self.subject)
    }

    /// Whether `now` lies within its validity.
    pub(crate) const fn check_time(&self, now: u64) -> Result<(), CertificateFault> {
        let (not_before, not_after) = (self.not_before, self.not_after);
        if now < not_before {
            Err(CertificateFault::NotYetValid { not_before })
        } else if now > not_after {
            Err(CertificateFault::Expired { not_after })
        } else {
            Ok(())
        }
    }

    /// Whether it may issue certificates, with `below` further authorities under it.
    pub(crate) fn check_authority(&self, below: u64) -> Result<(), CertificateFault> {
        const KEY_CERT_SIGN: u8 = 0x04;
        self.check_critical()?;
        match self.basic_constraints()? {
            (false, _) => Err(CertificateFault::NotAnAuthority),
            (true, Some(most)) if most < below => Err(CertificateFault::PathLength),
            (true, _) => self.check_usage(KEY_CERT_SIGN),
        }
    }

    /// Whether it may sign evidence. A device's certificate is no authority.
    pub(crate) fn check_signer(&self) -> Result<(), CertificateFault> {
        const DIGITAL_SIGNATURE: u8 = 0x80;
        self.check_critical()?;
        if self.basic_constraints()?.0 {
            return Err(CertificateFault::IsAnAuthority);
        }
        self.check_usage(DIGITAL_SIGNATURE)
    }

    /// Whether the issuer names itself here and signed this.
    pub(crate) fn check_issued_by(&self, issuer: &Self) -> Result<(), CertificateFault> {
        if self.issuer != issuer.subject {
            return Err(CertificateFault::IssuerName);
        }
        issuer
            .key
            .verify(self.scheme, self.to_be_signed, self.signature)
            .map_err(|_| CertificateFault::Signature)
    }

    /// Whether it is an authority, and how many may stand under it.
    fn basic_constraints(&self) -> Result<(bool, Option<u64>), CertificateFault> {
        const MALFORMED: CertificateFault = CertificateFault::Malformed("basic constraints");
        let Some(value) = self.extension(oid::BASIC_CONSTRAINTS) else {
            return Ok((false, None));
        };
        let read = || {
            let mut fields = Reader::new(der::only(value, der::SEQUENCE)?.content);
            let authority = fields.optional(der::BOOLEAN)?.map(|flag| flag.content);
            let most = fields.optional(der::INTEGER)?.map(|most| most.content);
            fields.end()?;
            Ok((authority, most))
        };
        let (authority, most) = read().map_err(|NotDer| MALFORMED)?;
        let most = match most {
            Some(content) => Some(small_unsigned(content).ok_or(MALFORMED)?),
            None => None,
        };
        match authority {
            None | Some([0]) => Ok((false, most)),
            Some([0xff]) => Ok((true, most)),
            Some(_) => Err(MALFORMED),
        }
    }

    fn check_critical(&self) -> Result<(), CertificateFault> {
        let known = [oid::BASIC_CONSTRAINTS, oid::KEY_USAGE];
        let mut critical = self.extensions.iter().filter(|extension| extension.critical);
        if critical.all(|extension| known.contains(&extension.name)) {
            Ok(())
        } else {
            Err(CertificateFault::UnknownCriticalExtension)
        }
    }

    /// Absent key usage allows everything (RFC 5280 4.2.1.3); AMD's VCEK has none.
    fn check_usage(&self, bit: u8) -> Result<(), CertificateFault> {
        let Some(value) = self.extension(oid::KEY_USAGE) else {
            return Ok(());
        };
        let bits =
            der::only(value, der::BIT_STRING).map_err(|NotDer| CertificateFault::Malformed("key usage"))?;
        match bits.content {
            [0..=7, first, ..] if first & bit != 0 => Ok(()),
            _ => Err(CertificateFault::KeyUsage),
        }
    }
}

// === impl Extension ===

impl<'a> Extension<'a> {
    fn list(tagged: &'a [u8]) -> Result<Vec<Self>, CertificateFault> {
        let malformed = |NotDer| CertificateFault::Malformed("extensions");
        let mut list = Reader::new(der::only(tagged, der::SEQUENCE).map_err(malformed)?.content);
        let mut found: Vec<Self> = Vec::new();
        while !list.is_empty() {
            let next = Self::read(&mut list).map_err(malformed)?;
            // Two of a kind would let one reader see the first and another the second.
            if found.len() >= MAX_EXTENSIONS || found.iter().any(|other| other.name == next.name) {
                return Err(CertificateFault::Malformed("extensions"));
            }
            found.push(next);
        }
        Ok(found)
    }

    fn read(list: &mut Reader<'a>) -> Result<Self, NotDer> {
        let mut fields = Reader::new(list.expect(der::SEQUENCE)?.content);
        let name = fields.expect(der::OID)?.content;
        let critical = match fields.optional(der::BOOLEAN)?.map(|flag| flag.content) {
            None | Some([0]) => false,
            Some([0xff]) => true,
            Some(_) => return Err(NotDer),
        };
        let value = fields.expect(der::OCTET_STRING)?.content;
        fields.end()?;
        Ok(Self {
            name,
            critical,
            value,
        })
    }
}

/// The value of an INTEGER between 0 and 32767, in its shortest form.
pub(crate) fn small_unsigned(content: &[u8]) -> Option<u64> {
    match content {
        [low @ 0..=0x7f] => Some(u64::from(*low)),
        [0, low @ 0x80..=0xff] => Some(u64::from(*low)),
        [high @ 1..=0x7f, low] => Some(u64::from(u16::from_be_bytes([*high, *low]))),
        _ => None,
    }
}

/// Opens `SEQUENCE { to-be-signed SEQUENCE, algorithm SEQUENCE, signature BIT STRING }`.
fn signed<'a>(bytes: &'a [u8], part: &'static str) -> Result<Signed<'a>, CertificateFault> {
    let open = || {
        let mut outer = Reader::new(der::only(bytes, der::SEQUENCE)?.content);
        let first = outer.expect(der::SEQUENCE)?;
        let algorithm = outer.expect(der::SEQUENCE)?;
        let signature = der::whole_bits(outer.expect(der::BIT_STRING)?.content)?;
        outer.end()?;
        Ok(Signed {
            fields: Reader::new(first.content),
            to_be_signed: first.whole,
            algorithm,
            signature,
        })
    };
    open().map_err(|NotDer| CertificateFault::Malformed(part))
}

/// The algorithm inside the signed part must be the one outside (RFC 5280 4.1.1.2).
fn agreed_scheme(inner: Element<'_>, outer: Element<'_>) -> Result<Scheme, CertificateFault> {
    if inner.whole != outer.whole {
        return Err(CertificateFault::Algorithm);
    }
    Scheme::read(inner.content).ok_or(CertificateFault::Algorithm)
}

fn validity(fields: &mut Reader<'_>) -> Result<(u64, u64), NotDer> {
    let mut times = Reader::new(fields.expect(der::SEQUENCE)?.content);
    let bounds = (time::read(times.element()?)?, time::read(times.element()?)?);
    times.end()?;
    Ok(bounds)
}

fn common_name(name: &[u8]) -> Option<&str> {
    let mut sets = Reader::new(der::only(name, der::SEQUENCE).ok()?.content);
    while let Ok(set) = sets.expect(der::SET) {
        let mut pair = Reader::new(der::only(set.content, der::SEQUENCE).ok()?.content);
        if pair.expect(der::OID).ok()?.content == oid::COMMON_NAME {
            let value = pair.element().ok()?;
            return match value.tag {
                der::UTF8_STRING | der::PRINTABLE_STRING => std::str::from_utf8(value.content).ok(),
                _ => None,
            };
        }
    }
    None
}

#[cfg(test)]
mod tests;
