//! Owner addresses as handshakes carry them (spec/network.md 6.3).

use cocoon_types::Address;

/// The owner that a peer names; `Some(None)` for a peer without a wallet, `None` for what is no address.
///
/// Only the user-friendly form travels; the raw one is for people.
pub(super) fn owner(text: &[u8]) -> Option<Option<Address>> {
    if text.is_empty() {
        return Some(None);
    }
    let text = std::str::from_utf8(text)
        .ok()
        .filter(|text| !text.contains(':'))?;
    text.parse().ok().map(Some)
}

#[cfg(test)]
mod tests {
    use cocoon_types::Address;

    use super::owner;

    /// The zero address of the base chain.
    const BURN: &str = "EQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAM9c";

    #[test]
    fn well_formed_addresses_and_nothing_are_owners() {
        assert_eq!(owner(b""), Some(None));
        assert_eq!(owner(BURN.as_bytes()), Some(Some(Address::new([0; 32]))));
    }

    #[test]
    fn anything_else_is_not() {
        let wrong_sum = BURN.replace("M9c", "M9d");
        let wrong_tag = BURN.replacen("EQ", "AA", 1);
        let raw = format!("0:{}", "0".repeat(64));
        for bad in [
            "x",
            &BURN[1..],
            &wrong_sum,
            &wrong_tag,
            &BURN.replace('A', "é"),
            &raw,
        ] {
            assert_eq!(owner(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(owner(&[0xff; 48]), None);
    }
}
