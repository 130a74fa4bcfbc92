//! Ed25519.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

/// A worker's receipt key, or a proxy's key.
pub struct SigningKey(Ed25519KeyPair, [u8; 32]);

impl SigningKey {
    /// The key with this seed, which the caller drew at random and erases; `None` never, in practice.
    pub fn from_seed(seed: &[u8; 32]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        let public = pair.public_key().as_ref().try_into().ok()?;
        Some(Self(pair, public))
    }

    /// What others verify with.
    pub const fn public(&self) -> &[u8; 32] {
        &self.1
    }

    /// A signature over bytes that begin with their own domain.
    pub(crate) fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        let signature = self.0.sign(bytes);
        // An Ed25519 signature has 64 bytes; all zeros, which verifies under no key, stands for what cannot be.
        signature.as_ref().try_into().unwrap_or([0; 64])
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(")?;
        self.1.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// Whether `signature` is by `key` over `bytes`.
pub(crate) fn verify(key: &[u8; 32], bytes: &[u8], signature: &[u8; 64]) -> bool {
    UnparsedPublicKey::new(&ED25519, key)
        .verify(bytes, signature)
        .is_ok()
}
