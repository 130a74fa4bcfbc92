//! The bytes of a statement: fixed fields, then the sealing key. One encoding for each value.

use super::{Block, StatedEngine, Statement, StatementRefusal};
use crate::gpu::MAX_GPUS;

/// The first byte.
pub const STATEMENT_VERSION: u8 = 1;

/// Most bytes of a sealing key: one of HPKE with X25519 and ML-KEM-768 has 1216.
pub const MAX_SEALING_KEY_BYTES: usize = 2048;

/// Everything before the sealing key.
const FIXED_BYTES: usize = 193;

/// Most bytes of an encoded statement.
pub const MAX_STATEMENT_BYTES: usize = FIXED_BYTES + MAX_SEALING_KEY_BYTES;

/// Reads fields one after another; every end names the part that was cut.
struct Fields<'a> {
    rest: &'a [u8],
}

// === impl Statement ===

impl Statement {
    /// The bytes that are quoted and sent.
    ///
    /// # Errors
    /// It cannot be encoded: more accelerators than [`MAX_GPUS`], a digest of zeros, too long a key.
    pub fn encode(&self) -> Result<Vec<u8>, StatementRefusal> {
        if usize::from(self.accelerators) > MAX_GPUS {
            return Err(StatementRefusal::Malformed("accelerators"));
        }
        if self.sealing_key.len() > MAX_SEALING_KEY_BYTES {
            return Err(StatementRefusal::TooLong);
        }
        let length = u16::try_from(self.sealing_key.len()).map_err(|_| StatementRefusal::TooLong)?;
        let engine = match self.engine {
            StatedEngine::None => 0,
            StatedEngine::OfImage => 1,
            StatedEngine::Outside => 2,
        };
        Ok([
            &[STATEMENT_VERSION][..],
            &self.key,
            &self.block.seqno.to_be_bytes(),
            &self.block.id,
            &self.block.time.to_be_bytes(),
            &[self.accelerators],
            &digest(self.gpu_evidence)?,
            &[engine],
            &digest(self.model)?,
            &digest(self.engine_digest)?,
            &self.valid_from.to_be_bytes(),
            &self.valid_until.to_be_bytes(),
            &length.to_be_bytes(),
            &self.sealing_key,
        ]
        .concat())
    }

    /// Step 1: reads what [`Self::encode`] wrote, and nothing else.
    ///
    /// # Errors
    /// [`StatementRefusal::TooLong`], [`StatementRefusal::Version`] or [`StatementRefusal::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, StatementRefusal> {
        if bytes.len() > MAX_STATEMENT_BYTES {
            return Err(StatementRefusal::TooLong);
        }
        let mut fields = Fields { rest: bytes };
        let [version] = fields.array("version")?;
        if version != STATEMENT_VERSION {
            return Err(StatementRefusal::Version(version));
        }
        let statement = Self {
            key: fields.array("key")?,
            block: Block {
                seqno: u32::from_be_bytes(fields.array("block")?),
                id: fields.array("block")?,
                time: fields.number("block")?,
            },
            accelerators: fields.accelerators()?,
            gpu_evidence: fields.digest("GPU evidence digest")?,
            engine: fields.engine()?,
            model: fields.digest("model digest")?,
            engine_digest: fields.digest("engine digest")?,
            valid_from: fields.number("validity")?,
            valid_until: fields.number("validity")?,
            sealing_key: fields.sealing_key()?,
        };
        if fields.rest.is_empty() {
            Ok(statement)
        } else {
            Err(StatementRefusal::Malformed("end"))
        }
    }
}

/// Zeros stand for none, so no digest may be zeros.
const fn digest(value: Option<[u8; 32]>) -> Result<[u8; 32], StatementRefusal> {
    match value {
        None => Ok([0; 32]),
        Some(digest) if is_zero(&digest) => Err(StatementRefusal::Malformed("digest")),
        Some(digest) => Ok(digest),
    }
}

const fn is_zero(digest: &[u8; 32]) -> bool {
    let mut rest: &[u8] = digest;
    while let [first, others @ ..] = rest {
        if *first != 0 {
            return false;
        }
        rest = others;
    }
    true
}

// === impl Fields ===

impl Fields<'_> {
    fn array<const N: usize>(&mut self, part: &'static str) -> Result<[u8; N], StatementRefusal> {
        let (taken, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(StatementRefusal::Malformed(part))?;
        self.rest = rest;
        Ok(*taken)
    }

    fn number(&mut self, part: &'static str) -> Result<u64, StatementRefusal> {
        self.array(part).map(u64::from_be_bytes)
    }

    fn digest(&mut self, part: &'static str) -> Result<Option<[u8; 32]>, StatementRefusal> {
        let value = self.array(part)?;
        Ok((!is_zero(&value)).then_some(value))
    }

    fn accelerators(&mut self) -> Result<u8, StatementRefusal> {
        let [count] = self.array("accelerators")?;
        if usize::from(count) > MAX_GPUS {
            return Err(StatementRefusal::Malformed("accelerators"));
        }
        Ok(count)
    }

    fn engine(&mut self) -> Result<StatedEngine, StatementRefusal> {
        match self.array("engine")? {
            [0] => Ok(StatedEngine::None),
            [1] => Ok(StatedEngine::OfImage),
            [2] => Ok(StatedEngine::Outside),
            _ => Err(StatementRefusal::Malformed("engine")),
        }
    }

    fn sealing_key(&mut self) -> Result<Vec<u8>, StatementRefusal> {
        let part = StatementRefusal::Malformed("sealing key");
        let length = usize::from(u16::from_be_bytes(self.array("sealing key")?));
        if length > MAX_SEALING_KEY_BYTES {
            return Err(part);
        }
        let (key, rest) = self.rest.split_at_checked(length).ok_or(part)?;
        self.rest = rest;
        Ok(key.to_vec())
    }
}
