use std::fmt;

use serde::{Deserialize, Serialize};

/// Who could have read a prompt: always the result of an appraisal, never a claim (DESIGN section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// CPU TEE of an allowed image, engine inside it, every accelerator attested: nobody but the client.
    Confidential,
    /// CPU TEE of an allowed image, the GPU is not attested.
    Attested,
    /// No evidence, or an engine outside the measured image: the machine's owner can read.
    Open,
    /// Structurally genuine evidence under a development root: development only, outside the order.
    Simulated,
}

/// The lowest tier that a request accepts.
///
/// `simulated` stands outside the order, so it is accepted by name only, beside a floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TierPolicy {
    floor: Floor,
    simulated: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Floor {
    Open,
    Attested,
    Confidential,
}

/// The text is not a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a tier: expected confidential, attested, open or simulated (or two, as in open+simulated)")]
pub struct TierError;

// === impl Tier ===

impl Tier {
    /// The number that protocol 3 carries.
    pub const fn wire_code(self) -> i32 {
        match self {
            Self::Confidential => 0,
            Self::Attested => 1,
            Self::Open => 2,
            Self::Simulated => 3,
        }
    }

    /// The tier with this number.
    pub const fn from_wire_code(code: i32) -> Option<Self> {
        match code {
            0 => Some(Self::Confidential),
            1 => Some(Self::Attested),
            2 => Some(Self::Open),
            3 => Some(Self::Simulated),
            _ => None,
        }
    }

    /// The lower-case word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confidential => "confidential",
            Self::Attested => "attested",
            Self::Open => "open",
            Self::Simulated => "simulated",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Tier {
    type Err = TierError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Confidential, Self::Attested, Self::Open, Self::Simulated]
            .into_iter()
            .find(|tier| tier.as_str() == text)
            .ok_or(TierError)
    }
}

// === impl TierPolicy ===

impl TierPolicy {
    /// The default: nothing below `confidential`, nothing simulated.
    pub const CONFIDENTIAL: Self = Self {
        floor: Floor::Confidential,
        simulated: false,
    };

    /// Accepts this tier and everything above it; `simulated` adds itself to a floor of `confidential`.
    pub const fn at_least(tier: Tier) -> Self {
        match tier {
            Tier::Confidential => Self::CONFIDENTIAL,
            Tier::Attested => Self {
                floor: Floor::Attested,
                simulated: false,
            },
            Tier::Open => Self {
                floor: Floor::Open,
                simulated: false,
            },
            Tier::Simulated => Self {
                floor: Floor::Confidential,
                simulated: true,
            },
        }
    }

    /// Accepts `simulated` too.
    #[must_use]
    pub const fn and_simulated(self) -> Self {
        Self {
            simulated: true,
            ..self
        }
    }

    /// Whether an answer of this tier is acceptable.
    pub const fn accepts(self, tier: Tier) -> bool {
        match tier {
            Tier::Simulated => self.simulated,
            Tier::Confidential => true,
            Tier::Attested => matches!(self.floor, Floor::Attested | Floor::Open),
            Tier::Open => matches!(self.floor, Floor::Open),
        }
    }

    /// The floor, as the tier that names it.
    pub const fn floor(self) -> Tier {
        match self.floor {
            Floor::Confidential => Tier::Confidential,
            Floor::Attested => Tier::Attested,
            Floor::Open => Tier::Open,
        }
    }

    /// Whether `simulated` is accepted by name.
    pub const fn accepts_simulated(self) -> bool {
        self.simulated
    }
}

impl Default for TierPolicy {
    fn default() -> Self {
        Self::CONFIDENTIAL
    }
}

impl fmt::Display for TierPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.floor(), self.simulated) {
            (Tier::Confidential, true) => f.write_str("simulated"),
            (floor, true) => write!(f, "{floor}+simulated"),
            (floor, false) => write!(f, "{floor}"),
        }
    }
}

impl std::str::FromStr for TierPolicy {
    type Err = TierError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('+') {
            None => Ok(Self::at_least(text.parse()?)),
            Some((floor, "simulated")) => Ok(Self::at_least(floor.parse()?).and_simulated()),
            Some(_) => Err(TierError),
        }
    }
}

#[cfg(test)]
mod tests;
