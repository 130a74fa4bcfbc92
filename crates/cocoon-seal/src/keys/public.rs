//! What a worker's statement carries of a sealing key (docs/sealing.md, section 2).

use bytes::Bytes;
use hpke::kem::XWing;
use hpke::{Deserializable, Kem};

use crate::codec::{Malformed, Reader, Write};
use crate::{Digest, digest, domain};

/// The only suite: HPKE base mode with X-Wing, HKDF-SHA256 and AES-256-GCM.
const SUITE: u16 = 1;

/// Bytes of an X-Wing public key.
const HPKE_KEY: usize = 1216;

/// A sealing key as others see it, with the key that signs for its worker.
///
/// It is worth what the statement is worth that carried its bytes: take it from an appraised statement only.
#[derive(Clone)]
pub struct SealingPublic {
    not_before: u64,
    not_after: u64,
    receipt_key: [u8; 32],
    pub(crate) hpke: <XWing as Kem>::PublicKey,
    bytes: Bytes,
    id: Digest,
}

impl SealingPublic {
    /// Seconds that a sealing key lives at most.
    pub const MAX_LIFE: u64 = 600;

    /// Bytes of the encoding.
    pub const BYTES: usize = domain::SEALING_KEY.bytes().len() + 2 + 8 + 8 + 32 + HPKE_KEY;

    pub(crate) fn encode(life: (u64, u64), receipt_key: &[u8; 32], hpke: &[u8]) -> Result<Self, Malformed> {
        let mut out = Vec::with_capacity(Self::BYTES);
        out.put(domain::SEALING_KEY.bytes());
        out.u16(SUITE);
        out.u64(life.0);
        out.u64(life.1);
        out.put(receipt_key);
        out.put(hpke);
        Self::decode(Bytes::from(out))
    }

    /// Takes the bytes that a statement carries apart.
    ///
    /// # Errors
    /// [`Malformed`] names the field; among them a life above [`Self::MAX_LIFE`].
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(&bytes);
        reader.domain(domain::SEALING_KEY, "sealing key")?;
        if reader.u16("suite")? != SUITE {
            return Err(Malformed("suite"));
        }
        let not_before = reader.u64("not before")?;
        let not_after = reader.u64("not after")?;
        let life = not_after.checked_sub(not_before);
        if !life.is_some_and(|life| (1..=Self::MAX_LIFE).contains(&life)) {
            return Err(Malformed("life of a sealing key"));
        }
        let receipt_key = reader.array("receipt key")?;
        let hpke = reader.take(HPKE_KEY, "public key")?;
        let hpke = Deserializable::from_bytes(hpke).map_err(|_| Malformed("public key"))?;
        reader.finish("sealing key: bytes left over")?;
        let id = digest::plain(&bytes);
        Ok(Self {
            not_before,
            not_after,
            receipt_key,
            hpke,
            bytes,
            id,
        })
    }

    /// The name of the key everywhere else.
    pub const fn id(&self) -> Digest {
        self.id
    }

    /// What the statement carries.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The Ed25519 key that signs refusals and receipts.
    pub const fn receipt_key(&self) -> &[u8; 32] {
        &self.receipt_key
    }

    /// First second of its life.
    pub const fn not_before(&self) -> u64 {
        self.not_before
    }

    /// First second after its life.
    pub const fn not_after(&self) -> u64 {
        self.not_after
    }

    /// Whether the key lives.
    pub const fn lives_at(&self, now: u64) -> bool {
        self.not_before <= now && now < self.not_after
    }
}

impl PartialEq for SealingPublic {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for SealingPublic {}

impl std::fmt::Debug for SealingPublic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "SealingPublic({}, {}..{})",
            self.id, self.not_before, self.not_after
        )
    }
}
