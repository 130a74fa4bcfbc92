use std::fmt;

use cocoon_types::{Coefficient, Fault, Refusal, Tier};

use crate::{Load, Wanted, WorkerId};

/// The worker that gets the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Who.
    pub worker: WorkerId,
    /// Its price now.
    pub coefficient: Coefficient,
    /// The tier that the answer will have.
    pub tier: Tier,
    /// Its load before this request; no eligible worker has less.
    pub load: Load,
    /// How many had the same load, itself included; each was as likely.
    pub tied: usize,
    /// What became of all workers of the model.
    pub counts: Counts,
}

/// How many workers of a model were left out at which step; each worker is counted once, at the first step it fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All that announce the model.
    pub workers: usize,
    /// The endpoint is not among theirs.
    pub endpoint_unsupported: usize,
    /// They are switched off, or their engine is not well.
    pub disabled: usize,
    /// They speak protocol 2 or less, and the request does not.
    pub plaintext_refused: usize,
    /// The request does not accept their tier.
    pub tier_refused: usize,
    /// They ask more than the request pays.
    pub too_expensive: usize,
    /// Already tried for this request.
    pub excluded: usize,
    /// All their places are taken.
    pub full: usize,
    /// What is left: each could have served the request.
    pub eligible: usize,
}

/// Nobody can serve the request now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoMatch {
    /// The last step that some worker reached and none passed.
    pub obstacle: Obstacle,
    /// What became of all workers of the model.
    pub counts: Counts,
}

/// The step at which the last workers were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Nobody announces the model.
    UnknownModel,
    /// Nobody who announces the model serves the endpoint.
    EndpointUnsupported,
    /// All who could are disabled.
    AllDisabled,
    /// All who could speak protocol 2 or less, which a request of protocol 3 never goes to.
    PlaintextOnly,
    /// None has a tier that the request accepts.
    TierUnavailable,
    /// All at the right tier ask more than the request pays.
    PriceTooLow {
        /// The least that one of them asks.
        cheapest: Coefficient,
    },
    /// All who would do have been tried already.
    AllTried,
    /// All who would do are full: waiting can help.
    Busy,
}

/// What became of one worker in one choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It got the request.
    Chosen,
    /// It was as little loaded as the chosen one, and the draw went against it.
    NotDrawn,
    /// Another was less loaded.
    MoreLoaded(Load),
    /// All its places are taken.
    Full(Load),
    /// It has already been tried for this request.
    Excluded,
    /// It asks more than the request pays.
    TooExpensive(Coefficient),
    /// The request does not accept its tier.
    TierRefused(Tier),
    /// It speaks protocol 2 or less, and the request does not.
    PlaintextRefused,
    /// It is switched off, or its engine is not well.
    Disabled,
    /// The endpoint is not among its own.
    EndpointUnsupported,
}

// === impl NoMatch ===

impl NoMatch {
    /// The fault that the caller is told.
    pub const fn fault(&self) -> Fault {
        match self.obstacle {
            Obstacle::UnknownModel | Obstacle::EndpointUnsupported => Fault::UnknownModel,
            Obstacle::AllDisabled | Obstacle::AllTried => Fault::NoWorker,
            Obstacle::PlaintextOnly | Obstacle::TierUnavailable => Fault::TierUnavailable,
            Obstacle::PriceTooLow { .. } => Fault::PriceTooLow,
            Obstacle::Busy => Fault::Busy,
        }
    }

    /// Whether the same request could be served once a worker finishes something.
    pub const fn is_worth_waiting(&self) -> bool {
        matches!(self.obstacle, Obstacle::Busy)
    }

    /// The refusal that the caller is told: the fault and a sentence with the numbers behind it.
    pub fn to_refusal(&self, wanted: &Wanted<'_>) -> Refusal {
        let (model, counts) = (wanted.model, &self.counts);
        let message = match self.obstacle {
            Obstacle::UnknownModel => format!("no worker serves a model named {model}"),
            Obstacle::EndpointUnsupported => format!("{model} does not serve {}", wanted.endpoint),
            Obstacle::AllDisabled => format!("{model}: {} not ready", workers(counts.disabled)),
            Obstacle::PlaintextOnly => format!(
                "{model}: {} of protocol 2 or less, which this request does not go to: the proxy could read it",
                workers(counts.plaintext_refused)
            ),
            Obstacle::TierUnavailable => format!(
                "{model}: {}, none at the tier that was asked for ({})",
                workers(counts.tier_refused),
                wanted.tier
            ),
            Obstacle::PriceTooLow { cheapest } => format!(
                "{model}: {} above the price limit {}; the cheapest asks {cheapest} ({})",
                workers(counts.too_expensive),
                wanted.max_coefficient,
                cheapest.per_mille()
            ),
            Obstacle::AllTried => format!(
                "{model}: {} tried, none took the request",
                workers(counts.excluded)
            ),
            Obstacle::Busy => format!("{model}: {} busy", workers(counts.full)),
        };
        Refusal::new(self.fault(), message)
    }
}

fn workers(count: usize) -> String {
    match count {
        1 => "1 worker".to_owned(),
        _ => format!("{count} workers"),
    }
}

// === impl Verdict ===

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chosen => f.write_str("chosen"),
            Self::NotDrawn => f.write_str("equally loaded, not drawn"),
            Self::MoreLoaded(load) => write!(f, "more loaded ({load})"),
            Self::Full(load) => write!(f, "full ({load})"),
            Self::Excluded => f.write_str("already tried for this request"),
            Self::TooExpensive(coefficient) => write!(f, "asks {coefficient}, more than the limit"),
            Self::PlaintextRefused => {
                f.write_str("speaks protocol 2 or less: the proxy could read the request")
            }
            Self::TierRefused(tier) => write!(f, "its tier ({tier}) is not accepted"),
            Self::Disabled => f.write_str("disabled, or its engine is not ready"),
            Self::EndpointUnsupported => f.write_str("does not serve the endpoint"),
        }
    }
}
