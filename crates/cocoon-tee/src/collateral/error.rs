use std::io;

use cocoon_attest::tdx::{CollateralError, TdxRefusal};

/// There is no collateral.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollateralServiceError {
    /// An address in the configuration.
    #[error("{0:?} is no http or https address")]
    Url(String),
    /// No roots to verify a server with.
    #[error("no certificate roots: {0}")]
    Certificates(String),
    /// The quote does not say what it needs.
    #[error("the quote does not say which collateral it needs")]
    Quote(#[source] TdxRefusal),
    /// None that holds, and none to be had.
    #[error("there is no collateral for this machine{}", ended(*expired_at))]
    None {
        /// When what is on disk ended, if there is any.
        expired_at: Option<u64>,
        /// Why none could be fetched.
        #[source]
        error: FetchError,
    },
}

/// An attempt to fetch collateral failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Name not known, refused, no answer in time.
    #[error("the collateral service cannot be reached ({0})")]
    Connect(String),
    /// The answer broke off or did not come in time.
    #[error("the collateral service's {part} did not arrive ({reason})")]
    Cut {
        /// What was asked for.
        part: &'static str,
        /// Why.
        reason: String,
    },
    /// Not 200.
    #[error("the collateral service has no {part} (HTTP status {status})")]
    Status {
        /// What was asked for.
        part: &'static str,
        /// As it said.
        status: u16,
    },
    /// More than it may have.
    #[error("the collateral service's {0} is too large")]
    TooLarge(&'static str),
    /// Not its form.
    #[error("the collateral service's {0} is not in Intel's form")]
    Form(&'static str),
    /// Over the limits of collateral.
    #[error("the collateral service's answers are no collateral")]
    Collateral(#[from] CollateralError),
    /// It does not verify for this quote.
    #[error("the collateral that was fetched does not verify")]
    Refused(#[source] TdxRefusal),
    /// Made before what is there.
    #[error("the collateral that was fetched is older than what is there")]
    Older,
    /// Keeping it failed.
    #[error("the collateral cannot be written")]
    Disk(#[from] io::Error),
}

// === impl CollateralServiceError ===

impl CollateralServiceError {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Url(_) => "give the base address of Intel's service or of a PCCS, as https://HOST:PORT",
            Self::Certificates(_) => "install the system's certificate roots (package ca-certificates)",
            Self::Quote(_) => "the quote is damaged, or not one of Intel's",
            Self::None { error, .. } => match error {
                FetchError::Connect(_) | FetchError::Cut { .. } => {
                    "connect this machine to Intel's service or to a PCCS for a moment; collateral holds for about 30 days"
                }
                FetchError::Status { .. } => {
                    "the platform may not be registered with Intel, or the PCCS does not know it; its operator has to look"
                }
                FetchError::Refused(_) | FetchError::Older => {
                    "the service gives collateral that is not Intel's, of another platform, or old; try another one, and look at \
                     this machine's clock"
                }
                _ => "the address may be that of another service",
            },
        }
    }
}

// === impl FetchError ===

impl FetchError {
    /// Whether asking again may help.
    pub(super) const fn may_pass(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Cut { .. } => true,
            Self::Status { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }
}

fn ended(at: Option<u64>) -> String {
    at.map_or_else(String::new, |at| {
        format!("; what is on disk ended at {at} (Unix seconds)")
    })
}
