//! The weight of a worker in the draw: the cheaper, the freer and the more reliable, the heavier.

use cocoon_types::Coefficient;

/// So that the lightest worker that there can be still has some weight.
const SCALE: u64 = 1 << 31;

/// `running` of `capacity` places are taken; `faults` are those of late.
pub(super) fn weight(price: Coefficient, running: u32, capacity: u32, faults: u32) -> u32 {
    let price = u64::from(price.per_mille()).max(1);
    // How long a request waits, relative to other workers: one more at work, over how many work at once; in 64ths.
    let wait = (64 * (u64::from(running) + 1)).div_ceil(u64::from(capacity).max(1));
    let cost = price.saturating_mul(wait).saturating_mul(1 + u64::from(faults));
    u32::try_from((SCALE / cost).max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cheaper_freer_and_more_reliable_is_heavier() {
        let price = |per_mille| Coefficient::new(per_mille).unwrap();
        let usual = weight(price(1000), 0, 4, 0);
        assert!(weight(price(500), 0, 4, 0) > usual);
        assert!(weight(price(1000), 0, 8, 0) > usual);
        assert!(weight(price(1000), 1, 4, 0) < usual);
        assert!(weight(price(1000), 0, 4, 1) < usual);
        assert!(weight(price(999_999_999), u32::MAX, 1, u32::MAX) >= 1);
        assert!(weight(price(0), 0, u32::MAX, 0) > 0);
        assert!(weight(price(0), 0, 0, 0) > 0);
    }
}
