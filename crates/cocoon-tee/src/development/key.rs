use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

use super::DevelopmentError;

/// A key on P-256 that signs certificates (through rcgen) and, as two numbers of 32 bytes, texts and quotes.
pub(super) struct Key {
    pub(super) certificates: rcgen::KeyPair,
    raw: EcdsaKeyPair,
}

// === impl Key ===

impl Key {
    pub(super) fn generate() -> Result<Self, DevelopmentError> {
        Self::of(rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?)
    }

    /// The private key as it is kept.
    pub(super) fn saved(&self) -> Vec<u8> {
        self.certificates.serialized_der().to_vec()
    }

    /// Nothing, if these are not the bytes of a key.
    pub(super) fn from_saved(bytes: &[u8]) -> Option<Self> {
        let private =
            rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&bytes.into(), &rcgen::PKCS_ECDSA_P256_SHA256);
        Self::of(private.ok()?).ok()
    }

    fn of(certificates: rcgen::KeyPair) -> Result<Self, DevelopmentError> {
        let raw = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, certificates.serialized_der())
            .map_err(|_| DevelopmentError::Crypto)?;
        Ok(Self { certificates, raw })
    }

    /// The public point without its first byte, which says that it is not compressed.
    pub(super) fn point(&self) -> [u8; 64] {
        let point = self.raw.public_key().as_ref();
        point
            .get(1..)
            .and_then(|xy| xy.try_into().ok())
            .unwrap_or([0; 64])
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<[u8; 64], DevelopmentError> {
        let signature = self
            .raw
            .sign(&SystemRandom::new(), message)
            .map_err(|_| DevelopmentError::Crypto)?;
        signature
            .as_ref()
            .try_into()
            .map_err(|_| DevelopmentError::Crypto)
    }
}
