//! A receipt with all that a stranger needs to check it, in one file (docs/sealing.md 7.4).

use bytes::Bytes;

use super::Opening;
use crate::answer::open::Ended;
use crate::codec::{Malformed, Reader, Write};
use crate::content::salt_digest;
use crate::digest::hash;
use crate::{AnswerHead, Charge, Countersign, Digest, EncodedHead, OfferList, SealingPublic, domain};

/// One piece of evidence behind a statement, opaque here.
#[derive(Clone, PartialEq, Eq)]
pub struct EvidenceItem {
    /// What it is, as whoever made the statement names it.
    pub label: String,
    /// The bytes.
    pub bytes: Bytes,
}

/// The digest by which receipts name the set of evidence behind a statement.
pub fn evidence_digest(items: &[EvidenceItem]) -> Digest {
    let mut all = Vec::with_capacity(1 + 32 * items.len());
    all.u8(u8::try_from(items.len()).unwrap_or(u8::MAX));
    for item in items {
        all.put(&hash(domain::EVIDENCE_ITEM, &[&encode_item(item)]).0);
    }
    hash(domain::EVIDENCE_SET, &[&all])
}

/// What is exported of one exchange.
#[derive(Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The request's head.
    pub head: Bytes,
    /// The answer's head.
    pub answer_head: Bytes,
    /// The worker's receipt.
    pub receipt: Bytes,
    /// The worker's signature.
    pub countersign: Bytes,
    /// The sealing key, as the statement carries it.
    pub sealing_key: Bytes,
    /// The offer list.
    pub offers: Bytes,
    /// The worker's statement.
    pub statement: Bytes,
    /// What is behind it.
    pub evidence: Vec<EvidenceItem>,
    /// The proxy's charge and its signature.
    pub charge: Option<(Bytes, Bytes)>,
    /// Digests of the salts and salted hashes of the texts.
    pub commitments: Commitments,
    /// The salts: with them whoever has the texts can tell that they are the ones, and whoever guesses can test it.
    pub salts: Option<Salts>,
}

/// What the hashes of request and answer are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commitments {
    /// Digest of the request's salt.
    pub request_salt: Digest,
    /// Salted hash of the request's text.
    pub request_text: Digest,
    /// Digest of the answer's salt.
    pub answer_salt: Digest,
    /// Salted hash of the answer's text.
    pub answer_text: Digest,
}

/// The salts of request and answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salts {
    /// Of the request.
    pub request: [u8; 32],
    /// Of the answer.
    pub answer: [u8; 32],
}

/// Longest statement.
const MAX_STATEMENT: usize = 256 * 1024;

/// Largest piece of evidence: a GPU's certificates and measurements are some tens of KiB, collateral less than one MiB.
const MAX_ITEM: usize = 1024 * 1024;

/// Most pieces of evidence: eight accelerators with chain and report each, the CPU's, and collateral.
const MAX_ITEMS: usize = 32;

/// Longest receipt or charge.
const MAX_RECORD: usize = 1024;

/// Longest label.
const MAX_LABEL: usize = 64;

// === impl EvidenceItem ===

impl EvidenceItem {
    /// Label of the certificate of the worker's link, in DER.
    pub const CERTIFICATE: &str = "certificate";
    /// Label of the quote or report over the statement.
    pub const QUOTE: &str = "quote";
    /// Label of what the makers vouch for the quote.
    pub const ENDORSEMENTS: &str = "endorsements";
    /// Label of the accelerators' evidence, all of it.
    pub const GPU_EVIDENCE: &str = "gpu evidence";

    /// What stands behind a worker's statement, in the order of docs/sealing.md 7.4; what is empty is left out. Worker and
    /// client make the same set of the same bytes.
    pub fn of_worker(
        certificate: Bytes,
        quote: Bytes,
        endorsements: Bytes,
        gpu_evidence: Bytes,
    ) -> Vec<Self> {
        let all = [
            (Self::CERTIFICATE, certificate),
            (Self::QUOTE, quote),
            (Self::ENDORSEMENTS, endorsements),
            (Self::GPU_EVIDENCE, gpu_evidence),
        ];
        let present = all.into_iter().filter(|(_, bytes)| !bytes.is_empty());
        let item = |(label, bytes): (&str, Bytes)| Self {
            label: label.to_owned(),
            bytes,
        };
        present.map(item).collect()
    }
}

// === impl Bundle ===

impl Bundle {
    /// Most bytes of the file.
    pub const MAX_BYTES: usize = 8 * 1024 * 1024;

    /// The exchange's own part; evidence and charge are added by whoever has them.
    pub fn new(
        ended: &Ended,
        countersign: &Countersign,
        worker: &SealingPublic,
        offers: &OfferList,
        statement: Bytes,
        with_salts: bool,
    ) -> Self {
        let opening = &ended.opening;
        Self {
            head: opening.head.clone(),
            answer_head: opening.answer_head.clone(),
            receipt: ended.receipt.encode().into(),
            countersign: countersign.encode().into(),
            sealing_key: worker.bytes().clone(),
            offers: offers.bytes().clone(),
            statement,
            evidence: Vec::new(),
            charge: None,
            commitments: opening.into(),
            salts: with_salts.then_some(Salts {
                request: opening.request_salt,
                answer: opening.answer_salt,
            }),
        }
    }

    /// Adds the proxy's price.
    #[must_use]
    pub fn with_charge(mut self, charge: &Charge, countersign: &Countersign) -> Self {
        self.charge = Some((charge.encode().into(), countersign.encode().into()));
        self
    }

    /// The file.
    ///
    /// # Errors
    /// [`Malformed`] names the part that is too large for a reader.
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        let mut out = Vec::new();
        out.put(domain::BUNDLE.bytes());
        for part in [
            &self.head,
            &self.answer_head,
            &self.receipt,
            &self.countersign,
            &self.sealing_key,
            &self.offers,
            &self.statement,
        ] {
            out.b32(part);
        }
        out.u8(u8::try_from(self.evidence.len()).unwrap_or(u8::MAX));
        for item in &self.evidence {
            out.put(&encode_item(item));
        }
        out.u8(u8::from(self.charge.is_some()));
        if let Some((charge, countersign)) = &self.charge {
            out.b32(charge);
            out.b32(countersign);
        }
        let it = &self.commitments;
        for digest in [it.request_salt, it.request_text, it.answer_salt, it.answer_text] {
            out.put(&digest.0);
        }
        out.u8(u8::from(self.salts.is_some()));
        if let Some(salts) = &self.salts {
            out.put(&salts.request);
            out.put(&salts.answer);
        }
        let end = hash(domain::BUNDLE_END, &[&out]);
        out.put(&end.0);
        Self::decode(&Bytes::from(out.clone()))?;
        Ok(out)
    }

    /// Takes a file apart; it proves nothing yet.
    ///
    /// # Errors
    /// [`Malformed`] names the part; among them a file that is damaged.
    pub fn decode(bytes: &Bytes) -> Result<Self, Malformed> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(Malformed("bundle: too long"));
        }
        let (text, end) = bytes.split_last_chunk::<32>().ok_or(Malformed("bundle"))?;
        if hash(domain::BUNDLE_END, &[text]).0 != *end {
            return Err(Malformed("bundle: damaged"));
        }
        let mut reader = Reader::new(text);
        reader.domain(domain::BUNDLE, "bundle")?;
        let mut part = |limit, field| Ok(bytes.slice_ref(reader.b32(limit, field)?));
        let head = part(EncodedHead::MAX_BYTES, "request head")?;
        let answer_head = part(AnswerHead::MAX_BYTES, "answer head")?;
        let receipt = part(MAX_RECORD, "receipt")?;
        let countersign = part(Countersign::MAX_BYTES, "countersign")?;
        let sealing_key = part(SealingPublic::BYTES, "sealing key")?;
        let offers = part(OfferList::MAX_BYTES, "offer list")?;
        let statement = part(MAX_STATEMENT, "statement")?;
        let count = usize::from(reader.u8("evidence")?);
        if count > MAX_ITEMS {
            return Err(Malformed("evidence"));
        }
        let mut evidence = Vec::with_capacity(count);
        for _ in 0..count {
            evidence.push(EvidenceItem {
                label: reader.text16(MAX_LABEL, "evidence label")?.to_owned(),
                bytes: bytes.slice_ref(reader.b32(MAX_ITEM, "evidence")?),
            });
        }
        let charge = if reader.flag("charge")? {
            let charge = bytes.slice_ref(reader.b32(MAX_RECORD, "charge")?);
            let signed = bytes.slice_ref(reader.b32(Countersign::MAX_BYTES, "charge's countersign")?);
            Some((charge, signed))
        } else {
            None
        };
        let commitments = Commitments {
            request_salt: reader.digest("commitments")?,
            request_text: reader.digest("commitments")?,
            answer_salt: reader.digest("commitments")?,
            answer_text: reader.digest("commitments")?,
        };
        let salts = if reader.flag("salts")? {
            Some(Salts {
                request: reader.array("salts")?,
                answer: reader.array("salts")?,
            })
        } else {
            None
        };
        reader.finish("bundle: bytes left over")?;
        Ok(Self {
            head,
            answer_head,
            receipt,
            countersign,
            sealing_key,
            offers,
            statement,
            evidence,
            charge,
            commitments,
            salts,
        })
    }
}

fn encode_item(item: &EvidenceItem) -> Vec<u8> {
    let mut out = Vec::with_capacity(8 + item.label.len() + item.bytes.len());
    out.b16(item.label.as_bytes());
    out.b32(&item.bytes);
    out
}

impl From<&Opening> for Commitments {
    fn from(opening: &Opening) -> Self {
        Self {
            request_salt: salt_digest(&opening.request_salt),
            request_text: opening.request_text,
            answer_salt: salt_digest(&opening.answer_salt),
            answer_text: opening.answer_text,
        }
    }
}

impl std::fmt::Debug for EvidenceItem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} bytes)", self.label, self.bytes.len())
    }
}

impl std::fmt::Debug for Salts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[private]")
    }
}

impl std::fmt::Debug for Bundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bundle({:?})", self.evidence)
    }
}
