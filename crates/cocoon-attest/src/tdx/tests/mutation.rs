//! Whatever is changed in genuine evidence, it never verifies with other claims, and nothing panics.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

const QUOTES: [(&[u8], &[u8], u64); 2] = [
    (
        include_bytes!("../../../testdata/tdx/tdx_quote"),
        include_bytes!("../../../testdata/tdx/tdx_quote_collateral.json"),
        1_750_500_000,
    ),
    (
        include_bytes!("../../../testdata/tdx/tdx_quote_td15ex"),
        include_bytes!("../../../testdata/tdx/tdx_quote_td15ex_collateral.json"),
        1_791_500_000,
    ),
];

/// Header, report, signature, key, QE report and its signature, of the shortest quote: no byte of it is free to choose.
const SIGNED: usize = 48 + 584 + 4 + 64 + 64 + 6 + 384 + 64;

struct Genuine {
    quote: &'static [u8],
    collateral: Collateral,
    now: u64,
    claims: TdxClaims,
}

static GENUINE: LazyLock<Vec<Genuine>> = LazyLock::new(|| {
    QUOTES
        .iter()
        .map(|&(quote, json, now)| {
            let collateral = Collateral::from_json(json).unwrap();
            let claims = verify_at(quote, &collateral, now).unwrap();
            Genuine {
                quote,
                collateral,
                now,
                claims,
            }
        })
        .collect()
});

fn verify_at(quote: &[u8], collateral: &Collateral, now: u64) -> Result<TdxClaims, TdxRefusal> {
    let roots = crate::Roots::makers();
    verify(quote, collateral, roots.intel(), &TdxPolicy::server(), now)
}

#[derive(Clone, Debug)]
enum Change {
    Flip(Index, u8),
    FlipAt(usize, u8),
    Cut(Index),
    CutFront(Index),
    Insert(Index, u8),
    Remove(Index),
    Swap(Index, Index),
    Append(Vec<u8>),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        8 => (any::<Index>(), 0_u32..8).prop_map(|(at, bit)| Change::Flip(at, 1 << bit)),
        1 => any::<Index>().prop_map(Change::Cut),
        1 => any::<Index>().prop_map(Change::CutFront),
        1 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Insert(at, byte)),
        1 => any::<Index>().prop_map(Change::Remove),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(one, other)| Change::Swap(one, other)),
        1 => proptest::collection::vec(any::<u8>(), 1..100).prop_map(Change::Append),
    ]
}

fn apply(bytes: &[u8], change: &Change) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = |index: &Index| index.index(bytes.len());
    match change {
        Change::Flip(index, bit) => {
            let at = at(index);
            bytes[at] ^= bit;
        }
        Change::FlipAt(at, bits) => bytes[*at] ^= bits,
        Change::Cut(index) => bytes.truncate(at(index)),
        Change::CutFront(index) => bytes = bytes.split_off(at(index)),
        Change::Insert(index, byte) => bytes.insert(at(index), *byte),
        Change::Remove(index) => {
            bytes.remove(at(index));
        }
        Change::Swap(one, other) => {
            let (one, other) = (at(one), at(other));
            bytes.swap(one, other);
        }
        Change::Append(more) => bytes.extend(more),
    }
    bytes
}

/// Changes one field of collateral; texts only as far as they stay texts.
fn alter(collateral: &Collateral, field: usize, change: &Change) -> Option<Collateral> {
    let mut parts = collateral.clone().into_parts();
    let text = |text: &mut String| {
        *text = String::from_utf8(apply(text.as_bytes(), change)).ok()?;
        Some(())
    };
    match field {
        0 => parts.root_ca_crl = apply(&parts.root_ca_crl, change),
        1 => parts.pck_crl = apply(&parts.pck_crl, change),
        2 => parts.tcb_info_signature = apply(&parts.tcb_info_signature, change),
        3 => parts.qe_identity_signature = apply(&parts.qe_identity_signature, change),
        4 => text(&mut parts.tcb_info)?,
        5 => text(&mut parts.qe_identity)?,
        6 => text(&mut parts.tcb_info_issuer_chain)?,
        7 => text(&mut parts.qe_identity_issuer_chain)?,
        _ => text(&mut parts.pck_crl_issuer_chain)?,
    }
    Collateral::new(parts).ok()
}

/// Each byte of both quotes and of every field of their collateral, with two changes. Slow, so it is asked for by name.
#[test]
#[ignore = "half a minute of an idle core"]
fn no_byte_anywhere_gives_other_claims() {
    let mut accepted = 0_u32;
    for genuine in &*GENUINE {
        for at in 0..genuine.quote.len() {
            for bits in [1, 0x80] {
                let mut changed = genuine.quote.to_vec();
                changed[at] ^= bits;
                if let Ok(claims) = verify_at(&changed, &genuine.collateral, genuine.now) {
                    assert_eq!(claims, genuine.claims, "byte {at}");
                    accepted = accepted.saturating_add(1);
                }
            }
        }
        let parts = genuine.collateral.parts();
        let lengths = [
            parts.root_ca_crl.len(),
            parts.pck_crl.len(),
            parts.tcb_info_signature.len(),
            parts.qe_identity_signature.len(),
            parts.tcb_info.len(),
            parts.qe_identity.len(),
            parts.tcb_info_issuer_chain.len(),
            parts.qe_identity_issuer_chain.len(),
            parts.pck_crl_issuer_chain.len(),
        ];
        for (field, length) in lengths.into_iter().enumerate() {
            for at in 0..length {
                let Some(changed) = alter(&genuine.collateral, field, &Change::FlipAt(at, 1)) else {
                    continue;
                };
                if let Ok(claims) = verify_at(genuine.quote, &changed, genuine.now) {
                    assert_eq!(claims, genuine.claims, "field {field} at {at}");
                    accepted = accepted.saturating_add(1);
                }
            }
        }
    }
    // White space, and the copies of the root in chains, which nobody reads.
    println!("{accepted} changes that do not matter");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_changed_quote_never_verifies_as_another(which in 0..QUOTES.len(), change in change()) {
        let genuine = &GENUINE[which];
        let changed = apply(genuine.quote, &change);
        if let Ok(claims) = verify_at(&changed, &genuine.collateral, genuine.now) {
            prop_assert_eq!(&claims, &genuine.claims);
        }
    }

    #[test]
    fn a_changed_signed_part_never_verifies(which in 0..QUOTES.len(), at in any::<Index>(), bit in 0_u32..8) {
        let genuine = &GENUINE[which];
        let mut changed = genuine.quote.to_vec();
        changed[at.index(SIGNED)] ^= 1 << bit;
        prop_assert!(verify_at(&changed, &genuine.collateral, genuine.now).is_err());
    }

    #[test]
    fn changed_collateral_never_gives_other_claims(
        which in 0..QUOTES.len(),
        field in 0_usize..9,
        change in change(),
    ) {
        let genuine = &GENUINE[which];
        if let Some(changed) = alter(&genuine.collateral, field, &change) {
            let _ = changed.expires_at();
            if let Ok(claims) = verify_at(genuine.quote, &changed, genuine.now) {
                prop_assert_eq!(&claims, &genuine.claims);
                // What is signed as it is leaves no freedom at all.
                prop_assert!(field > 5 || changed == genuine.collateral);
            }
        }
    }

    #[test]
    fn any_bytes_as_quote_or_collateral_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let genuine = &GENUINE[0];
        prop_assert!(verify_at(&bytes, &genuine.collateral, genuine.now).is_err());
        prop_assert!(Collateral::from_json(&bytes).is_err());
    }
}
