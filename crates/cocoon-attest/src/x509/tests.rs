use proptest::prelude::*;

use super::*;

const ASK: &[u8] = include_bytes!("../../tests/evidence/snp/milan-ask.der");

#[test]
fn only_the_shortest_form_of_a_small_number() {
    assert_eq!(small_unsigned(&[0x7f]), Some(127));
    assert_eq!(small_unsigned(&[0, 0xdb]), Some(0xdb));
    assert_eq!(small_unsigned(&[0x7f, 0xff]), Some(0x7fff));
    for bad in [&[][..], &[0x80], &[0, 0x7f], &[0x80, 0], &[1, 2, 3]] {
        assert_eq!(small_unsigned(bad), None, "{bad:?}");
    }
}

#[test]
fn a_certificate_has_a_largest_size() {
    let mut long = ASK.to_vec();
    long.resize(MAX_X509_BYTES + 1, 0);
    assert_eq!(X509::parse(&long).err(), Some(CertificateFault::TooLarge));
}

#[test]
fn an_authority_stands_only_where_it_may() {
    let ask = X509::parse(ASK).unwrap();
    assert_eq!(ask.check_authority(0), Ok(()));
    assert_eq!(ask.check_authority(1), Err(CertificateFault::PathLength));
    assert_eq!(ask.check_signer(), Err(CertificateFault::IsAnAuthority));
    assert_eq!(ask.check_issued_by(&ask), Err(CertificateFault::IssuerName));
}

proptest! {
    #[test]
    fn bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        _ = X509::parse(&bytes);
        _ = Crl::parse(&bytes);
    }

    #[test]
    fn a_changed_certificate_does_no_harm(at in 0..ASK.len(), value: u8, cut in 0..ASK.len()) {
        let mut bytes = ASK.to_vec();
        bytes[at] = value;
        if let Ok(certificate) = X509::parse(&bytes) {
            _ = certificate.check_authority(0);
            _ = certificate.common_name();
        }
        prop_assert!(X509::parse(&bytes[..cut]).is_err());
    }
}
