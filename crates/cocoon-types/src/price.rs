use std::fmt;

use serde::{Deserialize, Serialize};

/// A worker's price, in per mille of the base price: 1000 = 1.0x (spec/network.md 6.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Coefficient(u32);

impl Coefficient {
    /// The base price.
    pub const ONE: Self = Self(1000);
    /// What a caller accepts when it names no limit: four times the base price, as the original.
    pub const DEFAULT_LIMIT: Self = Self(4000);
    /// First value that is refused (the original's handshake limit).
    pub const LIMIT: u32 = 1_000_000_000;

    /// A coefficient, unless it is not below [`Self::LIMIT`].
    pub const fn new(per_mille: u32) -> Option<Self> {
        if per_mille < Self::LIMIT {
            Some(Self(per_mille))
        } else {
            None
        }
    }

    /// Per mille of the base price.
    pub const fn per_mille(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Coefficient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}x", self.0 / 1000, self.0 % 1000)
    }
}
