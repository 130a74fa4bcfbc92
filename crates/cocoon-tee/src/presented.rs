//! This machine's evidence together with what its maker vouches for it, as a verifier without internet needs it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use cocoon_attest::tdx::Collateral;
use tokio::runtime::Handle;

use crate::collateral::{CollateralService, CollateralServiceError};
use crate::machine::{Machine, MachineError, Provider};

/// Quotes of this machine, each with its collateral.
pub struct MachineEvidence {
    machine: Arc<Machine>,
    collateral: CollateralService,
    /// Any quote names the platform that collateral is asked for.
    quote: Mutex<Option<Vec<u8>>>,
}

/// This machine's evidence cannot be presented.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PresentError {
    /// It gives none.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// Its maker's collateral is not to be had.
    #[error("{error} (hint: {})", error.hint())]
    Collateral {
        /// Why.
        #[from]
        error: CollateralServiceError,
    },
    /// AMD's certificates and lists for it are not fetched.
    #[error(
        "this is an SEV-SNP guest, and this build does not fetch AMD's certificates and revocation lists (hint: its reports can be \
         verified with `cocoon attest verify` and files of yours)"
    )]
    SevSnp,
    /// Called where nothing can be waited for.
    #[error("collateral is fetched by a runtime, and there is none on this thread")]
    NoRuntime,
}

// === impl MachineEvidence ===

impl MachineEvidence {
    /// Of this machine, with collateral from this service.
    pub fn new(machine: Arc<Machine>, collateral: CollateralService) -> Self {
        Self {
            machine,
            collateral,
            quote: Mutex::new(None),
        }
    }

    /// A quote over these 64 bytes and its collateral. Blocks, for seconds; only on a runtime's thread for such work.
    ///
    /// # Errors
    /// [`PresentError`]
    pub fn evidence(&self, report_data: &[u8; 64]) -> Result<(Vec<u8>, Arc<Collateral>), PresentError> {
        let runtime = Handle::try_current().map_err(|_| PresentError::NoRuntime)?;
        let report = self.machine.report(report_data)?;
        if report.provider == Provider::SevSnp {
            return Err(PresentError::SevSnp);
        }
        let collateral = runtime.block_on(self.collateral.of(&report.report))?;
        *self.lock() = Some(report.report.clone());
        Ok((report.report, collateral))
    }

    /// The collateral of the moment, renewed if that is due; nothing before the first quote, or when there is none.
    pub async fn collateral(&self) -> Option<Arc<Collateral>> {
        let quote = self.lock().clone()?;
        match self.collateral.of(&quote).await {
            Ok(collateral) => Some(collateral),
            Err(error) => {
                tracing::error!(%error, hint = error.hint(), "there is no collateral for this machine's evidence");
                None
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Vec<u8>>> {
        // Only ever assigned.
        self.quote.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MachineEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MachineEvidence").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
