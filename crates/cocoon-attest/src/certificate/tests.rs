use super::*;

/// Made by OpenSSL; see testdata/README.md.
const OPENSSL_V1: &[u8] = include_bytes!("../../testdata/openssl-v1.der");
const OPENSSL_V3: &[u8] = include_bytes!("../../testdata/openssl-v3.der");

#[test]
fn reads_what_openssl_makes() {
    for bytes in [OPENSSL_V1, OPENSSL_V3] {
        let certificate = Certificate::parse(bytes).unwrap();
        assert_eq!(
            hex::encode(certificate.key.unwrap()),
            "7edcbabfa6ca6ec032bd1c12e675a4da5676216db25555fd8f4ee1f70b0198e4"
        );
        assert_eq!(certificate.not_before, 1_795_356_833);
        assert_eq!(certificate.not_after, 1_795_356_833 + 86_400);
        assert!(certificate.signed_with_ed25519);
        assert_eq!(certificate.issuer, certificate.subject);
        assert_eq!(certificate.extensions.quote.map(<[u8]>::len), Some(64));
        assert!(!certificate.extensions.unknown_critical);
        assert_eq!(certificate.extensions.has_dns_name(b"127.0.0.1"), Ok(Some(true)));
        assert_eq!(certificate.extensions.has_dns_name(b"foo"), Ok(Some(false)));
        assert_eq!(certificate.has_common_name(b"localhost"), Ok(true));
        assert_eq!(certificate.has_common_name(b"127.0.0.1"), Ok(false));
    }
}

#[test]
fn every_cut_is_malformed() {
    for length in 0..OPENSSL_V1.len() {
        let cut = Certificate::parse(&OPENSSL_V1[..length]);
        assert!(matches!(cut, Err(Refusal::Malformed(_))), "{length}: {cut:?}");
    }
}

#[test]
fn left_over_bytes_are_malformed() {
    let longer = [OPENSSL_V1, &[0]].concat();
    assert_eq!(
        Certificate::parse(&longer).unwrap_err(),
        Refusal::Malformed("outer sequence")
    );
}

#[test]
fn only_versions_1_and_3_are_read() {
    const V3: [u8; 5] = [0xa0, 3, 2, 1, 2];
    let at = OPENSSL_V3
        .windows(V3.len())
        .position(|window| window == V3)
        .unwrap();
    for (number, refused) in [
        (0, None),
        (1, Some(Refusal::Version)),
        (2, None),
        (3, Some(Refusal::Version)),
    ] {
        let mut changed = OPENSSL_V3.to_vec();
        changed[at + 4] = number;
        assert_eq!(Certificate::parse(&changed).err(), refused, "{number}");
    }
}

#[test]
fn the_signature_algorithm_is_named_twice_alike() {
    let mut places: Vec<_> = OPENSSL_V1
        .windows(3)
        .enumerate()
        .filter(|(_, window)| *window == oid::ED25519)
        .map(|(at, _)| at + 2)
        .collect();
    // The middle one is the key's.
    assert_eq!(places.len(), 3);
    places.remove(1);
    let mut changed = OPENSSL_V1.to_vec();
    changed[places[0]] = 0x71;
    assert_eq!(
        Certificate::parse(&changed).unwrap_err(),
        Refusal::Malformed("the two signature algorithms differ")
    );
    changed[places[1]] = 0x71;
    assert!(!Certificate::parse(&changed).unwrap().signed_with_ed25519);
}
