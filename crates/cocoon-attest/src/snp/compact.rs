//! The compact form of a chain, in which it travels in a certificate (docs/attestation.md, section 8).

use super::SnpChain;
use crate::tdx::{CollateralError, MAX_COMPACT_BYTES};
use crate::x509::MAX_X509_BYTES;

/// The root's revocation list, and the intermediate's.
const MAX_LISTS: usize = 2;

// === impl SnpChain ===

impl SnpChain {
    /// First byte of the form: 1 is Intel's.
    pub(crate) const COMPACT_FORM: u8 = 2;

    /// Reads the compact form. Nothing in it is verified.
    ///
    /// # Errors
    /// [`CollateralError::TooLarge`], [`CollateralError::Compact`].
    pub fn from_compact(bytes: &[u8]) -> Result<Self, CollateralError> {
        if bytes.len() > MAX_COMPACT_BYTES {
            return Err(too_large());
        }
        read(bytes).ok_or(CollateralError::Compact)
    }

    /// Writes the compact form: the form, leaf, intermediate, count of lists, lists; each with its length in two bytes.
    ///
    /// # Errors
    /// [`CollateralError::TooLarge`] when it does not travel; [`CollateralError::Compact`] with more than two lists.
    pub fn to_compact(&self) -> Result<Vec<u8>, CollateralError> {
        let lists = self.revocation_lists.iter();
        let count = Some(self.revocation_lists.len()).filter(|count| *count <= MAX_LISTS);
        let count = count.and_then(|count| u8::try_from(count).ok());
        let mut out = vec![Self::COMPACT_FORM];
        put(&mut out, &self.leaf)?;
        put(&mut out, &self.intermediate)?;
        out.push(count.ok_or(CollateralError::Compact)?);
        for list in lists {
            put(&mut out, list)?;
        }
        if out.len() > MAX_COMPACT_BYTES {
            return Err(too_large());
        }
        Ok(out)
    }
}

const fn too_large() -> CollateralError {
    CollateralError::TooLarge {
        part: "compact form",
        limit: MAX_COMPACT_BYTES,
    }
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), CollateralError> {
    let length = u16::try_from(bytes.len()).map_err(|_| too_large())?;
    out.extend(length.to_be_bytes());
    out.extend(bytes);
    Ok(())
}

fn read(bytes: &[u8]) -> Option<SnpChain> {
    let (&form, rest) = bytes.split_first()?;
    let (leaf, rest) = field(rest, MAX_X509_BYTES)?;
    let (intermediate, rest) = field(rest, MAX_X509_BYTES)?;
    let (&count, mut rest) = rest.split_first()?;
    if form != SnpChain::COMPACT_FORM || usize::from(count) > MAX_LISTS {
        return None;
    }
    let mut revocation_lists = Vec::new();
    for _ in 0..count {
        let (list, tail) = field(rest, MAX_COMPACT_BYTES)?;
        revocation_lists.push(list.to_vec());
        rest = tail;
    }
    rest.is_empty().then(|| SnpChain {
        leaf: leaf.to_vec(),
        intermediate: intermediate.to_vec(),
        revocation_lists,
    })
}

/// What the length in front counts, and what follows it.
fn field(bytes: &[u8], limit: usize) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes(*length));
    if length > limit {
        return None;
    }
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests;
