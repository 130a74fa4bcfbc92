//! Checks a bundle offline, without trust in whoever made the file.

mod hardware;

use bytes::Bytes;
use cocoon_types::Tier;

use super::bundle::{Bundle, EvidenceItem};
use super::report::{Report, Standing, Subject};
use super::{Accelerators, EnginePlace, Outcome, Receipt};
use crate::codec::Malformed;
use crate::content;
use crate::{AnswerHead, Charge, Countersign, Digest, EncodedHead, OfferList, Role, SealingPublic};

/// Judges a statement and its evidence; `cocoon-attest` is behind it.
pub trait Appraiser {
    /// What the statement says, if the evidence holds it up at this time (seconds since 1970).
    ///
    /// # Errors
    /// One sentence: why not.
    fn appraise(&self, statement: &[u8], evidence: &[EvidenceItem], at: u64) -> Result<Appraised, String>;
}

/// What an appraised statement says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appraised {
    /// The bytes of the sealing key.
    pub sealing_key: Bytes,
    /// The tier that the evidence is worth.
    pub tier: Tier,
    /// The weights.
    pub model: Digest,
    /// The engine.
    pub engine: Digest,
    /// Whether the engine is part of what was measured.
    pub engine_place: EnginePlace,
    /// What computes.
    pub accelerators: Accelerators,
    /// Whose word it comes down to, as in "Intel's root, image 1234".
    pub vouched_by: String,
    /// What is still to be believed, as in "image 1234, which nobody here said is allowed": genuine hardware runs it, and what
    /// follows from that for tier, weights and usage is claimed and not proven.
    pub unjudged: Option<String>,
}

/// What the one who checks has beside the file.
#[derive(Clone, Copy, Default)]
pub struct Checks<'a> {
    /// The proxy's key, from a source that is trusted for it.
    pub proxy: Option<[u8; 32]>,
    /// Judges the evidence.
    pub appraiser: Option<&'a dyn Appraiser>,
    /// The request's body.
    pub request: Option<&'a [u8]>,
    /// The answer's text: the content of all parts.
    pub answer: Option<&'a [u8]>,
}

/// Seconds that an answer may take, and a signature may wait for its batch.
const LONGEST_ANSWER: u64 = 6 * 3600;

/// The parts of a bundle, each of its format.
struct Parts {
    bundle: Bundle,
    head: EncodedHead,
    answer_head: AnswerHead,
    receipt: Receipt,
    countersign: Countersign,
    worker: SealingPublic,
    offers: OfferList,
    charge: Option<(Charge, Countersign)>,
}

/// Checks a bundle. Never fails as such: what does not hold is a finding.
pub fn verify_bundle(file: &Bytes, checks: &Checks<'_>) -> Report {
    let mut report = Report {
        findings: Vec::new(),
        receipt: None,
    };
    let parts = match Parts::read(file) {
        Ok(parts) => parts,
        Err(error) => {
            report.add(Subject::File, Standing::failed(error.to_string()));
            return report;
        }
    };
    report.receipt = Some(parts.receipt.clone());
    report.add(
        Subject::File,
        Standing::proven("its own digest (damage only, not origin)"),
    );
    let mut add = |subject, found: Result<Standing, &'static str>| {
        report.add(subject, found.unwrap_or_else(Standing::failed));
    };
    add(Subject::Exchange, parts.exchange());
    add(Subject::WorkerSignature, parts.worker_signature());
    add(Subject::Offer, parts.offer(checks));
    add(Subject::Time, parts.time());
    add(Subject::Price, parts.price(checks));
    add(Subject::Request, parts.request(checks));
    add(Subject::Answer, parts.answer(checks));
    parts.hardware(checks, &mut report);
    report
}

impl Parts {
    fn read(file: &Bytes) -> Result<Self, Malformed> {
        let bundle = Bundle::decode(file)?;
        let charge = match &bundle.charge {
            Some((charge, countersign)) => Some((Charge::decode(charge)?, Countersign::decode(countersign)?)),
            None => None,
        };
        Ok(Self {
            head: EncodedHead::decode(bundle.head.clone())?,
            answer_head: AnswerHead::decode(&bundle.answer_head)?,
            receipt: Receipt::decode(&bundle.receipt)?,
            countersign: Countersign::decode(&bundle.countersign)?,
            worker: SealingPublic::decode(bundle.sealing_key.clone())?,
            offers: OfferList::decode(bundle.offers.clone())?,
            charge,
            bundle,
        })
    }

    fn exchange(&self) -> Result<Standing, &'static str> {
        let (receipt, head, said) = (&self.receipt, self.head.head(), &self.answer_head);
        let it = &self.bundle.commitments;
        let request_hash = content::request_hash(self.head.hash(), it.request_salt, it.request_text);
        let answer_hash = content::answer_hash(
            request_hash,
            &self.bundle.answer_head,
            it.answer_salt,
            it.answer_text,
        );
        let usage = &receipt.closing.usage;
        hold(&[
            (
                receipt.request_id == head.request_id,
                "the receipt is of another request id",
            ),
            (
                receipt.request_hash == request_hash,
                "the receipt is of another request",
            ),
            (
                receipt.answer_hash == answer_hash,
                "the receipt is of another answer",
            ),
            (
                said.request_hash == request_hash,
                "the answer's head is of another request",
            ),
            (
                receipt.key_id == self.worker.id(),
                "the receipt is of another sealing key",
            ),
            (
                said.key_id == self.worker.id(),
                "the answer's head is of another sealing key",
            ),
            (
                head.candidates.contains(&receipt.key_id),
                "the worker was no candidate",
            ),
            (said.tier == receipt.tier, "the answer's head names another tier"),
            (
                head.tier.accepts(receipt.tier),
                "the request does not accept the tier",
            ),
            (
                said.coefficient == receipt.coefficient,
                "the answer's head names another price",
            ),
            (
                receipt.coefficient <= head.max_coefficient,
                "the price is above the request's limit",
            ),
            (
                usage.completion() <= u64::from(head.max_tokens),
                "more tokens than the request allows",
            ),
        ])?;
        Ok(match receipt.closing.outcome {
            Outcome::Complete => Standing::proven("hashes: heads, receipt and limits fit"),
            Outcome::Cancelled => {
                Standing::proven("hashes: heads, receipt and limits fit; cancelled by the client")
            }
        })
    }

    fn worker_signature(&self) -> Result<Standing, &'static str> {
        let signed = &self.countersign;
        hold(&[
            (signed.role == Role::Worker, "the signature is not a worker's"),
            (
                signed.signer == *self.worker.receipt_key(),
                "signed by a key that the sealing key does not name",
            ),
            (
                signed.covers(self.receipt.leaf()),
                "the receipt is not in the signed batch",
            ),
            (signed.is_signed(), "the worker's signature is wrong"),
        ])?;
        Ok(Standing::proven(format!(
            "the receipt key {} of sealing key {}",
            Digest(signed.signer),
            self.worker.id()
        )))
    }

    fn offer(&self, checks: &Checks<'_>) -> Result<Standing, &'static str> {
        let (receipt, list) = (&self.receipt, &self.offers);
        let entry = list.offer(receipt.key_id);
        hold(&[
            (
                list.is_signed(),
                "the proxy's signature over the offer list is wrong",
            ),
            (
                receipt.offer == list.digest(),
                "the receipt names another offer list",
            ),
            (
                list.admits(self.head.head()).is_ok(),
                "the request was not drawn from the offer list",
            ),
            (
                entry.is_some_and(|entry| entry.statement == receipt.closing.statement),
                "the offer names another statement",
            ),
            (
                entry.is_some_and(|entry| entry.coefficient == receipt.coefficient),
                "the offer names another price",
            ),
        ])?;
        known_proxy(&list.proxy, checks)
    }

    fn time(&self) -> Result<Standing, &'static str> {
        let closing = &self.receipt.closing;
        let signed_at = self.countersign.signed_at;
        let (from, until) = self.offers.life();
        let late = until.saturating_add(u64::from(self.offers.epoch_seconds));
        hold(&[
            (
                self.worker.lives_at(closing.started),
                "it began outside the life of the sealing key",
            ),
            (closing.started <= closing.ended, "it ended before it began"),
            (
                closing.ended <= closing.started.saturating_add(LONGEST_ANSWER),
                "it took longer than an answer may",
            ),
            (
                closing.ended <= signed_at.saturating_add(SIGNATURE_LEEWAY)
                    && signed_at <= closing.ended.saturating_add(LONGEST_ANSWER),
                "it was not signed soon after it ended",
            ),
            (
                from.saturating_sub(SIGNATURE_LEEWAY) <= closing.started
                    && closing.started <= late.saturating_add(SealingPublic::MAX_LIFE),
                "it began outside the time of the offer list",
            ),
            (
                closing.started <= self.head.head().deadline,
                "it began after the deadline",
            ),
        ])?;
        Ok(Standing::claimed(format!(
            "the worker: {} to {}, block {}",
            closing.started, closing.ended, closing.block_seqno
        )))
    }

    fn price(&self, checks: &Checks<'_>) -> Result<Standing, &'static str> {
        let Some((charge, signed)) = &self.charge else {
            return Ok(Standing::not_shown("no charge in the bundle"));
        };
        hold(&[
            (
                charge.leaf == self.receipt.leaf(),
                "the charge is for another receipt",
            ),
            (
                charge.offer == self.receipt.offer,
                "the charge names another offer list",
            ),
            (
                charge.coefficient == self.receipt.coefficient,
                "the charge is at another price",
            ),
            (
                signed.role == Role::Proxy,
                "the charge's signature is not a proxy's",
            ),
            (
                signed.signer == self.offers.proxy,
                "the charge is signed by another proxy than the offer list",
            ),
            (
                signed.covers(charge.charge_leaf()),
                "the charge is not in the signed batch",
            ),
            (
                signed.is_signed(),
                "the proxy's signature over the charge is wrong",
            ),
        ])?;
        known_proxy(&signed.signer, checks)
    }

    fn request(&self, checks: &Checks<'_>) -> Result<Standing, &'static str> {
        let committed = (
            self.bundle.commitments.request_salt,
            self.bundle.commitments.request_text,
        );
        let salt = self.bundle.salts.map(|salts| salts.request);
        text(salt, committed, checks.request, content::request_text)
    }

    fn answer(&self, checks: &Checks<'_>) -> Result<Standing, &'static str> {
        let committed = (
            self.bundle.commitments.answer_salt,
            self.bundle.commitments.answer_text,
        );
        let salt = self.bundle.salts.map(|salts| salts.answer);
        text(salt, committed, checks.answer, |salt, answer| {
            let mut hasher = content::answer_text(salt);
            hasher.update(answer);
            hasher.finish()
        })
    }
}

/// Seconds by which two clocks may differ.
const SIGNATURE_LEEWAY: u64 = 60;

/// The first reason that does not hold.
fn hold(conditions: &[(bool, &'static str)]) -> Result<(), &'static str> {
    match conditions.iter().find(|(holds, _)| !holds) {
        Some((_, why)) => Err(why),
        None => Ok(()),
    }
}

fn known_proxy(key: &[u8; 32], checks: &Checks<'_>) -> Result<Standing, &'static str> {
    match checks.proxy {
        Some(known) if known == *key => Ok(Standing::proven(format!("the proxy's key {}", Digest(known)))),
        Some(_) => Err("signed by another proxy than the one that was named"),
        None => Ok(Standing::claimed(format!(
            "whoever has the key {}; nobody said which proxy's it is",
            Digest(*key)
        ))),
    }
}

/// Whether a text that was given is the one that was hashed.
fn text(
    salt: Option<[u8; 32]>,
    committed: (Digest, Digest),
    given: Option<&[u8]>,
    hash: impl Fn(&[u8; 32], &[u8]) -> Digest,
) -> Result<Standing, &'static str> {
    let Some(salt) = salt else {
        return match given {
            Some(_) => Err("the bundle has no salt, so no text can be compared"),
            None => Ok(Standing::not_shown("the bundle has no salt")),
        };
    };
    if content::salt_digest(&salt) != committed.0 {
        return Err("the salt is not the one that was used");
    }
    match given {
        None => Ok(Standing::not_shown("no text was given")),
        Some(text) if hash(&salt, text) == committed.1 => {
            Ok(Standing::proven("the salted hash in the receipt"))
        }
        Some(_) => Err("another text was given"),
    }
}

impl std::fmt::Debug for Checks<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Checks")
    }
}
