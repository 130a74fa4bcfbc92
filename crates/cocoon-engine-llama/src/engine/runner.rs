use llguidance::Matcher;

use super::{Sampling, Token, TokenLogprob};

/// What computes: llama.cpp, or a stand-in in tests. Owned by the engine's thread.
pub(crate) trait Runner {
    /// State of one sequence's choice of tokens.
    type Sampler;

    /// Tokens that one slot can hold.
    fn context_length(&self) -> usize;

    fn sampler(&self, sampling: &Sampling, constraint: Option<Box<Matcher>>) -> Self::Sampler;

    /// Forgets all but the first `keep` tokens of a slot; returns how many are left (0 where a model cannot keep a part).
    fn truncate(&mut self, slot: usize, keep: usize) -> usize;

    /// Makes `to` hold what `from` holds; false where a model cannot.
    fn copy(&mut self, from: usize, to: usize) -> bool;

    /// Computes the rows: at most [`MAX_ROWS`], positions following those that the slot holds.
    fn run(&mut self, rows: &[Row]) -> Result<(), RunError>;

    /// Draws a token at a row of the last run that asked for output.
    fn sample(&mut self, sampler: &mut Self::Sampler, row: usize) -> Result<Sampled, RunError>;

    /// The log probability of a token at such a row, with alternatives.
    fn logprob(&self, row: usize, token: Token, top: u8) -> TokenLogprob;

    /// Whether the token ends an answer.
    fn is_end(&self, token: Token) -> bool;

    /// Appends the token's bytes.
    fn piece(&self, token: Token, bytes: &mut Vec<u8>);

    /// Length of an embedding.
    fn embedding_width(&self) -> usize;

    /// Runs a piece of at most [`MAX_ROWS`] tokens for embedding and adds each token's state to `sum`. Position 0 begins anew.
    fn embed(&mut self, tokens: &[Token], position: usize, sum: &mut [f32]) -> Result<(), RunError>;
}

/// One token to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) token: Token,
    pub(crate) position: usize,
    pub(crate) slot: usize,
    /// A token will be drawn here.
    pub(crate) output: bool,
}

/// A token that was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sampled {
    pub(crate) token: Token,
    /// The grammar admits nothing after it.
    pub(crate) complete: bool,
}

/// Rows of one run at most; llama.cpp aborts above its `n_batch`, which is set from this.
///
/// Large enough for prompts to run at full speed on CPUs, small enough that a cancelled caller is noticed soon.
pub(crate) const MAX_ROWS: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RunError {
    #[error("llama.cpp could not compute the batch")]
    Decode,
    #[error("the grammar could not be followed")]
    Constraint,
}
