//! Answers: sealed by the worker, opened by the client (docs/sealing.md, section 4).

pub(crate) mod open;
pub(crate) mod seal;

use cocoon_types::{Coefficient, Tier};

use crate::codec::{Malformed, Reader, Write};
use crate::head::{read_tier, tier_code};
use crate::{Digest, domain};

pub(crate) const CONTENT: u8 = 0;
pub(crate) const END: u8 = 1;
pub(crate) const REFUSED: u8 = 2;

/// Most bytes of content in one part.
pub const MAX_CONTENT: usize = crate::MAX_SEALED - 128;

/// Longest content type.
const MAX_TYPE: usize = 256;

/// Longest sentence of a refusal.
pub(crate) const MAX_MESSAGE: usize = 1024;

/// What an answer says in clear before its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerHead {
    /// The request that is answered.
    pub request_hash: Digest,
    /// The sealing key of the worker that answers.
    pub key_id: Digest,
    /// Fresh for each answer.
    pub nonce: [u8; 32],
    /// HTTP status.
    pub status: u16,
    /// The tier that serves.
    pub tier: Tier,
    /// The price that will be charged, in per mille of the base price.
    pub coefficient: Coefficient,
    /// As in HTTP.
    pub content_type: String,
}

impl AnswerHead {
    /// Most bytes of the encoding.
    pub const MAX_BYTES: usize = 512;

    pub(crate) fn encode(&self) -> Result<Vec<u8>, Malformed> {
        let mut out = Vec::with_capacity(192 + self.content_type.len());
        out.put(domain::ANSWER_HEAD.bytes());
        out.put(&self.request_hash.0);
        out.put(&self.key_id.0);
        out.put(&self.nonce);
        out.u16(self.status);
        out.u8(tier_code(self.tier));
        out.u32(self.coefficient.per_mille());
        out.b16(self.content_type.as_bytes());
        Self::decode(&out)?;
        Ok(out)
    }

    /// Takes an answer's head apart; it proves nothing yet.
    ///
    /// # Errors
    /// [`Malformed`] names the field.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        reader.domain(domain::ANSWER_HEAD, "answer head")?;
        let head = Self {
            request_hash: reader.digest("request hash")?,
            key_id: reader.digest("key id")?,
            nonce: reader.array("nonce")?,
            status: reader.u16("status")?,
            tier: read_tier(&mut reader)?,
            coefficient: Coefficient::new(reader.u32("price")?).ok_or(Malformed("price"))?,
            content_type: reader.text16(MAX_TYPE, "content type")?.to_owned(),
        };
        if !(100..1000).contains(&head.status) {
            return Err(Malformed("status"));
        }
        reader.finish("answer head: bytes left over")?;
        Ok(head)
    }
}
