use cocoon_tl::TlString;

use super::*;

fn judged(tier: i32, until: i64, refusal: &str) -> Bytes {
    let message = v3::StatementJudged {
        statement: [1; 32],
        tier,
        until,
        refusal: TlString::from(refusal.to_owned()),
    };
    message.to_boxed()
}

#[test]
fn a_verdict_holds_as_long_as_it_says() {
    let standing = Standing::default();
    assert_eq!(standing.verdict(0), None);
    standing.hear(judged(0, 100, "")).unwrap();
    let believed = Verdict::Believed {
        tier: Tier::Confidential,
        until: 100,
    };
    assert_eq!(standing.verdict(100), Some(believed));
    assert_eq!(standing.verdict(101), None);
    standing.hear(judged(0, 100, "it is of another key")).unwrap();
    assert_eq!(
        standing.verdict(u64::MAX),
        Some(Verdict::Refused("it is of another key".to_owned()))
    );
}

#[test]
fn what_is_no_verdict_is_none() {
    let standing = Standing::default();
    standing.hear(judged(77, 100, "")).unwrap_err();
    standing.hear(judged(1, 1, "").slice(..8)).unwrap_err();
    assert_eq!(standing.verdict(0), None);
    standing.hear(judged(1, -1, "")).unwrap();
    assert_eq!(standing.verdict(1), None, "it is over");
    standing.hear(judged(1, 1, &"x".repeat(10_000))).unwrap();
    let Some(Verdict::Refused(reason)) = standing.verdict(0) else {
        panic!("it is refused");
    };
    assert!(reason.chars().count() <= MAX_SENTENCE + 1);
}

#[test]
fn a_proxys_word_makes_nobody_what_it_is_not() {
    let tiers = [Tier::Confidential, Tier::Attested, Tier::Open, Tier::Simulated];
    for own in tiers {
        assert_eq!(worth(None, own), own);
        assert_eq!(worth(Some(&Verdict::Refused(String::new())), own), own);
        for tier in tiers {
            let believed = worth(Some(&Verdict::Believed { tier, until: 0 }), own);
            let is_hardware = |tier| matches!(tier, Tier::Confidential | Tier::Attested);
            let expected = match tier {
                Tier::Open => Tier::Open,
                _ if is_hardware(own) && is_hardware(tier) => tier,
                _ => own,
            };
            assert_eq!(believed, expected, "{own} believed to be {tier}");
        }
    }
}
