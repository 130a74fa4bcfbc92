use std::fmt;

use serde::{Deserialize, Serialize};

/// A worker's price, in per mille of the base price: 1000 = 1.0x (spec/network.md 6.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Coefficient(u32);

/// What a token of each class weighs, in 1/10000 of an adjusted token: 10000 = 1.0 (spec/ton.md 1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Multipliers {
    /// Prompt tokens that the engine had to read.
    pub prompt: u32,
    /// Prompt tokens that it took from its cache.
    pub cached: u32,
    /// Completion tokens that are not reasoning.
    pub completion: u32,
    /// Completion tokens that are reasoning.
    pub reasoning: u32,
}

impl Multipliers {
    /// Every class weighs the same.
    pub const ONE: Self = Self {
        prompt: 10_000,
        cached: 10_000,
        completion: 10_000,
        reasoning: 10_000,
    };
}

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
