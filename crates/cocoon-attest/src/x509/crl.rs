use super::{CertificateFault, Scheme, Signed, X509, agreed_scheme, signed};
use crate::der::{self, NotDer, Reader};
use crate::time;

/// AMD's lists have under 2 KiB; the DER reader ends at 64 KiB.
const MAX_CRL_BYTES: usize = 60 * 1024;

/// A revocation list (RFC 5280 5.1) whose form is right. Nothing about it is verified.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crl<'a> {
    pub(crate) issuer: &'a [u8],
    pub(crate) next_update: u64,
    this_update: u64,
    /// Content of the list of revoked certificates.
    revoked: &'a [u8],
    to_be_signed: &'a [u8],
    scheme: Scheme,
    signature: &'a [u8],
}

// === impl Crl ===

impl<'a> Crl<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, CertificateFault> {
        const PART: &str = "revocation list";
        if bytes.len() > MAX_CRL_BYTES {
            return Err(CertificateFault::TooLarge);
        }
        let Signed {
            mut fields,
            to_be_signed,
            algorithm: outer,
            signature,
        } = signed(bytes, PART)?;
        let malformed = |NotDer| CertificateFault::Malformed(PART);
        // v2; a v1 list could carry no extension that narrows it, but the makers do not issue any.
        if fields.expect(der::INTEGER).map_err(malformed)?.content != [1] {
            return Err(CertificateFault::Version);
        }
        let inner = fields.expect(der::SEQUENCE).map_err(malformed)?;
        let scheme = agreed_scheme(inner, outer)?;
        let issuer = fields.expect(der::SEQUENCE).map_err(malformed)?.whole;
        let this_update = fields.element().and_then(time::read).map_err(malformed)?;
        // Optional in the standard; a list that never gets old is worth nothing.
        let next_update = fields.element().and_then(time::read).map_err(malformed)?;
        let revoked = fields.optional(der::SEQUENCE).map_err(malformed)?;
        let extensions = fields.optional(0xa0).map_err(malformed)?;
        fields.end().map_err(malformed)?;
        let list = Self {
            issuer,
            next_update,
            this_update,
            revoked: revoked.map_or(&[], |list| list.content),
            to_be_signed,
            scheme,
            signature,
        };
        if let Some(tagged) = extensions {
            let content = der::only(tagged.content, der::SEQUENCE)
                .map_err(malformed)?
                .content;
            refuse_critical(content)?;
        }
        Ok(list)
    }

    /// Whether the issuer made this list and it is of now.
    pub(crate) fn check(&self, issuer: &X509<'_>, now: u64) -> Result<(), CertificateFault> {
        if self.issuer != issuer.subject {
            return Err(CertificateFault::IssuerName);
        }
        issuer
            .key
            .verify(self.scheme, self.to_be_signed, self.signature)
            .map_err(|_| CertificateFault::Signature)?;
        let (not_before, not_after) = (self.this_update, self.next_update);
        if now < not_before {
            return Err(CertificateFault::NotYetValid { not_before });
        }
        if now > not_after {
            return Err(CertificateFault::Expired { not_after });
        }
        Ok(())
    }

    /// Refuses when a certificate of this issuer with this serial number is on it. Time is linear in the size of the list.
    pub(crate) fn check_serial(&self, serial: &[u8]) -> Result<(), CertificateFault> {
        let malformed = |NotDer| CertificateFault::Malformed("revocation list");
        let mut entries = Reader::new(self.revoked);
        let mut found = false;
        while !entries.is_empty() {
            let mut entry = Reader::new(entries.expect(der::SEQUENCE).map_err(malformed)?.content);
            found |= entry.expect(der::INTEGER).map_err(malformed)?.content == serial;
            entry.element().and_then(time::read).map_err(malformed)?;
            // An entry may say that it belongs to another issuer, in a critical extension.
            if let Some(extensions) = entry.optional(der::SEQUENCE).map_err(malformed)? {
                refuse_critical(extensions.content)?;
            }
            entry.end().map_err(malformed)?;
        }
        if found {
            Err(CertificateFault::Revoked)
        } else {
            Ok(())
        }
    }
}

/// A critical extension of a list narrows what it is about; none is read here.
fn refuse_critical(extensions: &[u8]) -> Result<(), CertificateFault> {
    let malformed = |NotDer| CertificateFault::Malformed("revocation list");
    let mut list = Reader::new(extensions);
    while !list.is_empty() {
        let mut fields = Reader::new(list.expect(der::SEQUENCE).map_err(malformed)?.content);
        fields.expect(der::OID).map_err(malformed)?;
        match fields.optional(der::BOOLEAN).map_err(malformed)? {
            Some(flag) if flag.content != [0] => return Err(CertificateFault::UnknownCriticalExtension),
            _ => {}
        }
        fields.expect(der::OCTET_STRING).map_err(malformed)?;
        fields.end().map_err(malformed)?;
    }
    Ok(())
}
