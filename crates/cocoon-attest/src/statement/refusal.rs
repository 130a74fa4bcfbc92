use crate::gpu::{GpuEvidenceError, GpuRefusal};
use crate::refusal::Refusal;

/// Why a statement was refused: one variant for each check, in the order in which they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatementRefusal {
    /// Step 1: over its limit.
    #[error("the statement is too long")]
    TooLong,
    /// Step 1: of another version.
    #[error("the statement has version {0}, which this build does not read")]
    Version(u8),
    /// Step 1: this part of it is cut, or not what can stand there.
    #[error("the statement is malformed: {0}")]
    Malformed(&'static str),
    /// Step 2: it speaks of another key than the link's.
    #[error("the statement is about another peer than the one who sent it")]
    Key,
    /// Step 3: over before it begins, longer than an hour, or begun before its block.
    #[error("the statement's window is impossible")]
    Window,
    /// Step 3.
    #[error("the statement holds only from {from} (Unix seconds); is this machine's clock right?")]
    NotYetValid {
        /// First second.
        from: u64,
    },
    /// Step 3.
    #[error("the statement ended at {until} (Unix seconds)")]
    Expired {
        /// Last second.
        until: u64,
    },
    /// Step 4: later than the newest block.
    #[error("the statement names a block that does not exist yet")]
    FutureBlock,
    /// Step 4: number, id and time are those of no block of the chain.
    #[error("the statement names a block that is not on the chain")]
    UnknownBlock,
    /// Step 4.
    #[error("the statement's block is {age} s old; an hour is allowed")]
    StaleBlock {
        /// Seconds.
        age: u64,
    },
    /// Step 5: missing, unasked for, or of another digest.
    #[error("the GPU evidence is not the one that the statement names")]
    GpuEvidence,
    /// Step 5: not its form.
    #[error(transparent)]
    GpuEvidenceForm(#[from] GpuEvidenceError),
    /// Step 6.
    #[error("the statement's own evidence: {0}")]
    Quote(#[from] Refusal),
    /// Step 6: another image than the link's.
    #[error("the statement was made by another image than the link's")]
    Image,
    /// Step 6: one of the two is simulated and the other is not.
    #[error("of the statement's evidence and the link's, one is simulated")]
    Kind,
    /// Step 7.
    #[error("the statement has {used} accelerators in use and evidence of {shown}")]
    GpuCount {
        /// As the statement says.
        used: u8,
        /// As came.
        shown: usize,
    },
    /// Step 7.
    #[error("GPU {number}: {refusal}")]
    Gpu {
        /// From 0.
        number: usize,
        /// Why.
        refusal: GpuRefusal,
    },
}
