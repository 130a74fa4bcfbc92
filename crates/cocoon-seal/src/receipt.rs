//! Receipts: what was asked, what came, on what, for how much (docs/sealing.md, section 7).

pub(crate) mod batch;
pub(crate) mod bundle;
pub(crate) mod check;
pub(crate) mod merkle;
pub(crate) mod report;
pub(crate) mod verify;

use bytes::Bytes;
use cocoon_types::{Coefficient, RequestId, Tier, Usage};

use crate::codec::{Malformed, Reader, Write};
use crate::content::{answer_hash, request_hash, salt_digest};
use crate::digest::{hash, plain};
use crate::head::{read_tier, tier_code};
use crate::{Digest, domain};

/// A worker's account of one exchange. It holds no content and no salt: whoever carries it can test no guess.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Of the request's head.
    pub request_id: RequestId,
    /// Salted hash of head and body.
    pub request_hash: Digest,
    /// Salted hash of the answer.
    pub answer_hash: Digest,
    /// The sealing key of the worker that served.
    pub key_id: Digest,
    /// The offer list from which the client chose.
    pub offer: Digest,
    /// The tier that served.
    pub tier: Tier,
    /// The price, in per mille of the base price.
    pub coefficient: Coefficient,
    /// Parts with content.
    pub parts: u64,
    /// Bytes of content.
    pub bytes: u64,
    /// What the worker says at the end.
    pub closing: Closing,
}

/// What the worker knows when an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    /// Its statement.
    pub statement: Digest,
    /// The weights.
    pub model: Digest,
    /// The engine.
    pub engine: Digest,
    /// The set of evidence behind the statement ([`crate::evidence_digest`]).
    pub evidence: Digest,
    /// Whether the engine is part of what was measured.
    pub engine_place: EnginePlace,
    /// What computes.
    pub accelerators: Accelerators,
    /// Whether the answer is whole.
    pub outcome: Outcome,
    /// Why the engine stopped.
    pub finish: Finish,
    /// As the engine counted.
    pub usage: Usage,
    /// Number of the newest block that the worker knew.
    pub block_seqno: u32,
    /// Its root hash.
    pub block: Digest,
    /// When the request was whole; seconds since 1970.
    pub started: u64,
    /// When the answer was.
    pub ended: u64,
}

/// What a bundle needs of an exchange beside its receipt; known to client and worker.
#[derive(Clone, PartialEq, Eq)]
pub struct Opening {
    /// Salt of the request's text.
    pub request_salt: [u8; 32],
    /// Salted hash of the request's text.
    pub request_text: Digest,
    /// Salt of the answer's text.
    pub answer_salt: [u8; 32],
    /// Salted hash of the answer's text.
    pub answer_text: Digest,
    /// The request's head.
    pub head: Bytes,
    /// The answer's head.
    pub answer_head: Bytes,
}

macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident = $number:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$inner])* $variant,)* }

        impl $name {
            const fn code(self) -> u8 {
                match self { $(Self::$variant => $number,)* }
            }

            const fn from_code(code: u8) -> Option<Self> {
                match code { $($number => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

numbered! {
    /// Where the engine runs.
    EnginePlace {
        /// Started by the worker from the measured image: its digests are part of what the evidence covers.
        Measured = 0,
        /// Elsewhere: its digests are claims.
        Outside = 1,
    }
}

numbered! {
    /// What a worker computes with besides the processor.
    Accelerators {
        /// Nothing.
        None = 0,
        /// Accelerators, each attested in confidential mode.
        Attested = 1,
        /// Accelerators of which at least one is not attested.
        NotAttested = 2,
    }
}

numbered! {
    /// How an exchange ended.
    Outcome {
        /// The answer is whole.
        Complete = 0,
        /// The client cancelled; usage is what had been used.
        Cancelled = 1,
    }
}

numbered! {
    /// Why the engine stopped, of the first choice.
    Finish {
        /// It did not say, or the endpoint has no such word.
        None = 0,
        /// By itself, or at a stop word.
        Stop = 1,
        /// At the token limit.
        Length = 2,
        /// To call tools.
        ToolCalls = 3,
        /// By its filter.
        ContentFilter = 4,
        /// Another word.
        Other = 5,
    }
}

// === impl Finish ===

impl Finish {
    /// The word of `finish_reason`.
    pub fn from_word(word: &str) -> Self {
        match word {
            "" => Self::None,
            "stop" => Self::Stop,
            "length" => Self::Length,
            "tool_calls" | "function_call" => Self::ToolCalls,
            "content_filter" => Self::ContentFilter,
            _ => Self::Other,
        }
    }
}

// === impl Receipt ===

impl Receipt {
    /// Bytes of the encoding.
    pub const BYTES: usize = domain::RECEIPT.bytes().len() + 9 * 32 + 5 + 4 * 8 + 4 + 2 * 8 + 4 + 32 + 2 * 8;

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::BYTES);
        out.put(domain::RECEIPT.bytes());
        out.put(&self.request_id.0);
        let closing = &self.closing;
        for digest in [
            self.request_hash,
            self.answer_hash,
            self.key_id,
            closing.statement,
            self.offer,
            closing.model,
            closing.engine,
            closing.evidence,
        ] {
            out.put(&digest.0);
        }
        out.u8(tier_code(self.tier));
        out.u8(closing.engine_place.code());
        out.u8(closing.accelerators.code());
        out.u8(closing.outcome.code());
        out.u8(closing.finish.code());
        let usage = &closing.usage;
        for count in [
            usage.prompt(),
            usage.cached(),
            usage.completion(),
            usage.reasoning(),
        ] {
            out.u64(count);
        }
        out.u32(self.coefficient.per_mille());
        out.u64(self.parts);
        out.u64(self.bytes);
        out.u32(closing.block_seqno);
        out.put(&closing.block.0);
        out.u64(closing.started);
        out.u64(closing.ended);
        out
    }

    /// Takes a receipt apart; it proves nothing yet.
    ///
    /// # Errors
    /// [`Malformed`] names the field.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let reader = &mut reader;
        reader.domain(domain::RECEIPT, "receipt")?;
        let request_id = RequestId(reader.array("request id")?);
        let [request_hash, answer_hash, key_id, statement] = digests(reader)?;
        let [offer, model, engine, evidence] = digests(reader)?;
        let tier = read_tier(reader)?;
        let place = EnginePlace::from_code(reader.u8("engine place")?);
        let accelerators = Accelerators::from_code(reader.u8("accelerators")?);
        let outcome = Outcome::from_code(reader.u8("outcome")?);
        let finish = Finish::from_code(reader.u8("finish")?);
        let usage = usage(reader)?;
        let coefficient = Coefficient::new(reader.u32("price")?).ok_or(Malformed("price"))?;
        let receipt = Self {
            request_id,
            request_hash,
            answer_hash,
            key_id,
            offer,
            tier,
            coefficient,
            parts: reader.u64("parts")?,
            bytes: reader.u64("bytes")?,
            closing: Closing {
                statement,
                model,
                engine,
                evidence,
                engine_place: place.ok_or(Malformed("engine place"))?,
                accelerators: accelerators.ok_or(Malformed("accelerators"))?,
                outcome: outcome.ok_or(Malformed("outcome"))?,
                finish: finish.ok_or(Malformed("finish"))?,
                usage,
                block_seqno: reader.u32("block")?,
                block: reader.digest("block")?,
                started: reader.u64("started")?,
                ended: reader.u64("ended")?,
            },
        };
        if !reader.rest().is_empty() {
            return Err(Malformed("receipt: bytes left over"));
        }
        Ok(receipt)
    }

    /// What a batch's tree is made of, and the receipt's id.
    pub fn leaf(&self) -> Digest {
        hash(domain::RECEIPT_LEAF, &[&self.encode()])
    }
}

fn digests<const N: usize>(reader: &mut Reader<'_>) -> Result<[Digest; N], Malformed> {
    let mut all = [Digest([0; 32]); N];
    for one in &mut all {
        *one = reader.digest("receipt: digests")?;
    }
    Ok(all)
}

fn usage(reader: &mut Reader<'_>) -> Result<Usage, Malformed> {
    let mut count = || reader.u64("usage");
    let (prompt, cached, completion, reasoning) = (count()?, count()?, count()?, count()?);
    Usage::new(prompt, cached, completion, reasoning).map_err(|_| Malformed("usage"))
}

// === impl Opening ===

impl Opening {
    /// The hash of the request that this opens.
    pub fn request_hash(&self) -> Digest {
        let salt = salt_digest(&self.request_salt);
        request_hash(plain(&self.head), salt, self.request_text)
    }

    /// The hash of the answer that this opens.
    pub fn answer_hash(&self) -> Digest {
        let salt = salt_digest(&self.answer_salt);
        answer_hash(self.request_hash(), &self.answer_head, salt, self.answer_text)
    }
}

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[private]")
    }
}
