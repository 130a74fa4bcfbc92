//! What usage costs (spec/ton.md 6), in integers: the exact floor where the original computes in binary64 and is at
//! most one lower. No peer compares, so exact is compatible.

use cocoon_types::{Coefficient, Multipliers, Nanoton, Usage};

/// What tokens cost: a part of the address of every contract, so constant in the life of one (spec/ton.md 1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prices {
    price: Nanoton,
    worker_fee: Nanoton,
    multipliers: Multipliers,
}

/// Prices that no contract could work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PricesError {
    /// The worker's contract cannot pay a negative share to the proxy (spec/ton.md 2.3).
    #[error("the worker's fee is above the price")]
    FeeAbovePrice,
}

/// A product that does not fit 64 bits: counts or prices are absurd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the amount does not fit 64 bits")]
pub struct Overflow;

/// Adjusted tokens by class: after coefficient and multiplier. The contracts count their total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassTokens {
    /// Prompt tokens that were not cached.
    pub prompt: u64,
    /// Cached prompt tokens.
    pub cached: u64,
    /// Completion tokens that were not reasoning.
    pub completion: u64,
    /// Reasoning tokens.
    pub reasoning: u64,
    total: u64,
}

/// What each class cost; the sum is exact because there is no rounding after the adjusted tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassCost {
    /// For prompt tokens that were not cached.
    pub prompt: Nanoton,
    /// For cached prompt tokens.
    pub cached: Nanoton,
    /// For completion tokens that were not reasoning.
    pub completion: Nanoton,
    /// For reasoning tokens.
    pub reasoning: Nanoton,
    /// All of them.
    pub total: Nanoton,
}

/// Prompt tokens that may come on top of one per byte of the body: the chat template around the messages.
pub const TEMPLATE_ALLOWANCE: u64 = 1024;

/// 1/1000 of the coefficient times 1/10000 of the multiplier.
const SCALE: u128 = 10_000_000;

/// The adjusted tokens of a usage: per class `floor(count × coefficient × multiplier / 10^7)`.
///
/// # Errors
/// [`Overflow`] when they do not fit 64 bits.
pub fn adjusted(
    usage: &Usage,
    coefficient: Coefficient,
    multipliers: &Multipliers,
) -> Result<ClassTokens, Overflow> {
    let class = |count: Option<u64>, multiplier| {
        count
            .ok_or(Overflow)
            .and_then(|count| adjust(count, coefficient, multiplier))
    };
    ClassTokens::new(
        class(usage.prompt().checked_sub(usage.cached()), multipliers.prompt)?,
        class(Some(usage.cached()), multipliers.cached)?,
        class(
            usage.completion().checked_sub(usage.reasoning()),
            multipliers.completion,
        )?,
        class(Some(usage.reasoning()), multipliers.reasoning)?,
    )
}

/// The most adjusted tokens that a request may come to (spec/ton.md 6.5, repaired as H14 asks).
///
/// A prompt token stands for at least one byte of the body; each side counts with the greatest multiplier that may
/// apply to it. No usage within these bounds at `most` or less exceeds it.
///
/// # Errors
/// [`Overflow`] when they do not fit 64 bits.
pub fn worst_case(
    body_bytes: u64,
    max_tokens: u64,
    most: Coefficient,
    multipliers: &Multipliers,
) -> Result<u64, Overflow> {
    let prompt = body_bytes.checked_add(TEMPLATE_ALLOWANCE).ok_or(Overflow)?;
    let prompt = adjust(prompt, most, multipliers.prompt.max(multipliers.cached))?;
    let dearest = multipliers.completion.max(multipliers.reasoning);
    let completion = adjust(max_tokens, most, dearest)?;
    prompt.checked_add(completion).ok_or(Overflow)
}

fn adjust(count: u64, coefficient: Coefficient, multiplier: u32) -> Result<u64, Overflow> {
    let product = u128::from(count)
        .checked_mul(u128::from(coefficient.per_mille()))
        .and_then(|product| product.checked_mul(u128::from(multiplier)))
        .and_then(|product| product.checked_div(SCALE));
    product
        .and_then(|tokens| u64::try_from(tokens).ok())
        .ok_or(Overflow)
}

// === impl Prices ===

impl Prices {
    /// The prices of a registry.
    ///
    /// # Errors
    /// [`PricesError`] when no contract could work with them.
    pub fn new(price: Nanoton, worker_fee: Nanoton, multipliers: Multipliers) -> Result<Self, PricesError> {
        if worker_fee > price {
            return Err(PricesError::FeeAbovePrice);
        }
        Ok(Self {
            price,
            worker_fee,
            multipliers,
        })
    }

    /// What a client pays for an adjusted token.
    pub const fn price(&self) -> Nanoton {
        self.price
    }

    /// What a worker earns for an adjusted token; the rest of the price is the proxy's.
    pub const fn worker_fee(&self) -> Nanoton {
        self.worker_fee
    }

    /// What tokens of each class weigh.
    pub const fn multipliers(&self) -> &Multipliers {
        &self.multipliers
    }

    /// What a client pays for so many adjusted tokens.
    ///
    /// # Errors
    /// [`Overflow`] when it does not fit 64 bits.
    pub fn cost(&self, tokens: u64) -> Result<Nanoton, Overflow> {
        self.price.checked_mul(tokens).ok_or(Overflow)
    }

    /// What a worker earns for so many adjusted tokens.
    ///
    /// # Errors
    /// [`Overflow`] when it does not fit 64 bits.
    pub fn earnings(&self, tokens: u64) -> Result<Nanoton, Overflow> {
        self.worker_fee.checked_mul(tokens).ok_or(Overflow)
    }

    /// What a client pays for each class.
    ///
    /// # Errors
    /// [`Overflow`] when it does not fit 64 bits.
    pub fn class_cost(&self, tokens: &ClassTokens) -> Result<ClassCost, Overflow> {
        Ok(ClassCost {
            prompt: self.cost(tokens.prompt)?,
            cached: self.cost(tokens.cached)?,
            completion: self.cost(tokens.completion)?,
            reasoning: self.cost(tokens.reasoning)?,
            total: self.cost(tokens.total)?,
        })
    }
}

// === impl ClassTokens ===

impl ClassTokens {
    fn new(prompt: u64, cached: u64, completion: u64, reasoning: u64) -> Result<Self, Overflow> {
        let total = prompt
            .checked_add(cached)
            .and_then(|sum| sum.checked_add(completion))
            .and_then(|sum| sum.checked_add(reasoning))
            .ok_or(Overflow)?;
        Ok(Self {
            prompt,
            cached,
            completion,
            reasoning,
            total,
        })
    }

    /// All classes together: what the counters of client and worker grow by.
    pub const fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests;
