//! Whether the proxy went down the client's list as it should (docs/sealing.md, section 6).

use crate::refusal::{Reason, RefusalError, SignedRefusal};
use crate::{Digest, EncodedHead, SealingPublic};

/// Why a candidate did not serve, as the proxy says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skipped {
    /// The worker's own word.
    Refused(SignedRefusal),
    /// The proxy's word: the link was lost, or was not there.
    LinkLost,
}

/// Why a candidate did not serve, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// Proven: the worker signed it.
    Refused(Reason),
    /// Claimed by the proxy: to be counted.
    ClaimedLost,
}

/// The proxy did not go down the list as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SkipError {
    /// Whoever served was not asked.
    #[error("the worker that serves is no candidate")]
    NotACandidate,
    /// Not one reason for each candidate before the one that serves.
    #[error("{said} reasons for {skipped} candidates that were passed over")]
    Count {
        /// Reasons that came.
        said: usize,
        /// Candidates before the one that serves.
        skipped: usize,
    },
    /// A reason that is not the worker's.
    #[error("candidate {at}: {error}")]
    Refusal {
        /// Its place in the client's order.
        at: usize,
        /// What is wrong.
        #[source]
        error: RefusalError,
    },
}

/// Checks the reasons for every candidate before the one that serves; before all of them, when none does.
///
/// # Errors
/// [`SkipError`]: to be shown and counted against the proxy.
pub fn check_skips(
    head: &EncodedHead,
    candidates: &[&SealingPublic],
    served: Option<Digest>,
    skipped: &[Skipped],
) -> Result<Vec<Skip>, SkipError> {
    let place = |key_id| candidates.iter().position(|one| one.id() == key_id);
    let before = match served {
        Some(key_id) => place(key_id).ok_or(SkipError::NotACandidate)?,
        None => candidates.len(),
    };
    if skipped.len() != before {
        let said = skipped.len();
        return Err(SkipError::Count {
            said,
            skipped: before,
        });
    }
    let each = candidates.iter().zip(skipped).enumerate();
    each.map(|(at, (worker, skipped))| match skipped {
        Skipped::LinkLost => Ok(Skip::ClaimedLost),
        Skipped::Refused(refusal) => match refusal.verify(head.hash(), worker) {
            Ok(()) => Ok(Skip::Refused(refusal.reason)),
            Err(error) => Err(SkipError::Refusal { at, error }),
        },
    })
    .collect()
}
