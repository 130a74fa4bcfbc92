use super::*;

fn parts() -> CollateralParts {
    CollateralParts {
        tcb_info_signature: vec![1; SIGNATURE],
        qe_identity_signature: vec![2; SIGNATURE],
        ..CollateralParts::default()
    }
}

#[test]
fn every_part_has_its_limit() {
    type Grow = fn(&mut CollateralParts, usize);
    let table: &[(&str, usize, Grow)] = &[
        ("pck_crl_issuer_chain", MAX_CHAIN, |p, n| {
            p.pck_crl_issuer_chain = "x".repeat(n)
        }),
        ("root_ca_crl", MAX_CRL, |p, n| p.root_ca_crl = vec![0; n]),
        ("pck_crl", MAX_CRL, |p, n| p.pck_crl = vec![0; n]),
        ("tcb_info_issuer_chain", MAX_CHAIN, |p, n| {
            p.tcb_info_issuer_chain = "x".repeat(n)
        }),
        ("tcb_info", MAX_TCB_INFO, |p, n| p.tcb_info = "x".repeat(n)),
        ("qe_identity_issuer_chain", MAX_CHAIN, |p, n| {
            p.qe_identity_issuer_chain = "x".repeat(n)
        }),
        ("qe_identity", MAX_QE_IDENTITY, |p, n| {
            p.qe_identity = "x".repeat(n)
        }),
        ("pck_certificate_chain", MAX_CHAIN, |p, n| {
            p.pck_certificate_chain = Some("x".repeat(n))
        }),
    ];
    for (name, limit, grow) in table {
        let mut good = parts();
        grow(&mut good, *limit);
        assert!(Collateral::new(good).is_ok(), "{name}");
        let mut bad = parts();
        grow(&mut bad, limit + 1);
        let error = Collateral::new(bad).unwrap_err();
        assert!(
            matches!(error, CollateralError::TooLarge { part, limit: found } if part == *name && found == *limit),
            "{name}: {error}"
        );
    }
    let whole = CollateralParts {
        root_ca_crl: vec![0; MAX_CRL],
        pck_crl: vec![0; MAX_CRL],
        tcb_info: "x".to_owned(),
        ..parts()
    };
    let error = Collateral::new(whole).unwrap_err();
    assert!(matches!(error, CollateralError::TooLarge { part: "whole", .. }));
}

#[test]
fn signatures_have_64_bytes() {
    let short = CollateralParts {
        tcb_info_signature: vec![0; 63],
        ..parts()
    };
    assert!(matches!(
        Collateral::new(short),
        Err(CollateralError::Signature("tcb_info_signature"))
    ));
    let long = CollateralParts {
        qe_identity_signature: vec![0; 65],
        ..parts()
    };
    assert!(matches!(
        Collateral::new(long),
        Err(CollateralError::Signature("qe_identity_signature"))
    ));
}

#[test]
fn what_is_not_the_json_form_is_refused() {
    for bad in [
        &b""[..],
        b"{}",
        b"[]",
        b"null",
        br#"{"root_ca_crl":"zz"}"#,
        &[b'['; 100_000],
    ] {
        assert!(matches!(
            Collateral::from_json(bad),
            Err(CollateralError::Json(_))
        ));
    }
    assert!(matches!(
        Collateral::from_json(&vec![b' '; MAX_JSON + 1]),
        Err(CollateralError::TooLarge {
            part: "JSON form",
            ..
        })
    ));
}
