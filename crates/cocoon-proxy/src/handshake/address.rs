//! Owner addresses as handshakes carry them: only their form is checked here; accounts come with the money issue.

/// Characters of the user-friendly form (spec/network.md 6.3): 36 bytes in base64.
const FRIENDLY_CHARS: usize = 48;
/// The highest bits of the tag byte: bounceable or not, test network or not.
const TAGS: [u8; 4] = [0x11, 0x51, 0x91, 0xd1];

/// Whether the text is an owner address that a peer may name.
///
/// Empty is allowed: a peer without a wallet owns nothing, and nothing is settled yet.
pub(super) fn is_owner(text: &[u8]) -> bool {
    text.is_empty() || is_friendly(text)
}

fn is_friendly(text: &[u8]) -> bool {
    if text.len() != FRIENDLY_CHARS {
        return false;
    }
    let Some(bytes) = text.chunks(4).map(quad).collect::<Option<Vec<[u8; 3]>>>() else {
        return false;
    };
    let bytes = bytes.concat();
    let (body, sum) = bytes.split_at(34);
    bytes.first().is_some_and(|tag| TAGS.contains(tag)) && sum == crc16(body).to_be_bytes()
}

/// Three bytes from four characters of either base64 alphabet.
fn quad(chars: &[u8]) -> Option<[u8; 3]> {
    let bits = chars.iter().try_fold(0_u32, |bits, char| {
        let value = match char {
            b'A'..=b'Z' => char - b'A',
            b'a'..=b'z' => char - b'a' + 26,
            b'0'..=b'9' => char - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        Some(bits << 6 | u32::from(value))
    })?;
    let [_, high, middle, low] = bits.to_be_bytes();
    Some([high, middle, low])
}

/// CRC-16/XMODEM, as TON addresses carry it.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte) << 8, |sum, _| {
            if sum & 0x8000 == 0 {
                sum << 1
            } else {
                sum << 1 ^ 0x1021
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{crc16, is_owner};

    /// The zero address of the base chain in its four forms, computed from the definition above.
    const BURN: &str = "EQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAM9c";

    #[test]
    fn the_sum_is_crc16_xmodem() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
    }

    #[test]
    fn well_formed_addresses_and_nothing_are_owners() {
        assert!(is_owner(b"") && is_owner(BURN.as_bytes()));
    }

    #[test]
    fn anything_else_is_not() {
        let wrong_sum = BURN.replace("M9c", "M9d");
        let wrong_tag = BURN.replacen("EQ", "AA", 1);
        for bad in ["x", &BURN[1..], &wrong_sum, &wrong_tag, &BURN.replace('A', "é")] {
            assert!(!is_owner(bad.as_bytes()), "{bad}");
        }
        assert!(!is_owner(&[0xff; 48]));
    }
}
