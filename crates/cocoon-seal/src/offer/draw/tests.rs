use proptest::prelude::*;

use super::{draw, scale};
use crate::{MAX_CANDIDATES, NoRandomness};

/// Bytes that nobody would call random, but spread well enough for a distribution.
fn spread(mut state: u64) -> impl FnMut(&mut [u8]) -> Result<(), NoRandomness> {
    move |out: &mut [u8]| {
        for byte in out {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = state.to_be_bytes()[3];
        }
        Ok(())
    }
}

#[test]
fn first_places_follow_the_scores() {
    let scores = [0, 100, 300, 600];
    let mut random = spread(0x1234_5678_9abc_def1);
    let mut first = [0_u32; 4];
    let mut second = [0_u32; 4];
    let rounds = 20_000;
    for _ in 0..rounds {
        let drawn = draw(&scores, 2, &mut random).unwrap();
        first[drawn[0]] += 1;
        second[drawn[1]] += 1;
    }
    assert_eq!((first[0], second[0]), (0, 0));
    for (at, score) in scores.iter().enumerate() {
        let expected = rounds * score / 1000;
        // Five standard deviations of a binomial of 20 000 are below 350.
        assert!(first[at].abs_diff(expected) < 350, "{first:?}");
    }
    // P(second = 3) = 0.1 * 600/900 + 0.3 * 600/700
    let expected = (f64::from(rounds) * (0.1 * 6.0 / 9.0 + 0.3 * 6.0 / 7.0)).round();
    assert!((f64::from(second[3]) - expected).abs() < 350.0, "{second:?}");
}

#[test]
fn the_ends_of_the_line_fall_into_the_ends() {
    assert_eq!(scale(0, 10), 0);
    assert_eq!(scale(u128::MAX, 10), 9);
    assert_eq!(scale(u128::MAX / 2 + 1, 10), 5);
    let last = |out: &mut [u8]| {
        out.fill(0xff);
        Ok(())
    };
    assert_eq!(draw(&[5, 5, 0], 3, &mut { last }), Ok(vec![1, 0]));
    let none = |_: &mut [u8]| Err(NoRandomness);
    assert_eq!(draw(&[5, 5], 1, &mut { none }), Err(NoRandomness));
}

proptest! {
    #[test]
    fn none_twice_none_without_a_score_and_no_more_than_asked(
        scores in prop::collection::vec(prop_oneof![Just(0), Just(u32::MAX), any::<u32>()], 0..40),
        k in 0_usize..20,
        seed in 1_u64..,
    ) {
        let drawn = draw(&scores, k, &mut spread(seed)).unwrap();
        let offered = scores.iter().filter(|score| **score > 0).count();
        prop_assert_eq!(drawn.len(), k.min(offered).min(MAX_CANDIDATES));
        let mut sorted = drawn.clone();
        sorted.sort_unstable();
        sorted.dedup();
        prop_assert_eq!(sorted.len(), drawn.len());
        prop_assert!(drawn.iter().all(|at| scores[*at] > 0));
    }
}
