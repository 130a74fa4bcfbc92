use std::error::Error;
use std::fmt;

use cocoon_attest::tdx::Collateral;
use cocoon_tee::{MachineEvidence, Tee, TeeError};

/// Makes the evidence for a node's keys.
pub trait Attester: fmt::Debug + Send + Sync {
    /// A quote over these 64 bytes and what goes with it, at the Unix second `now`. Blocks, for seconds on some machines: the
    /// link calls it on a thread for such work.
    ///
    /// # Errors
    /// Why there is none.
    fn evidence(&self, report_data: &[u8; 64], now: u64) -> Result<Presented, Box<dyn Error + Send + Sync>>;
}

/// What a certificate presents.
#[derive(Clone, Debug)]
pub struct Presented {
    /// The quote or report.
    pub quote: Vec<u8>,
    /// What its maker vouches for it. Without it a verifier needs its own.
    pub collateral: Option<Collateral>,
}

impl Attester for Tee {
    fn evidence(&self, report_data: &[u8; 64], now: u64) -> Result<Presented, Box<dyn Error + Send + Sync>> {
        let quote = self.quote(report_data)?;
        let collateral = match self {
            Self::Development(tee, _) => Some(tee.collateral(now).map_err(TeeError::from)?),
            // The kernel gives none.
            Self::Machine(_) => None,
        };
        Ok(Presented { quote, collateral })
    }
}

impl Attester for MachineEvidence {
    fn evidence(&self, report_data: &[u8; 64], _: u64) -> Result<Presented, Box<dyn Error + Send + Sync>> {
        let (quote, collateral) = Self::evidence(self, report_data)?;
        Ok(Presented {
            quote,
            collateral: Some(Collateral::clone(&collateral)),
        })
    }
}
