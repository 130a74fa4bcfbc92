use proptest::prelude::*;

use super::*;
use crate::der::Reader;

fn read_text(tag: u8, text: &str) -> Option<u64> {
    let bytes = der::write(tag, &[text.as_bytes()]).unwrap();
    read(der::only(&bytes, tag).unwrap()).ok()
}

#[test]
fn known_moments() {
    // Computed with `date -u -d ... +%s`.
    for (tag, text, unix) in [
        (der::UTC_TIME, "700101000000Z", 0),
        (der::UTC_TIME, "000229235959Z", 951_868_799),
        (der::UTC_TIME, "261122141353Z", 1_795_356_833),
        (der::UTC_TIME, "491231235959Z", 2_524_607_999),
        (der::GENERALIZED_TIME, "20500101000000Z", 2_524_608_000),
        (der::GENERALIZED_TIME, "21000301000000Z", 4_107_542_400),
        (der::GENERALIZED_TIME, "99991231235959Z", 253_402_300_799),
        // Before 1970 counts as the beginning of time.
        (der::UTC_TIME, "500101000000Z", 0),
        (der::GENERALIZED_TIME, "00000101000000Z", 0),
    ] {
        assert_eq!(read_text(tag, text), Some(unix), "{text}");
    }
}

#[test]
fn nonsense_is_refused() {
    for (tag, text) in [
        (der::UTC_TIME, "250229000000Z"),
        (der::GENERALIZED_TIME, "21000229000000Z"),
        (der::UTC_TIME, "250001000000Z"),
        (der::UTC_TIME, "251301000000Z"),
        (der::UTC_TIME, "250100000000Z"),
        (der::UTC_TIME, "250132000000Z"),
        (der::UTC_TIME, "250101240000Z"),
        (der::UTC_TIME, "250101006000Z"),
        (der::UTC_TIME, "250101000060Z"),
        (der::UTC_TIME, "2501010000Z"),
        (der::UTC_TIME, "250101000000+0000"),
        (der::UTC_TIME, "250101000000"),
        (der::UTC_TIME, "2501010000 0Z"),
        (der::UTC_TIME, "20250101000000Z"),
        (der::GENERALIZED_TIME, "250101000000Z"),
        (der::GENERALIZED_TIME, "20250101000000.5Z"),
        (der::OCTET_STRING, "250101000000Z"),
        (der::UTC_TIME, ""),
    ] {
        assert_eq!(read_text(tag, text), None, "{text}");
    }
}

#[test]
fn the_year_10000_is_not_written() {
    assert!(write(253_402_300_799).is_some());
    assert!(write(253_402_300_800).is_none());
    assert!(write(u64::MAX).is_none());
}

proptest! {
    #[test]
    fn what_is_written_is_read(unix in 0_u64..253_402_300_800) {
        let bytes = write(unix).unwrap();
        prop_assert_eq!(read(Reader::new(&bytes).element().unwrap()), Ok(unix));
    }
}
