//! The head of a request: all that the proxy learns of it (docs/sealing.md 3.1).

use bytes::Bytes;
use cocoon_types::{Coefficient, Endpoint, ModelName, RequestId, Tier, TierPolicy};

use crate::codec::{Malformed, Reader, Write};
use crate::{Digest, MAX_CANDIDATES, content::pad, digest, domain};

/// What a request says in clear, bound to everything that is sealed for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Random, used once.
    pub request_id: RequestId,
    /// What is asked.
    pub endpoint: Endpoint,
    /// The model that is asked for.
    pub model: ModelName,
    /// Most completion tokens, of all choices together.
    pub max_tokens: u32,
    /// Which tiers may serve.
    pub tier: TierPolicy,
    /// Whether the parts of the answer are padded to 64-byte steps.
    pub padded: bool,
    /// Highest price, in per mille of the base price.
    pub max_coefficient: Coefficient,
    /// Nobody starts to serve after it; seconds since 1970.
    pub deadline: u64,
    /// Bytes of the padded body: one of few sizes.
    pub body_bytes: u64,
    /// The offer list from which the candidates were drawn.
    pub offer: Digest,
    /// Key ids of the workers that can open the request, in the client's order.
    pub candidates: Vec<Digest>,
}

/// A head with its bytes and their digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedHead {
    head: Head,
    bytes: Bytes,
    hash: Digest,
}

const SIMULATED: u8 = 1;
const PADDED: u8 = 2;

/// Longest path of an endpoint.
const MAX_ENDPOINT: usize = 64;

// === impl Head ===

impl Head {
    /// The canonical bytes, if the head is one that a reader would take.
    ///
    /// # Errors
    /// [`Malformed`] names the field that no reader would take.
    pub fn encode(self) -> Result<EncodedHead, Malformed> {
        let mut out = Vec::with_capacity(256 + 32 * self.candidates.len());
        out.put(domain::REQUEST_HEAD.bytes());
        out.put(&self.request_id.0);
        out.b16(self.endpoint.path().as_bytes());
        out.b16(self.model.as_str().as_bytes());
        out.u32(self.max_tokens);
        out.u8(tier_code(self.tier.floor()));
        let simulated = if self.tier.accepts_simulated() {
            SIMULATED
        } else {
            0
        };
        out.u8(simulated | if self.padded { PADDED } else { 0 });
        out.u32(self.max_coefficient.per_mille());
        out.u64(self.deadline);
        out.u64(self.body_bytes);
        out.put(&self.offer.0);
        out.u8(u8::try_from(self.candidates.len()).unwrap_or(u8::MAX));
        for candidate in &self.candidates {
            out.put(&candidate.0);
        }
        EncodedHead::decode(Bytes::from(out))
    }

    /// The first field in which a copy of the clear fields, kept by whoever carries the request, differs from the head.
    pub fn differs_from(&self, copy: &ClearCopy<'_>) -> Option<&'static str> {
        let pairs = [
            (self.request_id == copy.request_id, "request id"),
            (self.endpoint == copy.endpoint, "endpoint"),
            (self.model.as_str() == copy.model, "model"),
            (self.max_tokens == copy.max_tokens, "max tokens"),
            (self.tier == copy.tier, "tier"),
            (self.max_coefficient == copy.max_coefficient, "price limit"),
        ];
        pairs.into_iter().find(|(same, _)| !same).map(|(_, field)| field)
    }
}

/// The clear fields as the proxy said them beside the head.
#[derive(Clone, Copy, Debug)]
pub struct ClearCopy<'a> {
    /// See [`Head::request_id`].
    pub request_id: RequestId,
    /// See [`Head::endpoint`].
    pub endpoint: Endpoint,
    /// See [`Head::model`].
    pub model: &'a str,
    /// See [`Head::max_tokens`].
    pub max_tokens: u32,
    /// See [`Head::tier`].
    pub tier: TierPolicy,
    /// See [`Head::max_coefficient`].
    pub max_coefficient: Coefficient,
}

// === impl EncodedHead ===

impl EncodedHead {
    /// Most bytes of a head.
    pub const MAX_BYTES: usize = 1024;

    /// Takes a head apart.
    ///
    /// # Errors
    /// [`Malformed`] names the field.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(Malformed("request head: too long"));
        }
        let head = read(&bytes)?;
        let hash = digest::plain(&bytes);
        Ok(Self { head, bytes, hash })
    }

    /// What it says.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// The canonical bytes.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The digest that everything sealed is bound to.
    pub const fn hash(&self) -> Digest {
        self.hash
    }
}

fn read(bytes: &[u8]) -> Result<Head, Malformed> {
    let mut reader = Reader::new(bytes);
    reader.domain(domain::REQUEST_HEAD, "request head")?;
    let request_id = RequestId(reader.array("request id")?);
    let endpoint = reader.text16(MAX_ENDPOINT, "endpoint")?;
    let endpoint = Endpoint::from_path(endpoint).ok_or(Malformed("endpoint"))?;
    let model = reader.text16(ModelName::MAX_BYTES, "model")?;
    let model = ModelName::new(model).map_err(|_| Malformed("model"))?;
    let max_tokens = reader.u32("max tokens")?;
    let floor = match read_tier(&mut reader)? {
        Tier::Simulated => return Err(Malformed("tier")),
        floor => TierPolicy::at_least(floor),
    };
    let flags = reader.u8("flags")?;
    if flags & !(SIMULATED | PADDED) != 0 {
        return Err(Malformed("flags"));
    }
    let tier = if flags & SIMULATED == 0 {
        floor
    } else {
        floor.and_simulated()
    };
    let max_coefficient = Coefficient::new(reader.u32("price limit")?).ok_or(Malformed("price limit"))?;
    let deadline = reader.u64("deadline")?;
    let body_bytes = reader.u64("body size")?;
    if !pad::is_bucket(body_bytes) {
        return Err(Malformed("body size"));
    }
    let offer = reader.digest("offer")?;
    let count = usize::from(reader.u8("candidates")?);
    if !(1..=MAX_CANDIDATES).contains(&count) {
        return Err(Malformed("candidates"));
    }
    let mut candidates = Vec::with_capacity(count);
    for _ in 0..count {
        let candidate = reader.digest("candidates")?;
        if candidates.contains(&candidate) {
            return Err(Malformed("candidates: one twice"));
        }
        candidates.push(candidate);
    }
    reader.finish("request head: bytes left over")?;
    Ok(Head {
        request_id,
        endpoint,
        model,
        max_tokens,
        tier,
        padded: flags & PADDED != 0,
        max_coefficient,
        deadline,
        body_bytes,
        offer,
        candidates,
    })
}

/// The number of a tier, in one byte.
pub(crate) const fn tier_code(tier: Tier) -> u8 {
    match tier {
        Tier::Confidential => 0,
        Tier::Attested => 1,
        Tier::Open => 2,
        Tier::Simulated => 3,
    }
}

pub(crate) fn read_tier(reader: &mut Reader<'_>) -> Result<Tier, Malformed> {
    Tier::from_wire_code(i32::from(reader.u8("tier")?)).ok_or(Malformed("tier"))
}
