use crate::gpu::NVIDIA_DEVICE_ROOT;
use crate::snp::AMD_ROOTS;
use crate::tdx::trusted_name;

/// Intel's root of provisioning, the "Intel SGX Root CA". Its key id is the one of spec/network.md 3.5.
const INTEL: &[u8] = include_bytes!("tdx/intel-sgx-root-ca.der");

/// What the subject of a development root must contain, so that nobody takes it for anything else.
const DEVELOPMENT_MARK: &[u8] = b"DEVELOPMENT ONLY";

/// The roots that evidence may lead to: the makers', and in development one of our own beside them.
///
/// What leads to the development root is `simulated`, never anything else, and what leads to a maker's never is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots {
    development: Option<Vec<u8>>,
}

/// A certificate cannot be a development root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RootsError {
    /// Not a certificate of Intel's form.
    #[error("the development root is not a certificate with a key on P-256")]
    Malformed,
    /// It does not say what it is.
    #[error("the development root's subject does not contain DEVELOPMENT ONLY")]
    NotMarked,
}

// === impl Roots ===

impl Roots {
    /// The makers' roots alone: what every network that is not a test network uses.
    pub const fn makers() -> Self {
        Self { development: None }
    }

    /// The makers' roots and this one, in DER. The policy must accept simulated evidence besides.
    ///
    /// # Errors
    /// [`RootsError`] when it is no certificate, or one that could be taken for a maker's.
    pub fn development(root_der: &[u8]) -> Result<Self, RootsError> {
        let name = trusted_name(root_der).ok_or(RootsError::Malformed)?;
        if name
            .windows(DEVELOPMENT_MARK.len())
            .any(|part| part == DEVELOPMENT_MARK)
        {
            Ok(Self {
                development: Some(root_der.to_vec()),
            })
        } else {
            Err(RootsError::NotMarked)
        }
    }

    /// Intel's root, in DER.
    pub const fn intel(&self) -> &[u8] {
        INTEL
    }

    /// AMD's roots, one for each product line, in DER.
    pub const fn amd(&self) -> &[&'static [u8]] {
        &AMD_ROOTS
    }

    /// NVIDIA's root of devices, in DER.
    pub const fn nvidia(&self) -> &[u8] {
        NVIDIA_DEVICE_ROOT
    }

    /// The development root, in DER.
    pub(crate) fn development_der(&self) -> Option<&[u8]> {
        self.development.as_deref()
    }
}

impl Default for Roots {
    fn default() -> Self {
        Self::makers()
    }
}

#[cfg(test)]
mod tests;
