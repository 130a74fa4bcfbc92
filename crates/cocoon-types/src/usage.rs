/// Model tokens that one request used, as the engine counted them; before multiplier and coefficient.
///
/// `cached` is a part of `prompt`, and `reasoning` a part of `completion`, as in OpenAI's `usage` object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Usage {
    prompt: u64,
    cached: u64,
    completion: u64,
    reasoning: u64,
}

/// The four counts contradict each other or are absurd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// More cached prompt tokens than prompt tokens.
    #[error("more cached than prompt tokens")]
    CachedAbovePrompt,
    /// More reasoning tokens than completion tokens.
    #[error("more reasoning than completion tokens")]
    ReasoningAboveCompletion,
    /// A count above [`Usage::MAX_COUNT`].
    #[error("a token count is absurdly large")]
    TooLarge,
}

impl Usage {
    /// No request uses more of one class; keeps sums and prices far from overflow.
    pub const MAX_COUNT: u64 = 1 << 40;

    /// Usage from its four counts.
    ///
    /// # Errors
    /// [`UsageError`] when the counts cannot be true.
    pub const fn new(prompt: u64, cached: u64, completion: u64, reasoning: u64) -> Result<Self, UsageError> {
        if prompt > Self::MAX_COUNT || completion > Self::MAX_COUNT {
            return Err(UsageError::TooLarge);
        }
        if cached > prompt {
            return Err(UsageError::CachedAbovePrompt);
        }
        if reasoning > completion {
            return Err(UsageError::ReasoningAboveCompletion);
        }
        Ok(Self {
            prompt,
            cached,
            completion,
            reasoning,
        })
    }

    /// Prompt tokens, cached ones included.
    pub const fn prompt(&self) -> u64 {
        self.prompt
    }

    /// Prompt tokens that the engine took from its cache.
    pub const fn cached(&self) -> u64 {
        self.cached
    }

    /// Completion tokens, reasoning included.
    pub const fn completion(&self) -> u64 {
        self.completion
    }

    /// Completion tokens that were reasoning.
    pub const fn reasoning(&self) -> u64 {
        self.reasoning
    }

    /// Prompt and completion together.
    pub const fn total(&self) -> u64 {
        self.prompt + self.completion
    }
}

#[cfg(test)]
mod tests;
