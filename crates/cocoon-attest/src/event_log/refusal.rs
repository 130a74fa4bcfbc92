use super::Register;

/// Why an event log is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventLogRefusal {
    /// Over [`super::MAX_EVENT_LOG_BYTES`].
    #[error("the event log is too large")]
    TooLarge,
    /// The first record is not the one that every crypto-agile log begins with.
    #[error("this is not an event log of the TCG's second form")]
    NotAnEventLog,
    /// This part of it is cut, or not what the form has there.
    #[error("the event log is malformed: {0}")]
    Malformed(&'static str),
    /// Over [`super::MAX_EVENTS`].
    #[error("the event log has too many events")]
    TooManyEvents,
    /// A digest of an algorithm that the header does not name.
    #[error("the event log has a digest of the undeclared algorithm {got:#06x}")]
    Algorithm {
        /// The TCG's number of it.
        got: u16,
    },
    /// A log, or an event in it, without the hash that the registers are made of; a TPM's log, say.
    #[error("the event log has no SHA-384 digests")]
    NoSha384,
    /// An event of another register than events extend.
    #[error("the event log extends register {got}; only 1 to 4 can be extended")]
    Register {
        /// Index in the log: 1 to 4 are RTMR0 to RTMR3; 0 is MRTD, which nothing extends.
        got: u32,
    },
    /// The log does not explain what was quoted.
    #[error("the event log does not lead to the quoted value of {register:?}")]
    Mismatch {
        /// The first register that differs.
        register: Register,
    },
}
