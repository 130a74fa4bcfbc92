//! AES-256-GCM with a counter, and HKDF under a domain.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use zeroize::Zeroizing;

use crate::domain::Domain;

/// Bytes of the tag after each ciphertext.
pub(crate) const TAG: usize = 16;

/// Bytes of key and nonce base.
pub(crate) const MATERIAL: usize = 32 + NONCE_LEN;

/// No domain is longer; holds the associated data on the stack.
pub(crate) const MAX_DOMAIN: usize = 40;

/// A cryptographic operation failed that cannot fail with the sizes that this crate uses; or, in opening, the bytes are
/// not what was sealed with this key at this position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not authentic")]
pub(crate) struct Failed;

/// A key and its nonces: position `n` is sealed at most once.
pub(crate) struct Cipher {
    key: LessSafeKey,
    iv: [u8; NONCE_LEN],
}

impl Cipher {
    pub(crate) fn new(material: &[u8; MATERIAL]) -> Result<Self, Failed> {
        let (key, iv) = material.split_first_chunk::<32>().ok_or(Failed)?;
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| Failed)?;
        Ok(Self {
            key: LessSafeKey::new(key),
            iv: iv.try_into().map_err(|_| Failed)?,
        })
    }

    /// Encrypts in place; gives the tag.
    pub(crate) fn seal(&self, n: u64, aad: &[u8], text: &mut [u8]) -> Result<[u8; TAG], Failed> {
        let sealed = self
            .key
            .seal_in_place_separate_tag(self.nonce(n), Aad::from(aad), text);
        sealed
            .map_err(|_| Failed)?
            .as_ref()
            .try_into()
            .map_err(|_| Failed)
    }

    /// Decrypts ciphertext and tag in place; gives the text.
    pub(crate) fn open<'a>(&self, n: u64, aad: &[u8], sealed: &'a mut [u8]) -> Result<&'a mut [u8], Failed> {
        let opened = self.key.open_in_place(self.nonce(n), Aad::from(aad), sealed);
        opened.map_err(|_| Failed)
    }

    fn nonce(&self, n: u64) -> Nonce {
        let mut nonce = self.iv;
        for (byte, count) in nonce.iter_mut().skip(NONCE_LEN - 8).zip(n.to_be_bytes()) {
            *byte ^= count;
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

/// Associated data of a piece or part: its domain, position and kind.
pub(crate) struct Position {
    bytes: [u8; MAX_DOMAIN + 9],
    length: usize,
}

impl Position {
    pub(crate) fn new(domain: Domain, n: u64, kind: u8) -> Self {
        let mut bytes = [0; MAX_DOMAIN + 9];
        let text = domain.bytes().iter().copied();
        let all = text.chain(n.to_be_bytes()).chain([kind]);
        for (to, from) in bytes.iter_mut().zip(all) {
            *to = from;
        }
        let length = domain.bytes().len() + 9;
        Self { bytes, length }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }
}

/// `extract(domain, secret)`.
pub(crate) fn extract(domain: Domain, secret: &[u8]) -> Prk {
    Salt::new(HKDF_SHA256, domain.bytes()).extract(secret)
}

/// `expand(prk, domain, info..., N)`.
pub(crate) fn expand<const N: usize>(
    prk: &Prk,
    domain: Domain,
    info: &[&[u8]],
) -> Result<Zeroizing<[u8; N]>, Failed> {
    let mut out = Zeroizing::new([0; N]);
    let mut parts: [&[u8]; 6] = [&[]; 6];
    for (to, from) in parts.iter_mut().zip([domain.bytes()].iter().chain(info)) {
        *to = from;
    }
    if info.len() >= parts.len() {
        return Err(Failed);
    }
    let okm = prk.expand(&parts, Length(N)).map_err(|_| Failed)?;
    okm.fill(&mut *out).map_err(|_| Failed)?;
    Ok(out)
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}
