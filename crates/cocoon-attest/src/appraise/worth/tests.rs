use super::*;
use crate::tdx::TdxRefusal;

const QUOTE: &[u8] = include_bytes!("../../../testdata/tdx/tdx_quote_td15ex");
const COLLATERAL: &[u8] = include_bytes!("../../../testdata/tdx/tdx_quote_td15ex_collateral.json");

#[test]
fn the_tier_follows_from_root_image_and_accelerators() {
    use Accelerators::{Attested, None, NotAttested};
    let listed = ImageRule::Listed(vec![[1; 32]]);
    for accelerators in [None, Attested, NotAttested] {
        for images in [&ImageRule::Any, &listed] {
            assert_eq!(tier(true, images, accelerators), Tier::Simulated);
        }
        assert_eq!(tier(false, &ImageRule::Any, accelerators), Tier::Open);
    }
    assert_eq!(tier(false, &listed, None), Tier::Confidential);
    assert_eq!(tier(false, &listed, Attested), Tier::Confidential);
    assert_eq!(tier(false, &listed, NotAttested), Tier::Attested);
    assert_eq!(Accelerators::default(), NotAttested);
}

#[test]
fn a_real_quote_is_worth_nothing_under_another_key() {
    let collateral = Collateral::from_json(COLLATERAL).unwrap();
    let policy = Policy::default();
    let roots = Roots::makers();
    let judge = Judge {
        accelerators: Accelerators::None,
        policy: &policy,
        roots: &roots,
        now: 1_791_500_000,
    };
    let found = judge.trust_domain(QUOTE, &[7; 64], &collateral);
    assert!(matches!(found, Err(Refusal::ReportData)));
    let found = judge.trust_domain(&QUOTE[..100], &[7; 64], &collateral);
    assert!(matches!(
        found,
        Err(Refusal::Tdx(TdxRefusal::QuoteTruncated("report")))
    ));
}
