//! Certificates made by another library.

use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair,
    PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData as _, SignatureAlgorithm,
};

use super::*;

fn made_by_rcgen(algorithm: &'static SignatureAlgorithm) -> Vec<u8> {
    let key = KeyPair::generate_for(algorithm).unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1.".to_owned()]).unwrap();
    params.subject_alt_names = vec![rcgen::SanType::DnsName("127.0.0.1".try_into().unwrap())];
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "somebody");
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    if let Ok(raw) = key.der_bytes().try_into() {
        let mut quote =
            CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 12345, 1], report_data(raw).to_vec());
        quote.set_criticality(true);
        params.custom_extensions.push(quote);
    }
    params.self_signed(&key).unwrap().der().to_vec()
}

#[test]
fn ed25519_is_accepted() {
    assert_eq!(
        both_sides(&made_by_rcgen(&PKCS_ED25519), &lenient()),
        [Ok(Tier::Simulated); 2]
    );
}

#[test]
fn rsa_and_ecdsa_are_refused() {
    for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_RSA_SHA256] {
        let certificate = made_by_rcgen(algorithm);
        assert_eq!(
            both_sides(&certificate, &lenient()),
            [Err(Refusal::KeyNotEd25519); 2]
        );
        assert_eq!(public_key(&certificate), Err(Refusal::KeyNotEd25519));
    }
}
