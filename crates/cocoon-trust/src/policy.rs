//! Which policy holds on a port: the registry's lists, narrowed by the local configuration.

use std::collections::BTreeSet;

use cocoon_attest::{EvidenceRule, ImageRule, Policy, Simulated};
use cocoon_contracts::RootConfig;

use crate::keys::TrustConfig;

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peers {
    /// Clients: they need no evidence, and what they bring must be good.
    Clients,
    /// Workers.
    Workers,
    /// Proxies.
    Proxies {
        /// Whether those that are `open` will do: then evidence is no condition, and the tier decides for each request.
        or_open: bool,
    },
}

// === impl Peers ===

impl Peers {
    /// The policy that holds now. Without a registry the local list counts alone; on a test network without either, any image
    /// does. With a registry an empty list refuses everybody.
    pub(crate) fn policy(self, config: &TrustConfig, registry: Option<&RootConfig>) -> Policy {
        // Both must say so: the operator by name, and the registry where there is one.
        let is_test = config.is_test && registry.is_none_or(|registry| registry.params.is_test);
        let simulated = if is_test && config.accept_simulated {
            Simulated::AcceptOnTestNetwork
        } else {
            Simulated::Refuse
        };
        let listed = |of: fn(&RootConfig) -> &BTreeSet<[u8; 32]>, local: &[[u8; 32]]| match registry {
            Some(registry) => ImageRule::Listed(narrowed(of(registry), local)),
            None if local.is_empty() && is_test => ImageRule::Any,
            None => ImageRule::Listed(local.to_vec()),
        };
        let (workers, proxies) = (&config.worker_images, &config.proxy_images);
        let required = EvidenceRule::Required { simulated };
        let optional = EvidenceRule::Optional { simulated };
        let (evidence, image_hashes) = match self {
            Self::Clients => (optional, ImageRule::Any),
            // A test network of several machines without a registry has no evidence that anybody could show: its workers are
            // `open`, and everybody is told.
            Self::Workers
                if registry.is_none() && is_test && !config.accept_simulated && workers.is_empty() =>
            {
                (optional, ImageRule::Any)
            }
            Self::Workers => (required, listed(|registry| &registry.worker_hashes, workers)),
            Self::Proxies { or_open } => {
                let wide = or_open || (registry.is_none() && is_test);
                let images = if wide && proxies.is_empty() {
                    ImageRule::Any
                } else {
                    listed(|registry| &registry.proxy_hashes, proxies)
                };
                (if wide { optional } else { required }, images)
            }
        };
        Policy {
            evidence,
            image_hashes,
            ..Policy::default()
        }
    }
}

/// What both list; the registry's alone where the operator lists nothing.
fn narrowed(registry: &BTreeSet<[u8; 32]>, local: &[[u8; 32]]) -> Vec<[u8; 32]> {
    registry
        .iter()
        .filter(|hash| local.is_empty() || local.contains(hash))
        .copied()
        .collect()
}

#[cfg(test)]
mod tests;
