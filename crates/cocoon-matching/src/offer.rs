use std::{fmt, num::NonZeroU32};

use cocoon_types::{Coefficient, Endpoint, ModelName, Tier, TierPolicy};

/// A worker's place in one proxy's table: the number of its link, never used again after it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkerId(pub u64);

/// A set of endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Endpoints(u8);

/// What a worker offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The model as announced; requests name its base.
    pub model: ModelName,
    /// What the engine serves.
    pub endpoints: Endpoints,
    /// The tier that its answers have: the peer's, or `open` when its engine runs outside.
    pub tier: Tier,
    /// Its price.
    pub coefficient: Coefficient,
    /// How many requests this proxy may give it at once.
    pub capacity: NonZeroU32,
    /// Whether it takes requests now.
    pub enabled: bool,
    /// Whether it speaks a protocol that leaves what it is asked readable to the proxy (2 or less). Only requests that
    /// came in such a protocol go to it.
    pub plaintext: bool,
}

/// What a request asks for.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// Base name of the model.
    pub model: &'a str,
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The tiers that it accepts.
    pub tier: TierPolicy,
    /// The most that it pays.
    pub max_coefficient: Coefficient,
    /// Whether the request itself came in a protocol that leaves it readable to the proxy (2 or less).
    pub plaintext: bool,
    /// Workers that must not be chosen, because they have already been tried. A handful at most.
    pub excluded: &'a [WorkerId],
}

// === impl WorkerId ===

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "w{}", self.0)
    }
}

// === impl Endpoints ===

impl Endpoints {
    const fn bit(endpoint: Endpoint) -> u8 {
        match endpoint {
            Endpoint::ChatCompletions => 1,
            Endpoint::Completions => 2,
            Endpoint::Embeddings => 4,
        }
    }

    /// Whether the endpoint is in the set.
    pub const fn contains(self, endpoint: Endpoint) -> bool {
        self.0 & Self::bit(endpoint) != 0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members, in the order of [`Endpoint::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Endpoint> {
        Endpoint::ALL
            .into_iter()
            .filter(move |endpoint| self.contains(*endpoint))
    }
}

impl FromIterator<Endpoint> for Endpoints {
    fn from_iter<I: IntoIterator<Item = Endpoint>>(endpoints: I) -> Self {
        Self(
            endpoints
                .into_iter()
                .fold(0, |bits, endpoint| bits | Self::bit(endpoint)),
        )
    }
}

// === impl Wanted ===

impl Wanted<'_> {
    pub(crate) fn excludes(&self, id: WorkerId) -> bool {
        self.excluded.contains(&id)
    }
}
