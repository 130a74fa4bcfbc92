//! Checks countersigns as they come: one signature for each batch, whatever its size.

use super::{Countersign, Role};
use crate::Digest;

/// Checks the countersigns of one signer.
#[derive(Debug)]
pub struct CountersignCheck {
    role: Role,
    signer: [u8; 32],
    /// The last batch whose signature was right.
    known: Option<Countersign>,
}

/// A countersign that is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CountersignError {
    /// A worker's where a proxy's should be, or the other way round.
    #[error("signed in another role")]
    Role,
    /// By another key.
    #[error("signed by another key")]
    Signer,
    /// The leaf is not in the batch.
    #[error("the receipt or charge is not in the signed batch")]
    Leaf,
    /// The signature is wrong.
    #[error("the signature is wrong")]
    Signature,
}

impl CountersignCheck {
    /// Nothing seen yet of this signer.
    pub const fn new(role: Role, signer: [u8; 32]) -> Self {
        let known = None;
        Self { role, signer, known }
    }

    /// Whether the signer signed this leaf.
    ///
    /// # Errors
    /// [`CountersignError`] says what is wrong.
    pub fn check(&mut self, leaf: Digest, countersign: &Countersign) -> Result<(), CountersignError> {
        if countersign.role != self.role {
            return Err(CountersignError::Role);
        }
        if countersign.signer != self.signer {
            return Err(CountersignError::Signer);
        }
        if !countersign.covers(leaf) {
            return Err(CountersignError::Leaf);
        }
        if self
            .known
            .as_ref()
            .is_some_and(|known| known.same_batch(countersign))
        {
            return Ok(());
        }
        if !countersign.is_signed() {
            return Err(CountersignError::Signature);
        }
        self.known = Some(countersign.clone());
        Ok(())
    }
}
