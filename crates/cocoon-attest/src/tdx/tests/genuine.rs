//! The quotes of real machines, with the collateral that was valid for them (testdata/README.md).

use super::*;
use crate::Roots;

/// A real quote, its collateral, a second at which everything in it held, and what it says.
struct Sample {
    name: &'static str,
    quote: &'static [u8],
    collateral: &'static [u8],
    now: u64,
    version: u16,
    report: TdxReport,
    mrtd: &'static str,
    image_hash: &'static str,
    /// What else is refused, and when.
    refused: [(u64, TdxRefusal); 4],
}

const SAMPLES: [Sample; 2] = [
    Sample {
        name: "TDX 1.0 of June 2025",
        quote: include_bytes!("../../../testdata/tdx/tdx_quote"),
        collateral: include_bytes!("../../../testdata/tdx/tdx_quote_collateral.json"),
        now: 1_750_500_000,
        version: 4,
        report: TdxReport::V10,
        mrtd: "91eb2b44d141d4ece09f0c75c2c53d247a3c68edd7fafe8a3520c942a604a407de03ae6dc5f87f27428b2538873118b7",
        image_hash: "b260fa9168ca9f28e7f15f128a45ac31c419705b31a60feac30b322ee06bc752",
        refused: [
            (0, from(Item::Root, 1_526_899_510)),
            (1_750_328_162, from(Item::TcbInfo, 1_750_328_163)),
            (1_752_919_235, until(Item::PckCrl, 1_752_919_234)),
            (u64::MAX, until(Item::Root, 2_524_607_999)),
        ],
    },
    Sample {
        name: "TDX 1.5 extended of October 2026",
        quote: include_bytes!("../../../testdata/tdx/tdx_quote_td15ex"),
        collateral: include_bytes!("../../../testdata/tdx/tdx_quote_td15ex_collateral.json"),
        now: 1_791_500_000,
        version: 5,
        report: TdxReport::V15Extended,
        mrtd: "2a674327c50218dba880066b349b8d559d749ed68dce33fd651c184a877d084b07a9e583767a7ad5da13ed91deec2b70",
        image_hash: "828898d0193ff4cbc40f8a6510c9c70136035d828c8525de40ec3ed71b52ca4f",
        refused: [
            (0, from(Item::Root, 1_526_899_510)),
            (1_791_418_185, from(Item::TcbInfo, 1_791_418_186)),
            (1_794_008_712, until(Item::QeIdentity, 1_794_008_711)),
            (u64::MAX, until(Item::Root, 2_524_607_999)),
        ],
    },
];

const fn from(item: Item, from: u64) -> TdxRefusal {
    TdxRefusal::NotYetValid { item, from }
}

const fn until(item: Item, until: u64) -> TdxRefusal {
    TdxRefusal::Expired { item, until }
}

fn verify_at(sample: &Sample, policy: &TdxPolicy, now: u64) -> Result<TdxClaims, TdxRefusal> {
    let collateral = Collateral::from_json(sample.collateral).unwrap();
    verify(sample.quote, &collateral, Roots::makers().intel(), policy, now)
}

#[test]
fn real_quotes_verify_at_their_time_and_at_no_other() {
    for sample in &SAMPLES {
        let claims = verify_at(sample, &TdxPolicy::server(), sample.now).expect(sample.name);
        assert_eq!(claims.quote_version, sample.version);
        assert_eq!(claims.report, sample.report);
        assert_eq!(hex::encode(claims.measurements.mrtd), sample.mrtd);
        assert_eq!(hex::encode(claims.measurements.image_hash()), sample.image_hash);
        assert_eq!(claims.report_data, unverified_report_data(sample.quote).unwrap());
        assert_eq!(claims.fmspc, [0xb0, 0xc0, 0x6f, 0, 0, 0]);
        assert_eq!(claims.tcb_status, TcbStatus::UpToDate);
        assert_eq!(claims.attributes, 1 << 28);
        // Intel's root, by the number that the original allows.
        assert_eq!(
            hex::encode(claims.root_key_id),
            "46e403bd34f05a3f2817ab9badcaacc7ffc98e0f261008cd30dae936cace18d5dcf58eef31463613de1570d516200993"
        );
        // Good up to the last second that it names, and not one longer.
        let again = verify_at(sample, &TdxPolicy::server(), claims.expires_at);
        assert_eq!(again.as_ref(), Ok(&claims));
        let collateral = Collateral::from_json(sample.collateral).unwrap();
        assert_eq!(collateral.expires_at(), Ok(claims.expires_at));
        for (now, refusal) in sample.refused {
            assert_eq!(
                verify_at(sample, &TdxPolicy::server(), now),
                Err(refusal),
                "{} at {now}",
                sample.name
            );
        }
    }
}

#[test]
fn real_servers_need_the_policy_for_servers() {
    for sample in &SAMPLES {
        let mut policy = TdxPolicy::default();
        for (refusal, allow) in [
            (
                TdxRefusal::Smt,
                (|policy| policy.allow_smt = true) as fn(&mut TdxPolicy),
            ),
            (TdxRefusal::DynamicPlatform, |policy| {
                policy.allow_dynamic_platform = true;
            }),
            (TdxRefusal::CachedKeys, |policy| policy.allow_cached_keys = true),
        ] {
            assert_eq!(verify_at(sample, &policy, sample.now), Err(refusal));
            allow(&mut policy);
        }
        assert_eq!(policy, TdxPolicy::server());
        assert!(verify_at(sample, &policy, sample.now).is_ok());
    }
}

#[test]
fn a_platform_below_every_level_is_refused() {
    // Version 5 with a report of TDX 1.5; its SEAM loader is older than any level of the collateral.
    let collateral = include_bytes!("../../../testdata/tdx/tdx_quote_outdated_collateral.json");
    let collateral = Collateral::from_json(collateral).unwrap();
    let quote = include_bytes!("../../../testdata/tdx/tdx_quote_outdated");
    let found = verify(
        quote,
        &collateral,
        Roots::makers().intel(),
        &TdxPolicy::server(),
        1_772_000_000,
    );
    assert_eq!(found, Err(TdxRefusal::TcbLevel));
}

#[test]
fn collateral_of_another_kind_of_platform_is_refused() {
    // Both are good at this second as far as dates go; the quote is of another FMSPC than the collateral.
    let quote = include_bytes!("../../../testdata/tdx/tdx_quote");
    let collateral = include_bytes!("../../../testdata/tdx/tdx_quote_outdated_collateral.json");
    let collateral = Collateral::from_json(collateral).unwrap();
    let found = verify(
        quote,
        &collateral,
        Roots::makers().intel(),
        &TdxPolicy::server(),
        1_772_000_000,
    );
    assert_eq!(found, Err(TdxRefusal::Fmspc));
}

#[test]
fn the_json_form_goes_in_and_out() {
    for sample in &SAMPLES {
        let collateral = Collateral::from_json(sample.collateral).unwrap();
        let json = collateral.to_json();
        assert_eq!(Collateral::from_json(json.as_bytes()).unwrap(), collateral);
    }
}
