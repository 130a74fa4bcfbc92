use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::{MAX_ELEMENTS, Reader, TlField, TlObject, Writer, bytes_size, peek_id};
use crate::{TlError, TlString, http, tcp};

fn hex(text: &str) -> Bytes {
    Bytes::from(hex::decode(text.replace(' ', "")).unwrap())
}

fn written<T: TlField>(value: &T) -> Bytes {
    let mut out = BytesMut::new();
    value.write(&mut Writer::new(&mut out));
    assert_eq!(out.len(), value.size());
    out.freeze()
}

fn read<T: TlField>(bytes: &Bytes) -> Result<T, TlError> {
    let mut reader = Reader::new(bytes);
    let value = T::read(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

fn string_of(length: usize) -> Bytes {
    (0..length).map(|i| u8::try_from(i % 251).unwrap()).collect()
}

#[test]
fn primitives_have_the_layout_of_the_specification() {
    assert_eq!(written(&-2_i32), hex("feffffff"));
    assert_eq!(written(&0x0102_0304_u32), hex("04030201"));
    assert_eq!(written(&0x0102_0304_0506_0708_i64), hex("0807060504030201"));
    assert_eq!(written(&1.5_f64), hex("000000000000f83f"));
    assert_eq!(written(&true), hex("b5757299"));
    assert_eq!(written(&false), hex("379779bc"));
    assert_eq!(written(&[7_u8; 32]), Bytes::from(vec![7_u8; 32]));
    assert_eq!(written(&vec![1_i32, 2]), hex("02000000 01000000 02000000"));
}

#[test]
fn strings_have_three_length_forms_and_padding() {
    for (length, head, size) in [
        (0, "00", 4),
        (1, "01", 4),
        (3, "03", 4),
        (4, "04", 8),
        (253, "fd", 256),
        (254, "fefe0000", 260),
        (255, "feff0000", 260),
        (0x00ff_ffff, "feffffff", 0x0100_0004),
        (0x0100_0000, "ff00000001000000", 0x0100_0008),
    ] {
        let data = string_of(length);
        let bytes = written(&data);
        assert_eq!(bytes.len(), size, "length {length}");
        assert_eq!(bytes_size(length), size);
        let head = hex(head);
        assert_eq!(bytes[..head.len()], head, "length {length}");
        assert!(bytes[head.len() + length..].iter().all(|byte| *byte == 0));
        assert!(read::<Bytes>(&bytes).unwrap() == data);
    }
}

#[test]
fn strings_are_slices_not_copies() {
    let bytes = written(&string_of(1000));
    let data: Bytes = read(&bytes).unwrap();
    assert!(bytes.as_ptr_range().contains(&data.as_ptr()));
}

#[test]
fn longer_length_forms_and_dirty_padding_are_accepted() {
    for text in [
        "03616263",
        "fe030000 61626300",
        "fe030000 616263ff",
        "ff03000000000000 61626377",
        "02 6162 ff",
    ] {
        let data: TlString = read(&hex(text)).unwrap();
        assert!(data == "abc" || data == "ab", "{text}");
    }
}

#[test]
fn every_cut_string_is_refused_whatever_it_claims() {
    for text in [
        "",
        "00",
        "000000",
        "04616263",
        "05 6162636465 00",
        "fd000000",
        "fe",
        "fe040000",
        "feffffff 00000000",
        "ff000000",
        "ff000000 000000",
        "ff01000000000000",
        "ffffffff ffffffff",
        "ffffffff ffffffff 00000000",
        "fffcffff ffffff00",
        "fff8ffff ffffff7f 00000000",
        // Four bytes of data, and a claim of 2^48 more, or of 2^32 more.
        "ff040000 00000001 61626364",
        "ff040000 00010000 61626364",
    ] {
        let bytes = hex(text);
        assert!(
            matches!(read::<Bytes>(&bytes), Err(TlError::Truncated { .. })),
            "{text} was not refused"
        );
    }
}

#[test]
fn a_bool_is_one_of_two_words() {
    for text in ["00000000", "01000000", "b5757298", "ffffffff"] {
        assert!(
            matches!(read::<bool>(&hex(text)), Err(TlError::BadBool { .. })),
            "{text}"
        );
    }
}

#[test]
fn a_vector_may_not_claim_more_than_is_there() {
    assert_eq!(read::<Vec<i32>>(&hex("00000000")), Ok(vec![]));
    for (text, count) in [
        ("01000000", 1),
        ("02000000 00000000", 2),
        ("ffffffff 00000000", u32::MAX),
        ("00000080", 0x8000_0000),
    ] {
        let refused = read::<Vec<i32>>(&hex(text)).unwrap_err();
        assert!(
            matches!(refused, TlError::VectorTooLong { count: c, .. } if c == count),
            "{text}"
        );
    }
    // Not more elements than bytes, but more than the bytes can be.
    assert!(matches!(
        read::<Vec<[u8; 32]>>(&Bytes::from([&[2, 0, 0, 0][..], &[0; 63]].concat())),
        Err(TlError::VectorTooLong { .. })
    ));
}

#[test]
fn elements_are_bounded_over_all_vectors_together() {
    let vector = |count: usize| -> Bytes { written(&vec![0_i32; count]) };
    assert!(read::<Vec<i32>>(&vector(MAX_ELEMENTS)).is_ok());
    assert_eq!(
        read::<Vec<i32>>(&vector(MAX_ELEMENTS + 1)),
        Err(TlError::TooManyElements)
    );
    let half = vec![0_i32; MAX_ELEMENTS / 2];
    let nested = written(&vec![half.clone(), half]);
    assert_eq!(read::<Vec<Vec<i32>>>(&nested), Err(TlError::TooManyElements));
}

#[test]
fn an_object_is_whole_or_refused() {
    let ping = tcp::Ping { id: 5 };
    let bytes = ping.to_boxed();
    assert_eq!(tcp::Ping::from_boxed(bytes.clone()), Ok(ping));
    let longer = Bytes::from([&bytes[..], &[0; 4]].concat());
    assert_eq!(
        tcp::Ping::from_boxed(longer.clone()),
        Err(TlError::LeftOver { count: 4 })
    );
    assert_eq!(
        tcp::Packet::from_boxed(longer),
        Err(TlError::LeftOver { count: 4 })
    );
    for cut in 0..bytes.len() {
        assert!(matches!(
            tcp::Packet::from_boxed(bytes.slice(..cut)),
            Err(TlError::Truncated { .. })
        ));
    }
}

#[test]
fn a_foreign_id_is_refused_by_name() {
    let bytes = tcp::Pong { id: 5 }.to_boxed();
    let refused = tcp::Ping::from_boxed(bytes).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "constructor 0bd4302c is not a cocoon_tl::tcp::Ping"
    );
    let header = http::Header {
        name: "a".into(),
        value: "b".into(),
    }
    .to_boxed();
    assert!(matches!(
        tcp::Packet::from_boxed(header),
        Err(TlError::UnknownConstructor {
            id: http::Header::ID,
            ..
        })
    ));
}

#[test]
fn peeking_needs_four_bytes() {
    assert_eq!(peek_id(&hex("97c6d19e")), Some(0x9ed1_c697));
    assert_eq!(peek_id(&hex("97c6d19e00")), Some(0x9ed1_c697));
    assert_eq!(peek_id(&hex("97c6d1")), None);
    assert_eq!(peek_id(&[]), None);
}

#[test]
fn debug_shows_no_content() {
    let response = http::Response {
        http_version: "planted".into(),
        status_code: 200,
        reason: "planted".into(),
        headers: vec![http::Header {
            name: "planted".into(),
            value: "planted".into(),
        }],
        payload: Bytes::from_static(b"planted"),
    };
    let text = format!("{response:?} {response:#?}");
    assert!(!text.contains("planted") && !text.contains("112, 108"), "{text}");
    assert!(
        text.contains("status_code: 200") && text.contains("[7 bytes]"),
        "{text}"
    );
}

proptest! {
    #[test]
    fn strings_come_back(data in prop::collection::vec(any::<u8>(), 0..2000)) {
        let data = Bytes::from(data);
        let bytes = written(&data);
        prop_assert_eq!(bytes.len() % 4, 0);
        prop_assert!(read::<Bytes>(&bytes).unwrap() == data);
    }

    #[test]
    fn numbers_come_back(a: i32, b: u32, c: i64, d: u64, e: bool, f: [u8; 32]) {
        prop_assert_eq!(read::<i32>(&written(&a)), Ok(a));
        prop_assert_eq!(read::<u32>(&written(&b)), Ok(b));
        prop_assert_eq!(read::<i64>(&written(&c)), Ok(c));
        let double = f64::from_bits(d);
        prop_assert_eq!(read::<f64>(&written(&double)).map(f64::to_bits), Ok(d));
        prop_assert_eq!(read::<bool>(&written(&e)), Ok(e));
        prop_assert_eq!(read::<[u8; 32]>(&written(&f)), Ok(f));
    }

    #[test]
    fn any_bytes_are_a_value_or_refused(data in prop::collection::vec(any::<u8>(), 0..64)) {
        let bytes = Bytes::from(data);
        let _ = read::<Bytes>(&bytes);
        let _ = read::<Vec<TlString>>(&bytes);
        let _ = read::<Vec<Vec<bool>>>(&bytes);
        let _ = tcp::Packet::from_boxed(bytes);
    }
}
