use crate::der::{self, NotDer, Reader};
use crate::refusal::Refusal;
use crate::{oid, time};

mod extensions;

pub(crate) use extensions::Extensions;

/// Largest certificate that is read, in bytes: the largest quote and room for the rest; also what one TLS handshake message
/// of rustls may hold.
pub const MAX_CERTIFICATE_BYTES: usize = 0xffff;

/// Largest quote, in bytes (spec/network.md 3.7 step 7).
pub const MAX_QUOTE_BYTES: usize = 32_768;

/// Longest serial number, in bytes: RFC 5280 allows 20, and one for a sign that some makers forget to count.
const MAX_SERIAL_BYTES: usize = 21;

/// A certificate taken apart; nothing about it is checked beyond its form.
#[derive(Debug)]
pub(crate) struct Certificate<'a> {
    /// What is signed, with its header.
    pub(crate) to_be_signed: &'a [u8],
    pub(crate) issuer: &'a [u8],
    pub(crate) subject: &'a [u8],
    pub(crate) not_before: u64,
    pub(crate) not_after: u64,
    /// The key, if it is an Ed25519 one.
    pub(crate) key: Option<[u8; 32]>,
    pub(crate) extensions: Extensions<'a>,
    pub(crate) signed_with_ed25519: bool,
    pub(crate) signature: &'a [u8],
}

// === impl Certificate ===

impl<'a> Certificate<'a> {
    /// Takes a certificate apart.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Refusal> {
        if bytes.len() > MAX_CERTIFICATE_BYTES {
            return Err(Refusal::CertificateTooLarge);
        }
        let outer = der::only(bytes, der::SEQUENCE).map_err(part("outer sequence"))?;
        let mut outer = Reader::new(outer.content);
        let signed = outer.expect(der::SEQUENCE).map_err(part("signed part"))?;
        let algorithm = outer.expect(der::SEQUENCE).map_err(part("signature algorithm"))?;
        let signature = outer.expect(der::BIT_STRING).map_err(part("signature"))?;
        outer.end().map_err(part("end"))?;
        let signature = der::whole_bits(signature.content).map_err(part("signature"))?;

        let mut reader = Reader::new(signed.content);
        version(&mut reader)?;
        let serial = reader.expect(der::INTEGER).map_err(part("serial number"))?;
        if serial.content.is_empty() || serial.content.len() > MAX_SERIAL_BYTES {
            return Err(Refusal::Malformed("serial number"));
        }
        let inner_algorithm = reader
            .expect(der::SEQUENCE)
            .map_err(part("signature algorithm"))?;
        if inner_algorithm.whole != algorithm.whole {
            return Err(Refusal::Malformed("the two signature algorithms differ"));
        }
        let issuer = reader.expect(der::SEQUENCE).map_err(part("issuer"))?;
        let (not_before, not_after) = validity(&mut reader).map_err(part("validity"))?;
        let subject = reader.expect(der::SEQUENCE).map_err(part("subject"))?;
        let key = public_key(&mut reader).map_err(part("public key"))?;
        let extensions = Extensions::read(&mut reader)?;
        reader.end().map_err(part("end of signed part"))?;

        Ok(Self {
            to_be_signed: signed.whole,
            issuer: issuer.content,
            subject: subject.content,
            not_before,
            not_after,
            key,
            extensions,
            signed_with_ed25519: is_ed25519(algorithm.content).map_err(part("signature algorithm"))?,
            signature,
        })
    }

    /// The common names of the subject.
    pub(crate) fn has_common_name(&self, wanted: &[u8]) -> Result<bool, Refusal> {
        has_common_name(self.subject, wanted).map_err(part("subject"))
    }
}

/// For `map_err`: the part of the certificate that is not DER.
pub(super) fn part(name: &'static str) -> impl Fn(NotDer) -> Refusal {
    move |NotDer| Refusal::Malformed(name)
}

/// Explicit tag 0 around an integer; absent means v1.
///
/// v1 with extensions is against X.509 and is what the original makes with OpenSSL 3.0 (spec/network.md 3.2).
fn version(reader: &mut Reader<'_>) -> Result<(), Refusal> {
    let Some(tagged) = reader.optional(0xa0).map_err(part("version"))? else {
        return Ok(());
    };
    let number = der::only(tagged.content, der::INTEGER).map_err(part("version"))?;
    match number.content {
        [0 | 2] => Ok(()),
        _ => Err(Refusal::Version),
    }
}

fn validity(reader: &mut Reader<'_>) -> Result<(u64, u64), NotDer> {
    let mut times = Reader::new(reader.expect(der::SEQUENCE)?.content);
    let not_before = time::read(times.element()?)?;
    let not_after = time::read(times.element()?)?;
    times.end()?;
    Ok((not_before, not_after))
}

/// The key if it is Ed25519 of 32 bytes; `None` for every other well-formed key.
fn public_key(reader: &mut Reader<'_>) -> Result<Option<[u8; 32]>, NotDer> {
    let mut spki = Reader::new(reader.expect(der::SEQUENCE)?.content);
    let algorithm = spki.expect(der::SEQUENCE)?;
    let bits = der::whole_bits(spki.expect(der::BIT_STRING)?.content)?;
    spki.end()?;
    Ok(if is_ed25519(algorithm.content)? {
        bits.try_into().ok()
    } else {
        None
    })
}

/// Whether an algorithm identifier is Ed25519, which has no parameters (RFC 8410 section 3).
fn is_ed25519(algorithm: &[u8]) -> Result<bool, NotDer> {
    let mut reader = Reader::new(algorithm);
    let name = reader.expect(der::OID)?;
    Ok(name.content == oid::ED25519 && reader.is_empty())
}

fn has_common_name(subject: &[u8], wanted: &[u8]) -> Result<bool, NotDer> {
    let mut names = Reader::new(subject);
    while !names.is_empty() {
        let mut set = Reader::new(names.expect(der::SET)?.content);
        while !set.is_empty() {
            let mut pair = Reader::new(set.expect(der::SEQUENCE)?.content);
            let name = pair.expect(der::OID)?;
            let value = pair.element()?;
            pair.end()?;
            if name.content == oid::COMMON_NAME && value.content == wanted {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
