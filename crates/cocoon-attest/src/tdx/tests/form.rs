//! Every way in which a quote or collateral can be malformed has its own refusal. The rest of the table is in `cocoon-tee`,
//! where evidence can be made.

use super::*;

const QUOTE: &[u8] = include_bytes!("../../../testdata/tdx/tdx_quote_td15ex");
const COLLATERAL: &[u8] = include_bytes!("../../../testdata/tdx/tdx_quote_td15ex_collateral.json");
const NOW: u64 = 1_791_500_000;

fn verify_with(quote: &[u8], collateral: &Collateral) -> Result<TdxClaims, TdxRefusal> {
    verify(
        quote,
        collateral,
        crate::Roots::makers().intel(),
        &TdxPolicy::server(),
        NOW,
    )
}

fn collateral() -> Collateral {
    Collateral::from_json(COLLATERAL).unwrap()
}

#[test]
fn cut_anywhere_it_names_the_part() {
    let (mut parts, collateral) = (Vec::new(), collateral());
    for length in 0..QUOTE.len() {
        match verify_with(&QUOTE[..length], &collateral) {
            Err(TdxRefusal::QuoteTruncated(part)) => {
                if parts.last() != Some(&part) {
                    parts.push(part);
                }
            }
            other => panic!("{length}: {other:?}"),
        }
    }
    assert_eq!(
        parts,
        ["header", "body type", "body size", "report", "signature data"]
    );
}

#[test]
fn padding_is_zeros_and_nothing_else() {
    let good = verify_with(QUOTE, &collateral()).unwrap();
    let mut padded = [QUOTE, &[0; 200]].concat();
    assert_eq!(verify_with(&padded, &collateral()), Ok(good));
    *padded.last_mut().unwrap() = 1;
    assert_eq!(
        verify_with(&padded, &collateral()),
        Err(TdxRefusal::TrailingBytes)
    );
    padded.resize(crate::MAX_QUOTE_BYTES + 1, 0);
    assert_eq!(verify_with(&padded, &collateral()), Err(TdxRefusal::QuoteTooLong));
}

#[test]
fn each_malformed_part_of_collateral_is_named() {
    type Break = fn(&mut CollateralParts);
    let table: &[(Item, Break)] = &[
        (Item::RootCrl, |parts| parts.root_ca_crl.truncate(100)),
        (Item::PckCrl, |parts| parts.pck_crl.push(0)),
        (Item::PckCrl, |parts| parts.pck_crl.clear()),
        (Item::TcbSigner, |parts| {
            parts.tcb_info_issuer_chain.insert(0, 'x')
        }),
        (Item::QeIdentitySigner, |parts| {
            parts.qe_identity_issuer_chain = parts.qe_identity_issuer_chain.replace("MII", "MIJ");
        }),
        (Item::PckCrlIssuer, |parts| {
            parts.pck_crl_issuer_chain.push_str("-----BEGIN")
        }),
        (Item::TcbInfo, |parts| parts.tcb_info.truncate(2000)),
        (Item::TcbInfo, |parts| {
            parts.tcb_info = parts.tcb_info.replace("T00:09:46Z", " 00:09:46Z");
        }),
        (Item::QeIdentity, |parts| parts.qe_identity = "[".repeat(4000)),
    ];
    for (item, alter) in table {
        let mut parts = collateral().into_parts();
        alter(&mut parts);
        let collateral = Collateral::new(parts).unwrap();
        assert_eq!(verify_with(QUOTE, &collateral), Err(TdxRefusal::Malformed(*item)));
        assert_eq!(collateral.expires_at(), Err(TdxRefusal::Malformed(*item)));
    }
}

#[test]
fn chains_have_the_length_that_they_have() {
    let mut parts = collateral().into_parts();
    parts.tcb_info_issuer_chain = String::new();
    let none = Collateral::new(parts).unwrap();
    let refusal = TdxRefusal::ChainLength {
        item: Item::TcbSigner,
        count: 0,
    };
    assert_eq!(verify_with(QUOTE, &none), Err(refusal));
    let mut parts = collateral().into_parts();
    parts.qe_identity_issuer_chain = parts.qe_identity_issuer_chain.repeat(2);
    let refusal = TdxRefusal::ChainLength {
        item: Item::QeIdentitySigner,
        count: 4,
    };
    let many = Collateral::new(parts).unwrap();
    assert_eq!(verify_with(QUOTE, &many), Err(refusal));
}

#[test]
fn words_are_for_people() {
    for (refusal, words) in [
        (
            TdxRefusal::Expired {
                item: Item::PckCrl,
                until: 7,
            },
            "the PCK revocation list expired at 7 (Unix seconds); newer collateral is needed, or the clock is wrong",
        ),
        (
            TdxRefusal::TcbStatus(TcbStatus::SwHardeningNeeded),
            "the platform's TCB status is SWHardeningNeeded, which the policy does not allow",
        ),
        (
            TdxRefusal::Advisory(AdvisoryId::new("INTEL-SA-00837")),
            "the platform is affected by INTEL-SA-00837, which the policy does not accept",
        ),
        (
            TdxRefusal::Advisory(AdvisoryId::new("\u{1b}[31m and a name that never ends")),
            "the platform is affected by ?[31m?and?a?name?that?ne, which the policy does not accept",
        ),
        (
            TdxRefusal::Attributes(1 << 63),
            "the trust domain's attributes 0x8000000000000000 are not all allowed by the policy",
        ),
    ] {
        assert_eq!(refusal.to_string(), words);
    }
}
