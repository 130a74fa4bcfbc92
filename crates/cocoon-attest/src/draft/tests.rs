use x509_parser::prelude::*;

use super::*;
use crate::image::report_data;

const KEY: [u8; 32] = [7; 32];

fn finished(draft: &Draft) -> Vec<u8> {
    Draft::finish(&draft.to_be_signed().unwrap(), &[0; 64]).unwrap()
}

#[test]
fn another_parser_reads_what_the_specification_says() {
    let quote = report_data(&KEY);
    let draft = Draft::new(&KEY, Some(&quote), [0xff; 16], 1000..=87_400).unwrap();
    let bytes = finished(&draft);
    let (rest, certificate) = X509Certificate::from_der(&bytes).unwrap();
    assert!(rest.is_empty());
    assert_eq!(certificate.version(), X509Version::V3);
    let name = "C=AE, ST=DUBAI, O=TDLib Development, OU=Security, CN=localhost";
    assert_eq!(certificate.subject().to_string(), name);
    assert_eq!(certificate.issuer().to_string(), name);
    assert_eq!(certificate.validity().not_before.timestamp(), 1000);
    assert_eq!(certificate.validity().not_after.timestamp(), 87_400);
    assert_eq!(certificate.public_key().subject_public_key.data.as_ref(), KEY);
    assert_eq!(certificate.raw_serial()[0], 0x7f);
    // The custom ones first and critical, their content raw (spec/network.md 3.2).
    let shown: Vec<_> = certificate
        .extensions()
        .iter()
        .map(|extension| (extension.oid.to_id_string(), extension.critical))
        .collect();
    let expected = [
        ("1.3.6.1.4.1.12345.1", true),
        ("1.3.6.1.4.1.12345.2", true),
        ("2.5.29.19", true),
        ("2.5.29.15", true),
        ("2.5.29.37", true),
        ("2.5.29.14", false),
        ("2.5.29.17", false),
    ]
    .map(|(oid, critical)| (oid.to_owned(), critical));
    assert_eq!(shown, expected);
    assert_eq!(certificate.extensions()[0].value, quote);
    assert_eq!(certificate.extensions()[1].value, KEY);
    assert!(!certificate.is_ca());
    let usage = certificate.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && usage.flags == 1);
    let purposes = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(purposes.server_auth && purposes.client_auth);
    let names = &certificate
        .subject_alternative_name()
        .unwrap()
        .unwrap()
        .value
        .general_names;
    assert_eq!(
        *names,
        [
            GeneralName::DNSName("localhost"),
            GeneralName::DNSName("127.0.0.1"),
            GeneralName::IPAddress(&std::net::Ipv6Addr::LOCALHOST.octets()),
        ]
    );
}

#[test]
fn without_evidence_both_custom_extensions_are_absent() {
    let draft = Draft::new(&KEY, None, [1; 16], 0..=1).unwrap();
    assert!(
        draft
            .extensions
            .iter()
            .all(|extension| { extension.oid != oid::OID_QUOTE && extension.oid != oid::OID_CLAIMS })
    );
}

#[test]
fn what_does_not_fit_is_an_error() {
    let long = vec![0; 0x1_0000];
    let draft = Draft::new(&KEY, Some(&long), [1; 16], 0..=1).unwrap();
    assert_eq!(draft.to_be_signed(), Err(DraftError));
    let draft = Draft::new(&KEY, None, [1; 16], 0..=u64::MAX).unwrap();
    assert_eq!(draft.to_be_signed(), Err(DraftError));
}
