use super::*;

const REAL: [&[u8]; 2] = [
    include_bytes!("../../../testdata/tdx/tdx_quote_collateral.json"),
    include_bytes!("../../../testdata/tdx/tdx_quote_td15ex_collateral.json"),
];

/// What its chains say, whatever the white space in their PEM.
fn chains(collateral: &Collateral) -> Vec<Vec<Vec<u8>>> {
    let parts = collateral.parts();
    [
        &parts.pck_crl_issuer_chain,
        &parts.tcb_info_issuer_chain,
        &parts.qe_identity_issuer_chain,
    ]
    .map(|text| pem::read(text.as_bytes()).unwrap())
    .to_vec()
}

#[test]
fn real_collateral_survives_and_is_half_as_long() {
    for json in REAL {
        let collateral = Collateral::from_json(json).unwrap();
        let compact = collateral.to_compact().unwrap();
        assert!(compact.len() < 12_288, "{}", compact.len());
        let read = Collateral::from_compact(&compact).unwrap();
        assert_eq!(chains(&read), chains(&collateral));
        let (mut read, mut original) = (read.into_parts(), collateral.into_parts());
        for parts in [&mut read, &mut original] {
            parts.pck_crl_issuer_chain.clear();
            parts.tcb_info_issuer_chain.clear();
            parts.qe_identity_issuer_chain.clear();
            parts.pck_certificate_chain = None;
        }
        assert_eq!(read, original);
    }
}

#[test]
fn cut_extended_or_written_in_another_way_it_is_refused() {
    let compact = Collateral::from_json(REAL[0]).unwrap().to_compact().unwrap();
    for length in 0..compact.len() {
        assert!(Collateral::from_compact(&compact[..length]).is_err(), "{length}");
    }
    let longer = [&compact[..], &[0]].concat();
    assert!(matches!(
        Collateral::from_compact(&longer),
        Err(CollateralError::Compact)
    ));
    let other = [&[2], &compact[1..]].concat();
    assert!(Collateral::from_compact(&other).is_err(), "an unknown form");
    // A certificate that no chain names.
    let stray = [&[INTEL_1, compact[1] + 1, 0, 1, 7], &compact[2..]].concat();
    assert!(Collateral::from_compact(&stray).is_err());
    // An empty one, and more than there may be.
    let many = [&[INTEL_1, 9][..], &[0; 100]].concat();
    assert!(Collateral::from_compact(&many).is_err());
}

#[test]
fn too_much_does_not_travel() {
    let mut parts = Collateral::from_json(REAL[0]).unwrap().into_parts();
    parts.pck_crl = vec![0; MAX_COMPACT_BYTES];
    let large = Collateral::new(parts).unwrap();
    assert!(matches!(
        large.to_compact(),
        Err(CollateralError::TooLarge { .. })
    ));
    assert!(matches!(
        Collateral::from_compact(&vec![0; MAX_COMPACT_BYTES + 1]),
        Err(CollateralError::TooLarge { .. })
    ));
}
