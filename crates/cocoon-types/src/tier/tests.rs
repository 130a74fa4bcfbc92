use super::{Tier, TierPolicy};

const ALL: [Tier; 4] = [Tier::Confidential, Tier::Attested, Tier::Open, Tier::Simulated];

#[test]
fn nothing_downgrades_silently() {
    let accepted = |policy: TierPolicy| ALL.map(|tier| policy.accepts(tier));
    assert_eq!(accepted(TierPolicy::default()), [true, false, false, false]);
    assert_eq!(
        accepted(TierPolicy::at_least(Tier::Attested)),
        [true, true, false, false]
    );
    assert_eq!(
        accepted(TierPolicy::at_least(Tier::Open)),
        [true, true, true, false]
    );
    assert_eq!(
        accepted(TierPolicy::at_least(Tier::Simulated)),
        [true, false, false, true]
    );
}

#[test]
fn text_and_wire_forms_come_back() {
    for text in [
        "confidential",
        "attested",
        "open",
        "simulated",
        "open+simulated",
        "attested+simulated",
    ] {
        assert_eq!(text.parse::<TierPolicy>().unwrap().to_string(), text);
    }
    assert!("open+open".parse::<TierPolicy>().is_err() && "Open".parse::<TierPolicy>().is_err());
    for tier in ALL {
        assert_eq!(Tier::from_wire_code(tier.wire_code()), Some(tier));
    }
    assert_eq!(Tier::from_wire_code(4), None);
}
