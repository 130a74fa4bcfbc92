use cocoon_attest::tdx::{Item, TcbStatus, TdxClaims, TdxPolicy, TdxRefusal, TdxReport, verify};

use super::*;

mod appraisal;
mod faults;
mod save;

const NOW: u64 = 1_795_400_000;
const REPORT_DATA: [u8; 64] = [7; 64];
const FORMATS: [QuoteFormat; 3] = [QuoteFormat::V4, QuoteFormat::V5, QuoteFormat::V5Extended];

fn image() -> Measurements {
    Measurements {
        mrtd: [1; 48],
        mr_config_id: [2; 48],
        mr_owner: [3; 48],
        mr_owner_config: [4; 48],
        rtmr: [[5; 48], [6; 48], [7; 48], [8; 48]],
    }
}

fn verify_own(
    tee: &DevelopmentTee,
    format: QuoteFormat,
    policy: &TdxPolicy,
    now: u64,
) -> Result<TdxClaims, TdxRefusal> {
    let quote = tee.quote(format, &REPORT_DATA, &image()).unwrap();
    let collateral = tee.collateral(NOW).unwrap();
    verify(&quote, &collateral, tee.root_der(), policy, now)
}

#[test]
fn good_evidence_verifies_with_the_strictest_policy() {
    let tee = DevelopmentTee::new(NOW).unwrap();
    for format in FORMATS {
        let claims = verify_own(&tee, format, &TdxPolicy::default(), NOW).unwrap();
        let (version, report) = match format {
            QuoteFormat::V4 => (4, TdxReport::V10),
            QuoteFormat::V5 => (5, TdxReport::V15),
            QuoteFormat::V5Extended => (5, TdxReport::V15Extended),
        };
        assert_eq!((claims.quote_version, claims.report), (version, report));
        assert_eq!(claims.measurements, image());
        assert_eq!(claims.report_data, REPORT_DATA);
        assert_eq!(claims.tcb_status, TcbStatus::UpToDate);
        assert_eq!(claims.tcb_evaluation, TCB_EVALUATION);
        assert_eq!(claims.fmspc, *b"DEV\0\0\0");
        assert_eq!(claims.smt, Some(false));
        // The lists are first to end, a second before the next ones are due.
        assert_eq!(claims.expires_at, NOW + 30 * 86_400 - 1);
    }
}

#[test]
fn it_holds_up_to_its_last_second_and_is_renewed() {
    let tee = DevelopmentTee::new(NOW).unwrap();
    let policy = TdxPolicy::default();
    let last = NOW + 30 * 86_400 - 1;
    assert!(verify_own(&tee, QuoteFormat::V4, &policy, last).is_ok());
    assert_eq!(
        verify_own(&tee, QuoteFormat::V4, &policy, last + 1),
        Err(TdxRefusal::Expired {
            item: Item::RootCrl,
            until: last
        })
    );
    let quote = tee.quote(QuoteFormat::V4, &REPORT_DATA, &image()).unwrap();
    let renewed = tee.collateral(last).unwrap();
    assert!(verify(&quote, &renewed, tee.root_der(), &policy, last + 1).is_ok());
}

#[test]
fn evidence_of_one_root_is_worth_nothing_under_another() {
    let (ours, theirs) = (
        DevelopmentTee::new(NOW).unwrap(),
        DevelopmentTee::new(NOW).unwrap(),
    );
    let quote = theirs.quote(QuoteFormat::V4, &REPORT_DATA, &image()).unwrap();
    let policy = TdxPolicy::default();
    let collateral = theirs.collateral(NOW).unwrap();
    // The names are the same, the keys are not.
    let found = verify(&quote, &collateral, ours.root_der(), &policy, NOW);
    assert_eq!(found, Err(TdxRefusal::Signature(Item::RootCrl)));
    // Their quote with our collateral.
    let found = verify(
        &quote,
        &ours.collateral(NOW).unwrap(),
        ours.root_der(),
        &policy,
        NOW,
    );
    assert_eq!(found, Err(TdxRefusal::Signature(Item::PckCa)));
    // And Intel's root.
    let found = verify(&quote, &collateral, Roots::makers().intel(), &policy, NOW);
    assert_eq!(found, Err(TdxRefusal::Issuer(Item::RootCrl)));
}

#[test]
fn each_certificate_says_what_it_is() {
    let tee = DevelopmentTee::new(NOW).unwrap();
    let collateral = tee.collateral(NOW).unwrap();
    let mark = b"DEVELOPMENT ONLY";
    let has = |bytes: &[u8]| bytes.windows(mark.len()).any(|part| part == mark);
    assert!(has(tee.root_der()));
    assert!(has(&collateral.parts().root_ca_crl));
    assert!(has(&collateral.parts().pck_crl));
    assert!(tee.roots().is_ok());
    assert!(format!("{tee:?}").len() < 100);
}
