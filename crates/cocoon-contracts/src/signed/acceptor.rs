use cocoon_types::Address;

use super::{Kind, NotAccepted, Signed};

/// Takes what one signer hands over for one contract, again and again: the same bytes are read and verified once. A proxy sends its
/// payment with every request, and another one only after a commit.
#[derive(Debug)]
pub struct Acceptor {
    key: [u8; 32],
    kind: Kind,
    contract: Address,
    last: Option<(Vec<u8>, Signed)>,
}

// === impl Acceptor ===

impl Acceptor {
    /// For messages of this kind by this key for this contract.
    pub const fn new(key: [u8; 32], kind: Kind, contract: Address) -> Self {
        Self {
            key,
            kind,
            contract,
            last: None,
        }
    }

    /// As [`Signed::accept`].
    ///
    /// # Errors
    /// [`NotAccepted`]; what was accepted before is still known then.
    pub fn accept(&mut self, boc: &[u8]) -> Result<Signed, NotAccepted> {
        if let Some((bytes, signed)) = &self.last
            && bytes == boc
        {
            return Ok(signed.clone());
        }
        let signed = Signed::accept(boc, &self.key, self.kind, &self.contract)?;
        self.last = Some((boc.to_vec(), signed.clone()));
        Ok(signed)
    }
}

#[cfg(test)]
mod tests;
