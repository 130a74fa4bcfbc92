/// Why a chain did not answer or did not take a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// No answer, or one that says to come again.
    #[error("the chain cannot be reached: {0}")]
    Unreachable(String),
    /// The message was not accepted: the account's code refused it, or the account cannot pay for its import.
    #[error("the external message was refused{}: {reason}", exit_code.map_or_else(String::new, |code| format!(" with exit code {code}")))]
    Refused {
        /// How the code ended, if it ran.
        exit_code: Option<i32>,
        /// In words.
        reason: String,
    },
    /// No such block or transaction, or it is not kept any more.
    #[error("not found on the chain: {0}")]
    NotFound(String),
    /// The answer, or what was asked, is not well-formed; or the answer contradicts what was asked for.
    #[error("the chain and this node do not understand each other: {0}")]
    Invalid(String),
}

/// Why bytes of the chain are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("a cell is malformed: {0}")]
    Cell(#[from] tycho_types::error::Error),
    #[error("an amount is above 2^64 nanoTON")]
    Amount,
    #[error("not an ordinary transaction")]
    Kind,
}

impl ChainError {
    /// Whether the same call may work later without any change.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable(_))
    }
}

impl From<Malformed> for ChainError {
    fn from(error: Malformed) -> Self {
        Self::Invalid(error.to_string())
    }
}
