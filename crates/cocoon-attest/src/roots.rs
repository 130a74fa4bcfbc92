use crate::gpu::NVIDIA_DEVICE_ROOT;
use crate::snp::{self, AMD_ROOTS};
use crate::tdx::trusted_name;
use crate::x509::X509;

/// Intel's root of provisioning, the "Intel SGX Root CA". Its key id is the one of spec/network.md 3.5.
const INTEL: &[u8] = include_bytes!("tdx/intel-sgx-root-ca.der");

/// What the subject of a development root must contain, so that nobody takes it for anything else.
const DEVELOPMENT_MARK: &[u8] = b"DEVELOPMENT ONLY";

/// The roots that evidence may lead to: the makers', and in development some of our own beside them.
///
/// What leads to a development root is `simulated`, never anything else, and what leads to a maker's never is. GPU evidence
/// under a development root counts only in a statement whose own quote leads to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots {
    intel: &'static [u8],
    amd: &'static [&'static [u8]],
    nvidia: &'static [u8],
    development: Option<Vec<u8>>,
    development_amd: Option<Vec<u8>>,
    development_gpu: Option<Vec<u8>>,
}

/// A certificate cannot be a development root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RootsError {
    /// Not a certificate of the form that this maker's roots have.
    #[error("the development root is not a certificate of its maker's form")]
    Malformed,
    /// It does not say what it is.
    #[error("the development root's subject does not contain DEVELOPMENT ONLY")]
    NotMarked,
}

// === impl Roots ===

impl Roots {
    /// The makers' roots alone: what every network that is not a test network uses.
    pub const fn makers() -> Self {
        Self {
            intel: INTEL,
            amd: &AMD_ROOTS,
            nvidia: NVIDIA_DEVICE_ROOT,
            development: None,
            development_amd: None,
            development_gpu: None,
        }
    }

    /// The makers' roots and this one for TDX, in DER. The policy must accept simulated evidence besides.
    ///
    /// # Errors
    /// [`RootsError`] when it is no certificate, or one that could be taken for a maker's.
    pub fn development(root_der: &[u8]) -> Result<Self, RootsError> {
        let development = Some(marked(root_der, trusted_name(root_der))?);
        Ok(Self {
            development,
            ..Self::makers()
        })
    }

    /// With this root for SEV-SNP besides, under the same rule.
    ///
    /// # Errors
    /// As [`Self::development`].
    pub fn with_development_amd(self, root_der: &[u8]) -> Result<Self, RootsError> {
        let development_amd = Some(marked(root_der, snp::root_name(root_der))?);
        Ok(Self {
            development_amd,
            ..self
        })
    }

    /// With this root for GPUs besides, under the same rule.
    ///
    /// # Errors
    /// As [`Self::development`].
    pub fn with_development_gpu(self, root_der: &[u8]) -> Result<Self, RootsError> {
        let name = X509::parse(root_der).ok().map(|root| root.subject);
        let development_gpu = Some(marked(root_der, name)?);
        Ok(Self {
            development_gpu,
            ..self
        })
    }

    /// Roots that a test plays the makers with; the evidence under them is a test's own.
    #[cfg(test)]
    pub(crate) fn of_test_makers(amd: &[u8], nvidia: &[u8]) -> Self {
        let kept = |bytes: &[u8]| -> &'static [u8] { Box::leak(bytes.to_vec().into_boxed_slice()) };
        Self {
            amd: Box::leak(vec![kept(amd)].into_boxed_slice()),
            nvidia: kept(nvidia),
            ..Self::makers()
        }
    }

    /// Intel's root, in DER.
    pub const fn intel(&self) -> &[u8] {
        self.intel
    }

    /// AMD's roots, one for each product line, in DER.
    pub const fn amd(&self) -> &[&'static [u8]] {
        self.amd
    }

    /// NVIDIA's root of devices, in DER.
    pub const fn nvidia(&self) -> &[u8] {
        self.nvidia
    }

    /// The development root, in DER.
    pub(crate) fn development_der(&self) -> Option<&[u8]> {
        self.development.as_deref()
    }

    /// The same for SEV-SNP.
    pub(crate) fn development_amd(&self) -> Option<&[u8]> {
        self.development_amd.as_deref()
    }

    /// The same for GPUs.
    pub(crate) fn development_gpu(&self) -> Option<&[u8]> {
        self.development_gpu.as_deref()
    }
}

/// A root whose subject says what it is.
fn marked(root_der: &[u8], name: Option<&[u8]>) -> Result<Vec<u8>, RootsError> {
    let name = name.ok_or(RootsError::Malformed)?;
    if name
        .windows(DEVELOPMENT_MARK.len())
        .any(|part| part == DEVELOPMENT_MARK)
    {
        Ok(root_der.to_vec())
    } else {
        Err(RootsError::NotMarked)
    }
}

impl Default for Roots {
    fn default() -> Self {
        Self::makers()
    }
}

#[cfg(test)]
mod tests;
