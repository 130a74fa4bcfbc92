//! One signature for many receipts or charges (docs/sealing.md 7.3).

pub(crate) mod check;

use cocoon_types::Coefficient;

use super::merkle;
use crate::codec::{Malformed, Reader, Write};
use crate::digest::hash;
use crate::sign::{SigningKey, verify};
use crate::{Digest, domain};

/// Whose batch it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Leaves are receipts; signed by a receipt key.
    Worker,
    /// Leaves are charges; signed by the proxy's key.
    Proxy,
}

/// Leaves that wait for their signature.
#[derive(Debug, Default)]
pub struct Batch {
    leaves: Vec<Digest>,
}

/// The signature over a batch, with one leaf's place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Countersign {
    /// Whose it is.
    pub role: Role,
    /// Who signed.
    pub signer: [u8; 32],
    /// When, by the signer's clock.
    pub signed_at: u64,
    count: u32,
    root: Digest,
    signature: [u8; 64],
    index: u32,
    path: Vec<Digest>,
}

/// What the proxy says an exchange cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Leaf of the worker's receipt.
    pub leaf: Digest,
    /// The offer list.
    pub offer: Digest,
    /// Price, in per mille of the base price.
    pub coefficient: Coefficient,
    /// Adjusted tokens.
    pub adjusted: u64,
    /// Their price in nanoTON.
    pub nanoton: u128,
    /// When it was settled; seconds since 1970.
    pub settled_at: u64,
}

/// Most siblings in a path.
const MAX_PATH: usize = 8;

// === impl Batch ===

impl Batch {
    /// Most leaves under one signature.
    pub const MAX: usize = 1 << MAX_PATH;

    /// Adds a leaf; gives its place.
    ///
    /// # Errors
    /// The leaf, when the batch is full: sign first.
    pub fn push(&mut self, leaf: Digest) -> Result<usize, Digest> {
        if self.leaves.len() >= Self::MAX {
            return Err(leaf);
        }
        self.leaves.push(leaf);
        Ok(self.leaves.len() - 1)
    }

    /// Leaves that wait.
    pub fn len(&self) -> usize {
        self.leaves.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// Signs what waits, and empties the batch. One result for each leaf, in order.
    pub fn sign(&mut self, role: Role, key: &SigningKey, now: u64) -> Vec<Countersign> {
        let leaves = std::mem::take(&mut self.leaves);
        if leaves.is_empty() {
            return Vec::new();
        }
        let count = u32::try_from(leaves.len()).unwrap_or(u32::MAX);
        let (root, paths) = merkle::tree(&leaves);
        let signature = key.sign(&signed_bytes(role, key.public(), count, root, now));
        let one = |(index, path): (u32, Vec<Digest>)| Countersign {
            role,
            signer: *key.public(),
            signed_at: now,
            count,
            root,
            signature,
            index,
            path,
        };
        (0..count).zip(paths).map(one).collect()
    }
}

fn signed_bytes(role: Role, signer: &[u8; 32], count: u32, root: Digest, signed_at: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    out.put(domain::BATCH.bytes());
    out.u8(match role {
        Role::Worker => 0,
        Role::Proxy => 1,
    });
    out.put(signer);
    out.u32(count);
    out.put(&root.0);
    out.u64(signed_at);
    out
}

// === impl Countersign ===

impl Countersign {
    /// Most bytes of the encoding.
    pub const MAX_BYTES: usize = 512;

    /// What travels.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = signed_bytes(self.role, &self.signer, self.count, self.root, self.signed_at);
        out.put(&self.signature);
        out.u32(self.index);
        out.u8(u8::try_from(self.path.len()).unwrap_or(u8::MAX));
        for sibling in &self.path {
            out.put(&sibling.0);
        }
        out
    }

    /// Takes a countersign apart; it proves nothing yet.
    ///
    /// # Errors
    /// [`Malformed`] names the field.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        reader.domain(domain::BATCH, "batch")?;
        let role = match reader.u8("role")? {
            0 => Role::Worker,
            1 => Role::Proxy,
            _ => return Err(Malformed("role")),
        };
        let signer = reader.array("signer")?;
        let count = reader.u32("leaves")?;
        if !(1..=Batch::MAX).contains(&(count as usize)) {
            return Err(Malformed("leaves"));
        }
        let root = reader.digest("root")?;
        let signed_at = reader.u64("time")?;
        let signature = reader.array("signature")?;
        let index = reader.u32("index")?;
        let length = usize::from(reader.u8("path")?);
        if length > MAX_PATH {
            return Err(Malformed("path"));
        }
        let path = (0..length)
            .map(|_| reader.digest("path"))
            .collect::<Result<_, _>>()?;
        reader.finish("countersign: bytes left over")?;
        Ok(Self {
            role,
            signer,
            signed_at,
            count,
            root,
            signature,
            index,
            path,
        })
    }

    /// Whether the leaf stands in the batch at the place that is said.
    pub fn covers(&self, leaf: Digest) -> bool {
        let root = merkle::climb(leaf, self.index as usize, self.count as usize, &self.path);
        root == Some(self.root)
    }

    /// Whether the signature is that of the signer. Enough to check once for a batch: see [`Self::same_batch`].
    pub fn is_signed(&self) -> bool {
        let signed = signed_bytes(self.role, &self.signer, self.count, self.root, self.signed_at);
        verify(&self.signer, &signed, &self.signature)
    }

    /// Whether both are under one and the same signature.
    pub fn same_batch(&self, other: &Self) -> bool {
        self.role == other.role
            && self.signer == other.signer
            && self.signed_at == other.signed_at
            && self.count == other.count
            && self.root == other.root
            && self.signature == other.signature
    }
}

// === impl Charge ===

impl Charge {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        out.put(domain::CHARGE.bytes());
        out.put(&self.leaf.0);
        out.put(&self.offer.0);
        out.u32(self.coefficient.per_mille());
        out.u64(self.adjusted);
        out.u128(self.nanoton);
        out.u64(self.settled_at);
        out
    }

    /// Takes a charge apart; it proves nothing yet.
    ///
    /// # Errors
    /// [`Malformed`] names the field.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        reader.domain(domain::CHARGE, "charge")?;
        let charge = Self {
            leaf: reader.digest("leaf")?,
            offer: reader.digest("offer")?,
            coefficient: Coefficient::new(reader.u32("price")?).ok_or(Malformed("price"))?,
            adjusted: reader.u64("adjusted tokens")?,
            nanoton: reader.u128("nanoton")?,
            settled_at: reader.u64("time")?,
        };
        reader.finish("charge: bytes left over")?;
        Ok(charge)
    }

    /// What the proxy's batch is made of.
    pub fn charge_leaf(&self) -> Digest {
        hash(domain::CHARGE_LEAF, &[&self.encode()])
    }
}
