use super::*;

const V4: &[u8] = include_bytes!("../../../testdata/tdx/tdx_quote");
const V5: &[u8] = include_bytes!("../../../testdata/tdx/tdx_quote_outdated");

fn altered(quote: &[u8], at: usize, bytes: &[u8]) -> Result<(), TdxRefusal> {
    let mut quote = quote.to_vec();
    quote[at..][..bytes.len()].copy_from_slice(bytes);
    Quote::parse(&quote).map(|_| ())
}

#[test]
fn real_quotes_are_taken_apart() {
    let quote = Quote::parse(V4).unwrap();
    assert_eq!((quote.version, quote.report), (4, TdxReport::V10));
    // 70 zeros follow it.
    assert_eq!(quote.bytes.len(), V4.len() - 70);
    assert!(quote.pck_chain.starts_with(b"-----BEGIN CERTIFICATE-----"));
    let quote = Quote::parse(V5).unwrap();
    assert_eq!((quote.version, quote.report), (5, TdxReport::V15));
    assert_eq!(quote.report_data(), V5[54 + 520..54 + 584]);
    assert!(looks_like_tdx(V4) && looks_like_tdx(V5));
    assert!(!looks_like_tdx(&V4[..48]) && !looks_like_tdx(&[0; 1184]) && !looks_like_tdx(&[]));
}

#[test]
fn each_field_of_the_form_has_its_refusal() {
    // Where the signature data begins: after header and report, with a length of four bytes before it.
    let data = 48 + 584 + 4;
    for (at, bytes, refusal) in [
        (0, &[3, 0][..], TdxRefusal::QuoteVersion(3)),
        (0, &[6, 0], TdxRefusal::QuoteVersion(6)),
        (2, &[3, 0], TdxRefusal::KeyType(3)),
        (4, &[0, 0, 0, 0], TdxRefusal::TeeType(0)),
        (12, &[0], TdxRefusal::QeVendor),
        (data - 4, &[0xff; 4], TdxRefusal::QuoteTruncated("signature data")),
        (data - 4, &[0; 4], TdxRefusal::QuoteTruncated("quote signature")),
        (data + 128, &[5, 0], TdxRefusal::CertificationData(5)),
        (data + 130, &[0; 4], TdxRefusal::QuoteLength("signature data")),
        (data + 134 + 448, &[31, 0], TdxRefusal::QeAuthData(31)),
        (
            data + 134 + 448 + 34,
            &[3, 0],
            TdxRefusal::PckCertificationData(3),
        ),
        (
            data + 134 + 448 + 36,
            &[0; 4],
            TdxRefusal::QuoteLength("certification data"),
        ),
        (
            data + 134 + 448 + 36,
            &[0xff; 4],
            TdxRefusal::QuoteTruncated("PCK certification data"),
        ),
        (V4.len() - 1, &[1], TdxRefusal::TrailingBytes),
    ] {
        assert_eq!(altered(V4, at, bytes), Err(refusal), "{bytes:?} at {at}");
    }
    for (at, bytes, refusal) in [
        (48, &[1, 0][..], TdxRefusal::BodyType(1)),
        (48, &[5, 0], TdxRefusal::BodyType(5)),
        (50, &[0, 0, 0, 0], TdxRefusal::BodySize(0)),
        (48, &[2, 0], TdxRefusal::BodySize(648)),
    ] {
        assert_eq!(altered(V5, at, bytes), Err(refusal), "{bytes:?} at {at}");
    }
}
