//! Evidence, from where it is made: this machine's TEE through the kernel, or the development TEE.
//!
//! [`machine`] asks the kernel of a TDX or SEV-SNP guest for a report, and extends runtime registers. [`development`] makes
//! the makers' formats under a root of its own, with a knob for each way in which evidence can be bad. [`collateral`] fetches
//! and keeps what Intel vouches for this machine's quotes. None of them judges anything: that is `cocoon-attest`. Called by whoever builds a node's identity, by `cocoon attest`, and by tests.
//!
//! Asking a machine blocks the thread for as long as its quoting enclave takes, up to a timeout: not for a runtime's thread.
#![forbid(unsafe_code)]

use std::sync::Arc;

use cocoon_attest::Measurements;

pub mod collateral;
pub mod development;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod machine;
mod presented;

use development::{DevelopmentError, DevelopmentTee, QuoteFormat};
use machine::{Machine, MachineError};

pub use presented::{MachineEvidence, PresentError};

/// Where a node's evidence comes from.
#[derive(Clone, Debug)]
pub enum Tee {
    /// This machine.
    Machine(Arc<Machine>),
    /// The development TEE, about an image with these measurements. For test networks.
    Development(Arc<DevelopmentTee>, Box<Measurements>),
}

/// Evidence could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TeeError {
    /// This machine gives none.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The development TEE failed.
    #[error(transparent)]
    Development(#[from] DevelopmentError),
}

// === impl Tee ===

impl Tee {
    /// A quote or report over these 64 bytes. Blocks: see the crate's header.
    ///
    /// # Errors
    /// [`TeeError`], with a hint if it is the machine's.
    pub fn quote(&self, report_data: &[u8; 64]) -> Result<Vec<u8>, TeeError> {
        match self {
            Self::Machine(machine) => Ok(machine.report(report_data)?.report),
            Self::Development(tee, image) => Ok(tee.quote(QuoteFormat::V4, report_data, image)?),
        }
    }
}

#[cfg(test)]
mod tests;
