use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// An amount of money: 1 TON is 10^9 nanoTON. Never negative, never fractional.
///
/// A `u64`, because the original refuses larger amounts (spec/ton.md 0.3); all the money there is fits 2.7 times.
/// Arithmetic is checked; nothing wraps and nothing saturates unless its name says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nanoton(u64);

/// Text that is not an amount of TON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an amount: write TON with up to nine decimals, as 0.05")]
pub struct NanotonError;

const PER_TON: u64 = 1_000_000_000;
const DECIMALS: usize = 9;

impl Nanoton {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount in nanoTON.
    pub const fn new(nano: u64) -> Self {
        Self(nano)
    }

    /// In nanoTON.
    pub const fn nano(self) -> u64 {
        self.0
    }

    /// The sum, unless it overflows.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The difference, unless it would be negative.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Self(difference)),
            None => None,
        }
    }

    /// The difference, or nothing where it would be negative.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// So many times this amount, unless it overflows.
    pub const fn checked_mul(self, times: u64) -> Option<Self> {
        match self.0.checked_mul(times) {
            Some(product) => Some(Self(product)),
            None => None,
        }
    }

    /// How often `unit` fits into this amount; `None` for a unit of zero.
    pub const fn checked_div(self, unit: Self) -> Option<u64> {
        self.0.checked_div(unit.0)
    }
}

impl fmt::Display for Nanoton {
    /// `0.05 TON`: exact, without zeros at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, nano) = (self.0 / PER_TON, self.0 % PER_TON);
        if nano == 0 {
            return write!(f, "{whole} TON");
        }
        let decimals = format!("{nano:09}");
        write!(f, "{whole}.{} TON", decimals.trim_end_matches('0'))
    }
}

impl FromStr for Nanoton {
    type Err = NanotonError;

    /// Reads what [`Display`](fmt::Display) writes; the unit may be left out.
    fn from_str(text: &str) -> Result<Self, NanotonError> {
        let text = text.strip_suffix("TON").unwrap_or(text).trim();
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(decimals) || decimals.len() > DECIMALS {
            return Err(NanotonError);
        }
        let whole: u64 = whole.parse().map_err(|_| NanotonError)?;
        let nano: u64 = format!("{decimals:0<9}").parse().map_err(|_| NanotonError)?;
        let total = whole
            .checked_mul(PER_TON)
            .and_then(|whole| whole.checked_add(nano));
        total.map(Self).ok_or(NanotonError)
    }
}

#[cfg(test)]
mod tests;
