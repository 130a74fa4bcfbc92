use crate::snp::SnpChain;
use crate::tdx::{Collateral, CollateralError};

/// What the maker vouches for the evidence, from the verifier's own store. Without it the certificate's own counts.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Endorsements<'a> {
    /// Intel's, for a TDX quote.
    Tdx(&'a Collateral),
    /// AMD's, for an SEV-SNP report: the certificates of the key that signed it, and revocation lists.
    Snp(&'a SnpChain),
}

/// The same, owned: as it is kept and as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OwnedEndorsements {
    /// Intel's, for a TDX quote.
    Tdx(Collateral),
    /// AMD's, for an SEV-SNP report.
    Snp(SnpChain),
}

// === impl OwnedEndorsements ===

impl OwnedEndorsements {
    /// Reads the compact form (docs/attestation.md, section 8); its first byte says whose it is.
    ///
    /// # Errors
    /// [`CollateralError::TooLarge`], [`CollateralError::Compact`].
    pub fn from_compact(bytes: &[u8]) -> Result<Self, CollateralError> {
        if bytes.first() == Some(&SnpChain::COMPACT_FORM) {
            SnpChain::from_compact(bytes).map(Self::Snp)
        } else {
            Collateral::from_compact(bytes).map(Self::Tdx)
        }
    }

    /// Writes the compact form.
    ///
    /// # Errors
    /// As [`Collateral::to_compact`].
    pub fn to_compact(&self) -> Result<Vec<u8>, CollateralError> {
        match self {
            Self::Tdx(collateral) => collateral.to_compact(),
            Self::Snp(chain) => chain.to_compact(),
        }
    }

    /// For an appraisal.
    pub const fn as_ref(&self) -> Endorsements<'_> {
        match self {
            Self::Tdx(collateral) => Endorsements::Tdx(collateral),
            Self::Snp(chain) => Endorsements::Snp(chain),
        }
    }
}
