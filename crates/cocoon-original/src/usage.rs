//! Adjusted tokens, which the original's peers tell of each request, and the counts behind them.

use cocoon_accounting::adjusted;
use cocoon_tl::shared::TokensUsed;
use cocoon_types::{Coefficient, Multipliers, Usage};

/// 1/1000 of the coefficient times 1/10000 of the multiplier.
const SCALE: u128 = 10_000_000;

/// Nothing was used.
pub(crate) const NOTHING: TokensUsed = TokensUsed {
    prompt_tokens_used: 0,
    cached_tokens_used: 0,
    completion_tokens_used: 0,
    reasoning_tokens_used: 0,
    total_tokens_used: 0,
};

/// A usage as it is told at this price.
pub(crate) fn told(usage: &Usage, coefficient: Coefficient, multipliers: &Multipliers) -> TokensUsed {
    let Ok(tokens) = adjusted(usage, coefficient, multipliers) else {
        return NOTHING;
    };
    let wire = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    TokensUsed {
        prompt_tokens_used: wire(tokens.prompt),
        cached_tokens_used: wire(tokens.cached),
        completion_tokens_used: wire(tokens.completion),
        reasoning_tokens_used: wire(tokens.reasoning),
        total_tokens_used: wire(tokens.total()),
    }
}

/// The fewest tokens that come to what was told at this price. What a peer counted in integers is found exactly when a token
/// weighs one or more; when it weighs less, the adjusted count, which is what is paid for, comes out the same.
///
/// `None` for what cannot be true: a negative count, a sum that is none, tokens that cost something where they are free.
pub(crate) fn meant(told: &TokensUsed, coefficient: Coefficient, multipliers: &Multipliers) -> Option<Usage> {
    let count = |count: i64| u64::try_from(count).ok();
    let [prompt, cached, completion, reasoning] = [
        count(told.prompt_tokens_used)?,
        count(told.cached_tokens_used)?,
        count(told.completion_tokens_used)?,
        count(told.reasoning_tokens_used)?,
    ];
    let sum = prompt
        .checked_add(cached)?
        .checked_add(completion)?
        .checked_add(reasoning)?;
    if sum != count(told.total_tokens_used)? {
        return None;
    }
    let fewest = |tokens: u64, multiplier: u32| {
        let weight = u128::from(coefficient.per_mille()).checked_mul(u128::from(multiplier))?;
        if tokens == 0 {
            return Some(0);
        }
        let scaled = u128::from(tokens).checked_mul(SCALE)?;
        // A token without weight cannot come to anything.
        (weight > 0).then_some(())?;
        u64::try_from(scaled.div_ceil(weight)).ok()
    };
    let cached = fewest(cached, multipliers.cached)?;
    let reasoning = fewest(reasoning, multipliers.reasoning)?;
    let prompt = fewest(prompt, multipliers.prompt)?.checked_add(cached)?;
    let completion = fewest(completion, multipliers.completion)?.checked_add(reasoning)?;
    Usage::new(prompt, cached, completion, reasoning).ok()
}

#[cfg(test)]
mod tests {
    use cocoon_tl::shared::TokensUsed;
    use cocoon_types::{Coefficient, Multipliers, Usage};
    use proptest::prelude::*;

    use super::{NOTHING, meant, told};

    /// spec/network.md 11: usage 34 prompt (11 cached), 100 completion (10 reasoning).
    #[test]
    fn the_vector_goes_both_ways() {
        let usage = Usage::new(34, 11, 100, 10).unwrap();
        let tokens = told(&usage, Coefficient::ONE, &Multipliers::ONE);
        let expected = TokensUsed {
            prompt_tokens_used: 23,
            cached_tokens_used: 11,
            completion_tokens_used: 90,
            reasoning_tokens_used: 10,
            total_tokens_used: 134,
        };
        assert_eq!(tokens, expected);
        assert_eq!(meant(&tokens, Coefficient::ONE, &Multipliers::ONE), Some(usage));
    }

    #[test]
    fn what_cannot_be_true_is_nothing() {
        let meant = |tokens: &TokensUsed| meant(tokens, Coefficient::ONE, &Multipliers::ONE);
        let negative = TokensUsed {
            prompt_tokens_used: -5,
            total_tokens_used: -5,
            ..NOTHING
        };
        assert_eq!(meant(&negative), None);
        let hidden = TokensUsed {
            prompt_tokens_used: 1,
            total_tokens_used: 1_000_000,
            ..NOTHING
        };
        assert_eq!(meant(&hidden), None, "a total that is no sum");
        let huge = TokensUsed {
            prompt_tokens_used: i64::MAX,
            total_tokens_used: i64::MAX,
            ..NOTHING
        };
        assert_eq!(meant(&huge), None);
        assert_eq!(meant(&NOTHING), Some(Usage::default()));
    }

    proptest! {
        #[test]
        fn whoever_counts_again_charges_the_same(
            counts in prop::array::uniform4(0..1_000_000_u64),
            coefficient in 0..100_000_u32,
            weights in prop::array::uniform4(0..200_000_u32),
        ) {
            let usage = Usage::new(counts[0] + counts[1], counts[1], counts[2] + counts[3], counts[3]).unwrap();
            let coefficient = Coefficient::new(coefficient).unwrap();
            let multipliers = Multipliers {
                prompt: weights[0], cached: weights[1], completion: weights[2], reasoning: weights[3],
            };
            let tokens = told(&usage, coefficient, &multipliers);
            let again = meant(&tokens, coefficient, &multipliers).unwrap();
            prop_assert_eq!(told(&again, coefficient, &multipliers), tokens);
            prop_assert!(again.prompt() <= usage.prompt() && again.completion() <= usage.completion());
        }
    }
}
