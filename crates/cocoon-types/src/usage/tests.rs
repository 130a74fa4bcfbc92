use proptest::prelude::*;

use super::{Usage, UsageError};

#[test]
fn a_part_never_exceeds_its_whole() {
    assert_eq!(Usage::new(3, 4, 0, 0), Err(UsageError::CachedAbovePrompt));
    assert_eq!(Usage::new(3, 3, 1, 2), Err(UsageError::ReasoningAboveCompletion));
    assert_eq!(Usage::new(u64::MAX, 0, 0, 0), Err(UsageError::TooLarge));
}

proptest! {
    #[test]
    fn no_input_overflows(p: u64, c: u64, o: u64, r: u64) {
        if let Ok(usage) = Usage::new(p, c, o, r) {
            prop_assert_eq!(usage.total(), p + o);
        }
    }
}
