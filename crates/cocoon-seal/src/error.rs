//! What can go wrong in making.

/// No sealing key could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealingKeysError {
    /// See [`crate::NoRandomness`].
    #[error("the source of randomness failed")]
    NoRandomness,
    /// The library refused its own key.
    #[error("no sealing key could be made")]
    Generate,
}

/// A request or an answer could not be sealed; nothing has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// See [`crate::NoRandomness`].
    #[error("the source of randomness failed")]
    NoRandomness,
    /// A field that no reader would take.
    #[error(transparent)]
    Malformed(#[from] crate::Malformed),
    /// A candidate's key does not live now.
    #[error("the sealing key of candidate {0} does not live now")]
    KeyNotAlive(usize),
    /// A body or a part above its limit.
    #[error("too large to be sealed")]
    TooLarge,
    /// A cryptographic operation failed that has no reason to.
    #[error("sealing failed")]
    Failed,
}

impl From<crate::NoRandomness> for SealError {
    fn from(_: crate::NoRandomness) -> Self {
        Self::NoRandomness
    }
}

impl From<crate::cipher::Failed> for SealError {
    fn from(_: crate::cipher::Failed) -> Self {
        Self::Failed
    }
}
