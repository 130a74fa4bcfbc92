use bytes::Bytes;

use super::TlString;

#[test]
fn debug_shows_only_the_length() {
    assert_eq!(format!("{:?}", TlString::from("planted")), "[7 bytes]");
}

#[test]
fn lossy_is_one_clean_line_of_bounded_length() {
    let hostile = TlString::from(Bytes::from_static(b"ok\n\x1b[31m\xff\xfe\xc2\x85end"));
    let shown = hostile.lossy(64);
    assert_eq!(shown, "ok\u{fffd}\u{fffd}[31m\u{fffd}\u{fffd}\u{fffd}end");
    assert!(!shown.chars().any(char::is_control));
    assert_eq!(
        TlString::from("a\u{202e}b\u{2028}c").lossy(64),
        "a\u{fffd}b\u{fffd}c"
    );
    assert_eq!(TlString::from("abc").lossy(3), "abc");
    assert_eq!(TlString::from("abcd").lossy(3), "abc…");
    assert_eq!(TlString::from("aß").lossy(2), "a\u{fffd}…");
    assert_eq!(TlString::from("abc").lossy(0), "…");
    let worst = TlString::from(Bytes::from(vec![0xff; 1000]));
    assert!(worst.lossy(100).len() <= 303);
}
