use proptest::prelude::*;

use super::*;

#[test]
fn lengths_are_minimal_definite_and_there() {
    for (bytes, content) in [
        (&[0x04, 0][..], Some(&[][..])),
        (&[0x04, 2, 1, 2], Some(&[1, 2])),
        // Longer forms of a length that has a shorter one.
        (&[0x04, 0x81, 2, 1, 2], None),
        (&[0x04, 0x82, 0, 2, 1, 2], None),
        (&[0x04, 0x83, 0, 0, 2, 1, 2], None),
        // Indefinite, reserved, cut short, a tag of several bytes.
        (&[0x04, 0x80, 0, 0], None),
        (&[0x04, 0xff, 1], None),
        (&[0x04, 3, 1, 2], None),
        (&[0x04, 0x82, 1], None),
        (&[0x04], None),
        (&[], None),
        (&[0x1f, 0x81, 0x01, 0], None),
    ] {
        let read = Reader::new(bytes).element().ok().map(|element| element.content);
        assert_eq!(read, content, "{bytes:02x?}");
    }
}

#[test]
fn left_over_bytes_are_an_error() {
    assert!(only(&[0x04, 1, 7], OCTET_STRING).is_ok());
    assert!(only(&[0x04, 1, 7, 0], OCTET_STRING).is_err());
    assert!(only(&[0x04, 1, 7], INTEGER).is_err());
}

#[test]
fn unused_bits_are_refused_where_whole_bytes_are_meant() {
    assert_eq!(whole_bits(&[0, 5]), Ok(&[5][..]));
    assert!(whole_bits(&[1, 4]).is_err());
    assert!(whole_bits(&[]).is_err());
}

#[test]
fn nothing_of_64_kib_is_written() {
    assert!(write(OCTET_STRING, &[&[0; 0xffff]]).is_some());
    assert!(write(OCTET_STRING, &[&[0; 0xffff], &[0]]).is_none());
}

proptest! {
    #[test]
    fn what_is_written_is_read(tag in 0_u8..0x1f, content in prop::collection::vec(any::<u8>(), 0..700)) {
        let bytes = write(tag, &[&content]).unwrap();
        let element = only(&bytes, tag).unwrap();
        prop_assert_eq!(element.content, &content[..]);
        prop_assert_eq!(element.whole, &bytes[..]);
    }

    #[test]
    fn whatever_is_read_was_written_like_this(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(element) = Reader::new(&bytes).element() {
            prop_assert_eq!(write(element.tag, &[element.content]).unwrap(), element.whole);
        }
    }
}
