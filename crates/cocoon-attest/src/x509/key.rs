use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_FIXED, RSA_PSS_2048_8192_SHA384, UnparsedPublicKey,
};

use super::CertificateFault;
use crate::der::{self, Reader};

/// ecdsa-with-SHA384 (RFC 5758), no parameters.
const ECDSA_SHA384: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];

/// RSASSA-PSS (RFC 4055) with SHA-384, MGF1 with SHA-384 and 48 bytes of salt. AMD's older certificates spell the default
/// trailer out, the newer ones leave it away as DER demands.
const PSS_SHA384: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x30\x34\xa0\x0f\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\
\xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\xa2\x03\x02\x01\x30";
const PSS_SHA384_TRAILER: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x30\x39\xa0\x0f\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\
\xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\xa2\x03\x02\x01\x30\xa3\x03\x02\x01\x01";

/// rsaEncryption (RFC 3279), NULL parameters.
const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
/// id-ecPublicKey on secp384r1 (RFC 5480).
const EC_P384: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";

/// How something is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    RsaPssSha384,
    EcdsaSha384,
}

/// A key of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key<'a> {
    /// PKCS#1 RSAPublicKey with a modulus of 4096 bits.
    Rsa4096(&'a [u8]),
    /// Uncompressed point, 97 bytes.
    P384(&'a [u8]),
}

/// The signature does not fit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WrongSignature;

// === impl Scheme ===

impl Scheme {
    /// From the content of an AlgorithmIdentifier, which must be byte for byte one of the makers'.
    pub(super) fn read(content: &[u8]) -> Option<Self> {
        if content == ECDSA_SHA384 {
            Some(Self::EcdsaSha384)
        } else if content == PSS_SHA384 || content == PSS_SHA384_TRAILER {
            Some(Self::RsaPssSha384)
        } else {
            None
        }
    }
}

// === impl Key ===

impl<'a> Key<'a> {
    /// From the content of a SubjectPublicKeyInfo.
    pub(super) fn read(content: &'a [u8]) -> Result<Self, CertificateFault> {
        let open = || {
            let mut fields = Reader::new(content);
            let algorithm = fields.expect(der::SEQUENCE)?;
            let bits = der::whole_bits(fields.expect(der::BIT_STRING)?.content)?;
            fields.end()?;
            Ok((algorithm.content, bits))
        };
        let (algorithm, bits) = open().map_err(|der::NotDer| CertificateFault::Malformed("public key"))?;
        if algorithm == RSA && is_4096_bits(bits) {
            Ok(Self::Rsa4096(bits))
        } else if algorithm == EC_P384 && matches!(bits, [0x04, point @ ..] if point.len() == 96) {
            Ok(Self::P384(bits))
        } else {
            Err(CertificateFault::Key)
        }
    }

    /// A signature in a certificate or revocation list.
    pub(super) fn verify(
        &self,
        scheme: Scheme,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), WrongSignature> {
        match (self, scheme) {
            (Self::Rsa4096(key), Scheme::RsaPssSha384) => {
                UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA384, key).verify(message, signature)
            }
            (Self::P384(key), Scheme::EcdsaSha384) => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_ASN1, key).verify(message, signature)
            }
            _ => return Err(WrongSignature),
        }
        .map_err(|_| WrongSignature)
    }

    /// An ECDSA P-384 signature over evidence: r and s, 48 bytes each, big-endian.
    pub(crate) fn verify_fixed(&self, message: &[u8], r_and_s: &[u8]) -> Result<(), WrongSignature> {
        let Self::P384(key) = self else {
            return Err(WrongSignature);
        };
        UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, key)
            .verify(message, r_and_s)
            .map_err(|_| WrongSignature)
    }
}

/// Whether a PKCS#1 key has a modulus of exactly 4096 bits: 512 bytes with the top bit set, behind a zero.
fn is_4096_bits(pkcs1: &[u8]) -> bool {
    let modulus = || {
        let mut fields = Reader::new(der::only(pkcs1, der::SEQUENCE).ok()?.content);
        Some(fields.expect(der::INTEGER).ok()?.content)
    };
    matches!(modulus(), Some([0, bytes @ ..]) if bytes.len() == 512)
}
