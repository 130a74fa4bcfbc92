use cocoon_types::{Coefficient, Multipliers, Nanoton, Usage};
use proptest::prelude::*;

use super::{Overflow, Prices, PricesError, adjust, adjusted, worst_case};

/// The reported live multipliers (spec/ton.md 9.5).
const LIVE: Multipliers = Multipliers {
    prompt: 10_000,
    cached: 1_000,
    completion: 80_000,
    reasoning: 80_000,
};

fn per_mille(value: u32) -> Coefficient {
    Coefficient::new(value).unwrap()
}

#[test]
fn the_table_of_the_specification() {
    // Count, coefficient, multiplier, exact floor (spec/ton.md 6.2). The original's binary64 gives one less in the
    // last three.
    let rows = [
        (800, 1000, 10_000, 800),
        (9, 1000, 1000, 0),
        (10, 1000, 1000, 1),
        (400, 1000, 80_000, 3200),
        (7, 1500, 10_000, 10),
        (333, 4000, 10_000, 1332),
        (123_457, 1234, 80_000, 1_218_767),
        (88_940, 4100, 10_000, 364_654),
        (5440, 4100, 5000, 11_152),
        (123_920, 4100, 40_000, 2_032_288),
    ];
    for (count, coefficient, multiplier, expected) in rows {
        assert_eq!(adjust(count, per_mille(coefficient), multiplier), Ok(expected));
    }
}

#[test]
fn the_example_of_the_specification() {
    // spec/ton.md 6.3: 4820 adjusted tokens, 96 400 nanoTON.
    let usage = Usage::new(1000, 200, 500, 100).unwrap();
    let tokens = adjusted(&usage, Coefficient::ONE, &LIVE).unwrap();
    assert_eq!(
        (
            tokens.prompt,
            tokens.cached,
            tokens.completion,
            tokens.reasoning,
            tokens.total()
        ),
        (800, 20, 3200, 800, 4820)
    );
    let prices = Prices::new(Nanoton::new(20), Nanoton::new(19), LIVE).unwrap();
    let cost = prices.class_cost(&tokens).unwrap();
    assert_eq!(cost.total, Nanoton::new(96_400));
    assert_eq!(
        cost.prompt.nano() + cost.cached.nano() + cost.completion.nano() + cost.reasoning.nano(),
        96_400
    );
    assert_eq!(prices.earnings(tokens.total()), Ok(Nanoton::new(91_580)));
}

#[test]
fn what_does_not_fit_is_told() {
    let most = per_mille(Coefficient::LIMIT - 1);
    let dear = Multipliers {
        completion: u32::MAX,
        ..LIVE
    };
    let usage = Usage::new(0, 0, Usage::MAX_COUNT, 0).unwrap();
    assert_eq!(adjusted(&usage, most, &dear), Err(Overflow));
    assert_eq!(worst_case(u64::MAX, 1, Coefficient::ONE, &LIVE), Err(Overflow));
    let prices = Prices::new(Nanoton::new(20), Nanoton::ZERO, LIVE).unwrap();
    assert_eq!(prices.cost(u64::MAX), Err(Overflow));
    assert_eq!(
        Prices::new(Nanoton::new(1), Nanoton::new(2), LIVE),
        Err(PricesError::FeeAbovePrice)
    );
}

proptest! {
    #[test]
    fn no_usage_within_the_bounds_exceeds_the_worst_case(
        body in 0u64..10_000_000, max_tokens in 0u64..1_000_000,
        most in 0u32..1_000_000, price in 0u32..1_000_000,
        parts in prop::array::uniform4(0u32..=1000),
        multipliers in prop::array::uniform4(0u32..1_000_000),
    ) {
        let [prompt, cached, completion, reasoning] = multipliers;
        let multipliers = Multipliers { prompt, cached, completion, reasoning };
        let share = |whole: u64, part: u32| whole * u64::from(part) / 1000;
        let prompt = share(body + super::TEMPLATE_ALLOWANCE, parts[0]);
        let completion = share(max_tokens, parts[1]);
        let usage = Usage::new(
            prompt, share(prompt, parts[2]), completion, share(completion, parts[3]),
        ).unwrap();
        let worst = worst_case(body, max_tokens, per_mille(most), &multipliers).unwrap();
        let real = adjusted(&usage, per_mille(price.min(most)), &multipliers).unwrap();
        prop_assert!(real.total() <= worst);
    }

    #[test]
    fn the_original_is_at_most_one_lower(
        count in 0u64..10_000_000, coefficient in 0u32..100_000, multiplier in 0u32..1_000_000,
    ) {
        let exact = adjust(count, per_mille(coefficient), multiplier).unwrap();
        // spec/ton.md 6.2, in its order of operations.
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss,
            reason = "the original's own arithmetic")]
        let original = (((count as f64 * (f64::from(coefficient) * 0.001)) * f64::from(multiplier)) * 0.0001) as u64;
        prop_assert!(original == exact || original + 1 == exact);
    }
}
