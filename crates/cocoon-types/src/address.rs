use std::{fmt, str::FromStr};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use serde::{Deserialize, Serialize};

/// The address of a contract or wallet: the 256-bit account id in workchain 0, the only one that Cocoon uses.
///
/// Written in the user-friendly form (TEP-2), bounceable; read in that form with any flags, and in the raw form `0:hex`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address([u8; 32]);

/// Why text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither 48 characters of base64 nor `0:` and 64 hexadecimal digits.
    #[error("not an address: neither 48 characters of base64 nor 0: and 64 hexadecimal digits")]
    Form,
    /// A character was mistyped.
    #[error("the checksum of the address is wrong: was it copied whole?")]
    Checksum,
    /// The first byte says neither bounceable nor non-bounceable.
    #[error("the address has an unknown kind")]
    Kind,
    /// Another workchain than 0.
    #[error("the address is in another workchain than 0")]
    Workchain,
}

const BOUNCEABLE: u8 = 0x11;
const NON_BOUNCEABLE: u8 = 0x51;
const TEST_ONLY: u8 = 0x80;
/// Flags, workchain, account id, CRC.
const PACKED: usize = 36;

impl Address {
    /// The address of an account id.
    pub const fn new(account: [u8; 32]) -> Self {
        Self(account)
    }

    /// The account id: the hash of the contract's initial state.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The form to show where coins are sent to an account that may not exist yet, such as a new wallet.
    pub fn non_bounceable(&self) -> String {
        self.packed(NON_BOUNCEABLE)
    }

    /// The form that the original's nodes compare as text (spec/network.md 6.3): non-bounceable, with the mark of a test
    /// network when `text`, an address as the peer itself wrote it, has that mark.
    pub fn in_the_form_of(&self, text: &str) -> String {
        let mark = match URL_SAFE.decode(text.get(..4).unwrap_or_default()) {
            Ok(start) => start.first().map_or(0, |flags| flags & TEST_ONLY),
            Err(_) => 0,
        };
        self.packed(NON_BOUNCEABLE | mark)
    }

    fn packed(&self, flags: u8) -> String {
        let mut packed = [0; PACKED];
        packed[0] = flags;
        packed[2..34].copy_from_slice(&self.0);
        let crc = crc16(&packed[..34]);
        packed[34..].copy_from_slice(&crc.to_be_bytes());
        URL_SAFE.encode(packed)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.packed(BOUNCEABLE))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some((workchain, account)) = text.split_once(':') {
            let account = unhex(account).ok_or(AddressError::Form)?;
            return match workchain {
                "0" => Ok(Self(account)),
                "-1" => Err(AddressError::Workchain),
                _ => Err(AddressError::Form),
            };
        }
        if text.len() != 48 {
            return Err(AddressError::Form);
        }
        let alphabet = if text.contains(['+', '/']) {
            STANDARD
        } else {
            URL_SAFE
        };
        let packed = alphabet.decode(text).map_err(|_| AddressError::Form)?;
        let packed: [u8; PACKED] = packed.try_into().map_err(|_| AddressError::Form)?;
        if crc16(&packed[..34]).to_be_bytes() != packed[34..] {
            return Err(AddressError::Checksum);
        }
        if ![BOUNCEABLE, NON_BOUNCEABLE].contains(&(packed[0] & !TEST_ONLY)) {
            return Err(AddressError::Kind);
        }
        if packed[1] != 0 {
            return Err(AddressError::Workchain);
        }
        let mut account = [0; 32];
        account.copy_from_slice(&packed[2..34]);
        Ok(Self(account))
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

/// CRC-16/XMODEM, as TEP-2 prescribes.
fn crc16(data: &[u8]) -> u16 {
    data.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            }
        })
    })
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
