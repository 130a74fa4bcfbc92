//! Offers: which workers a proxy has for a model, the same list for every client (docs/sealing.md, section 6).

pub(crate) mod book;
pub(crate) mod draw;

use bytes::Bytes;
use cocoon_types::{Coefficient, ModelName, Tier};

use crate::codec::{Malformed, Reader, Write};
use crate::digest::hash;
use crate::head::{Head, read_tier, tier_code};
use crate::sign::{SigningKey, verify};
use crate::{Digest, domain};

/// One worker, as it is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its sealing key.
    pub key_id: Digest,
    /// Its statement, to be fetched once by this digest.
    pub statement: Digest,
    /// Weight in the draw.
    pub score: u32,
    /// Its price, in per mille of the base price.
    pub coefficient: Coefficient,
    /// The tier that the proxy found; the client appraises itself.
    pub tier: Tier,
}

/// A proxy's signed list for one model and epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferList {
    /// Who signed.
    pub proxy: [u8; 32],
    /// The model.
    pub model: ModelName,
    /// Length of this and every epoch.
    pub epoch_seconds: u16,
    /// Number of the epoch: it begins at this number times its length, in seconds since 1970.
    pub epoch: u64,
    /// In the order of their key ids.
    pub offers: Vec<Offer>,
    bytes: Bytes,
    digest: Digest,
}

/// Why a proxy does not take a request on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOffered {
    /// The head names another list.
    #[error("the request was not drawn from this offer list")]
    OtherList,
    /// A candidate that is not in the list.
    #[error("candidate {0} was not offered")]
    Candidate(usize),
    /// A candidate is dearer than the request's own limit.
    #[error("candidate {0} is dearer than the limit of the request")]
    Price(usize),
}

impl OfferList {
    /// Most entries.
    pub const MAX_OFFERS: usize = 512;

    /// Longest epoch, in seconds.
    pub const MAX_EPOCH_SECONDS: u16 = 300;

    /// Most bytes of the encoding.
    pub const MAX_BYTES: usize = 64 * 1024;

    /// Signs a list. The offers are brought into order.
    ///
    /// # Errors
    /// [`Malformed`] for what no reader would take: too many, one twice, no such epoch.
    pub fn sign(
        model: &ModelName,
        epoch_seconds: u16,
        epoch: u64,
        mut offers: Vec<Offer>,
        key: &SigningKey,
    ) -> Result<Self, Malformed> {
        offers.sort_unstable_by_key(|offer| offer.key_id);
        let mut out = Vec::with_capacity(256 + 73 * offers.len());
        out.put(domain::OFFER_LIST.bytes());
        out.put(key.public());
        out.b16(model.as_str().as_bytes());
        out.u16(epoch_seconds);
        out.u64(epoch);
        out.u16(u16::try_from(offers.len()).unwrap_or(u16::MAX));
        for offer in &offers {
            out.put(&offer.key_id.0);
            out.put(&offer.statement.0);
            out.u32(offer.score);
            out.u32(offer.coefficient.per_mille());
            out.u8(tier_code(offer.tier));
        }
        let signature = key.sign(&out);
        out.put(&signature);
        Self::decode(out.into())
    }

    /// Takes a list apart; it proves nothing yet. [`crate::OfferBook`] judges it.
    ///
    /// # Errors
    /// [`Malformed`] names the field.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(Malformed("offer list: too long"));
        }
        let (list, _) = bytes.split_last_chunk::<64>().ok_or(Malformed("signature"))?;
        let mut reader = Reader::new(list);
        reader.domain(domain::OFFER_LIST, "offer list")?;
        let proxy = reader.array("proxy")?;
        let model = reader.text16(ModelName::MAX_BYTES, "model")?;
        let model = ModelName::new(model).map_err(|_| Malformed("model"))?;
        let epoch_seconds = reader.u16("epoch length")?;
        if !(1..=Self::MAX_EPOCH_SECONDS).contains(&epoch_seconds) {
            return Err(Malformed("epoch length"));
        }
        let epoch = reader.u64("epoch")?;
        let count = usize::from(reader.u16("offers")?);
        if count > Self::MAX_OFFERS {
            return Err(Malformed("offers"));
        }
        let mut offers: Vec<Offer> = Vec::with_capacity(count);
        for _ in 0..count {
            let offer = read_offer(&mut reader)?;
            if offers.last().is_some_and(|last| last.key_id >= offer.key_id) {
                return Err(Malformed("offers: out of order, or one twice"));
            }
            offers.push(offer);
        }
        reader.finish("offer list: bytes left over")?;
        let digest = hash(domain::OFFER, &[list]);
        Ok(Self {
            proxy,
            model,
            epoch_seconds,
            epoch,
            offers,
            digest,
            bytes,
        })
    }

    /// Whether the signature is that of the proxy named in the list.
    pub fn is_signed(&self) -> bool {
        let signed = self.bytes.split_last_chunk::<64>();
        signed.is_some_and(|(list, signature)| verify(&self.proxy, list, signature))
    }

    /// What heads and receipts name the list by, and what two clients compare.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// What travels.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// First second of the epoch, and first second after it.
    pub fn life(&self) -> (u64, u64) {
        let length = u64::from(self.epoch_seconds);
        let from = self.epoch.saturating_mul(length);
        (from, from.saturating_add(length))
    }

    /// The number of the epoch that `now` is in.
    pub fn epoch_at(epoch_seconds: u16, now: u64) -> u64 {
        now / u64::from(epoch_seconds.max(1))
    }

    /// The offer of this sealing key.
    pub fn offer(&self, key_id: Digest) -> Option<&Offer> {
        let at = self.offers.binary_search_by_key(&key_id, |offer| offer.key_id);
        self.offers.get(at.ok()?)
    }

    /// Whether a request is for workers of this list, at their price: what a proxy checks before it takes one on.
    ///
    /// # Errors
    /// [`NotOffered`] says which candidate is not.
    pub fn admits(&self, head: &Head) -> Result<(), NotOffered> {
        if head.offer != self.digest || head.model != self.model {
            return Err(NotOffered::OtherList);
        }
        for (at, candidate) in head.candidates.iter().enumerate() {
            let offer = self.offer(*candidate).ok_or(NotOffered::Candidate(at))?;
            if offer.coefficient > head.max_coefficient {
                return Err(NotOffered::Price(at));
            }
        }
        Ok(())
    }
}

fn read_offer(reader: &mut Reader<'_>) -> Result<Offer, Malformed> {
    Ok(Offer {
        key_id: reader.digest("offer")?,
        statement: reader.digest("offer")?,
        score: reader.u32("score")?,
        coefficient: Coefficient::new(reader.u32("price")?).ok_or(Malformed("price"))?,
        tier: read_tier(reader)?,
    })
}
