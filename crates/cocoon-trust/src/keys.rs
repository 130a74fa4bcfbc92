use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cocoon_link::Attester;
use cocoon_tee::collateral::CollateralOptions;

/// Image hashes that a configuration may list.
pub const MAX_IMAGES: usize = 256;

/// The registry is looked at after this time, or up to twice of it; with the drain of a link (20 s), who is taken off a list
/// is out within a minute.
const POLL: Duration = Duration::from_secs(10);

/// The keys of a role's configuration that concern trust, as they stand in a file or in flags.
#[derive(Clone, Debug, Default)]
pub struct TrustKeys {
    /// `tee`
    pub tee: Option<String>,
    /// `development_tee`
    pub development_tee: Option<PathBuf>,
    /// `collateral_url`: base address of Intel's service or of a cache of it.
    pub collateral_url: Option<String>,
    /// `state_dir`, where collateral is kept.
    pub state_dir: Option<PathBuf>,
    /// `is_test`
    pub is_test: bool,
    /// `accept_simulated`
    pub accept_simulated: bool,
    /// `worker_images`: image hashes in hex.
    pub worker_images: Vec<String>,
    /// `proxy_images`
    pub proxy_images: Vec<String>,
    /// Whether a registry is configured.
    pub has_registry: bool,
    /// Addresses that are listened on for peers, each with its key.
    pub listens: Vec<(&'static str, IpAddr)>,
}

/// A checked form of [`TrustKeys`].
#[derive(Clone, Debug)]
pub struct TrustConfig {
    /// What this node presents.
    pub tee: TeeChoice,
    /// Where the development TEE is, whose root is trusted on a test network.
    pub development_tee: Option<PathBuf>,
    /// Where the collateral of this machine's evidence comes from.
    pub collateral: CollateralOptions,
    /// What this node is meant for. A registry must say the same.
    pub is_test: bool,
    /// Simulated evidence is taken, where the network is a test network.
    pub accept_simulated: bool,
    /// Images that workers may run. With a registry: of those that it lists.
    pub worker_images: Vec<[u8; 32]>,
    /// The same for proxies.
    pub proxy_images: Vec<[u8; 32]>,
    /// Shortest time between two looks at registry and chain.
    pub poll: Duration,
    /// The identity is renewed so often, however long it holds; without it when a third of its life is left.
    pub renew_every: Option<Duration>,
}

/// Where a node's evidence comes from.
#[derive(Clone, Default)]
pub enum TeeChoice {
    /// It has none.
    #[default]
    None,
    /// The original's simulated quote, which is nothing but the report data. For test networks.
    ReportData,
    /// The development TEE. For test networks.
    Development,
    /// This machine's.
    Machine,
    /// Somebody else's; for tests.
    Other(Arc<dyn Attester>),
}

/// A value of these keys that cannot be. Each message names the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustKeysError {
    /// Not a kind of TEE.
    #[error("tee: {0:?} is none of none, machine, development")]
    Tee(String),
    /// Nowhere to take it from.
    #[error(
        "tee: development needs development_tee (hint: the directory that all nodes of this test network share)"
    )]
    NoDirectory,
    /// Simulated evidence outside a test network.
    #[error("{0}: development evidence proves nothing and needs is_test = true")]
    NeedsTest(&'static str),
    /// Simulated evidence outside a test network.
    #[error("accept_simulated: simulated evidence proves nothing and needs is_test = true")]
    SimulatedNeedsTest,
    /// It would be heard by others.
    #[error(
        "{key}: {address} is not loopback: without a registry that marks a test network, simulated evidence counts on this machine only (hint: set chain and root, listen on 127.0.0.1, or leave accept_simulated and tee out and serve at tier open)"
    )]
    NotLoopback {
        /// The key.
        key: &'static str,
        /// Its address.
        address: IpAddr,
    },
    /// Not 32 bytes of hex.
    #[error("{key}: {text:?} is not an image hash (64 hex digits)")]
    Image {
        /// The key.
        key: &'static str,
        /// What was given.
        text: String,
    },
    /// More than anybody lists.
    #[error("{0}: more than {MAX_IMAGES} image hashes")]
    TooManyImages(&'static str),
}

// === impl TrustKeys ===

impl TrustKeys {
    /// Checks everything.
    ///
    /// # Errors
    /// [`TrustKeysError`] names the key that is wrong.
    pub fn build(self) -> Result<TrustConfig, TrustKeysError> {
        if self.accept_simulated && !self.is_test {
            return Err(TrustKeysError::SimulatedNeedsTest);
        }
        let tee = match self.tee.as_deref() {
            // As before there were others: whoever takes simulated evidence shows some.
            None if self.accept_simulated => TeeChoice::ReportData,
            None | Some("none") => TeeChoice::None,
            Some("machine") => TeeChoice::Machine,
            Some("development") => TeeChoice::Development,
            Some(other) => return Err(TrustKeysError::Tee(other.to_owned())),
        };
        let is_development = matches!(tee, TeeChoice::Development);
        if is_development && self.development_tee.is_none() {
            return Err(TrustKeysError::NoDirectory);
        }
        if self.development_tee.is_some() && !self.is_test {
            return Err(TrustKeysError::NeedsTest(if is_development {
                "tee"
            } else {
                "development_tee"
            }));
        }
        if self.accept_simulated && !self.has_registry {
            let afar = self
                .listens
                .iter()
                .find(|(_, address)| !address.to_canonical().is_loopback());
            if let Some(&(key, address)) = afar {
                return Err(TrustKeysError::NotLoopback { key, address });
            }
        }
        Ok(TrustConfig {
            tee,
            development_tee: self.development_tee,
            collateral: collateral(self.collateral_url, self.state_dir),
            is_test: self.is_test,
            accept_simulated: self.accept_simulated,
            worker_images: images("worker_images", self.worker_images)?,
            proxy_images: images("proxy_images", self.proxy_images)?,
            poll: POLL,
            renew_every: None,
        })
    }
}

/// Intel's service, or another one; kept in a directory of its own.
fn collateral(url: Option<String>, state_dir: Option<PathBuf>) -> CollateralOptions {
    let options = CollateralOptions::intel(state_dir.map(|directory| directory.join("collateral")));
    match url {
        Some(url) => CollateralOptions { url, ..options },
        None => options,
    }
}

fn images(key: &'static str, texts: Vec<String>) -> Result<Vec<[u8; 32]>, TrustKeysError> {
    if texts.len() > MAX_IMAGES {
        return Err(TrustKeysError::TooManyImages(key));
    }
    texts.into_iter().map(|text| image(key, text)).collect()
}

fn image(key: &'static str, text: String) -> Result<[u8; 32], TrustKeysError> {
    let mut hash = [0; 32];
    match hex::decode_to_slice(&text, &mut hash) {
        Ok(()) => Ok(hash),
        Err(_) => Err(TrustKeysError::Image { key, text }),
    }
}

// === impl TeeChoice ===

impl fmt::Debug for TeeChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::ReportData => "ReportData",
            Self::Development => "Development",
            Self::Machine => "Machine",
            Self::Other(_) => "Other",
        })
    }
}

#[cfg(test)]
mod tests;
