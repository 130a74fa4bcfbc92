//! What an operator may set, and the checked form of it.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use cocoon_accounting::{Policy, When};
use cocoon_chain::{PurseKeys, PurseKeysError, PurseOptions};
use cocoon_trust::{TrustConfig, TrustKeys, TrustKeysError};
use cocoon_types::{Address, AddressError, Tier};
use serde::Deserialize;

/// What may be set by flag, environment (`COCOON_PROXY_*`) or file, in this order of precedence.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Where clients dial [default: 0.0.0.0:11002]
    #[arg(long, value_name = "ADDR", env = "COCOON_PROXY_LISTEN_CLIENTS")]
    pub listen_clients: Option<SocketAddr>,
    /// Where workers dial [default: 0.0.0.0:11001]
    #[arg(long, value_name = "ADDR", env = "COCOON_PROXY_LISTEN_WORKERS")]
    pub listen_workers: Option<SocketAddr>,
    /// Where /health, /metrics and /status are served [default: 127.0.0.1:11000]
    #[arg(long, value_name = "ADDR", env = "COCOON_PROXY_ADMIN")]
    pub admin: Option<SocketAddr>,
    /// This is a test network; peers of another kind of network are refused [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", env = "COCOON_PROXY_IS_TEST")]
    pub is_test: Option<bool>,
    /// Accept and present simulated evidence, which anybody can make; test networks only [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", env = "COCOON_PROXY_ACCEPT_SIMULATED")]
    pub accept_simulated: Option<bool>,
    /// What this node shows of its hardware: `none`, `machine` (this machine's TEE) or `development` (test networks only)
    /// [default: none; with accept_simulated the original's simulated quote]
    #[arg(long, value_name = "KIND", env = "COCOON_PROXY_TEE")]
    pub tee: Option<String>,
    /// Directory of the development TEE that all nodes of this test network share; made if it is not there
    #[arg(long, value_name = "DIR", env = "COCOON_PROXY_DEVELOPMENT_TEE")]
    pub development_tee: Option<PathBuf>,
    /// Where the collateral of this machine's evidence comes from (`tee = "machine"`): base address of Intel's service or of a
    /// cache of it (PCCS) [default: Intel's service]
    #[arg(long, value_name = "URL", env = "COCOON_PROXY_COLLATERAL_URL")]
    pub collateral_url: Option<String>,
    /// Image hashes that workers may run, in hex. With `chain` only of those that the registry lists; without it these alone, and none
    /// given means nobody, except on a test network, where it means any
    #[arg(
        long,
        value_name = "HEX",
        value_delimiter = ',',
        env = "COCOON_PROXY_WORKER_IMAGES"
    )]
    #[serde(default)]
    pub worker_images: Vec<String>,
    /// Leading zero bits that who dials must find, 0 to 28 [default: 20]
    #[arg(long, value_name = "BITS", env = "COCOON_PROXY_POW_DIFFICULTY")]
    pub pow_difficulty: Option<u8>,
    /// Requests that may wait for a busy worker, per model; one client may fill half of it, 0 refuses at once [default: 512]
    #[arg(long, value_name = "N", env = "COCOON_PROXY_QUEUE")]
    pub queue: Option<usize>,
    /// Longest time that a request waits for a busy worker, in seconds [default: 60]
    #[arg(long, value_name = "SECONDS", env = "COCOON_PROXY_QUEUE_WAIT_S")]
    pub queue_wait_s: Option<u64>,
    /// Longest time that a request may take, whatever its client says, in seconds [default: 1800]
    #[arg(long, value_name = "SECONDS", env = "COCOON_PROXY_MAX_TIMEOUT_S")]
    pub max_timeout_s: Option<u64>,
    /// Most links per listener [default: 16384]
    #[arg(long, value_name = "N", env = "COCOON_PROXY_MAX_LINKS")]
    pub max_links: Option<usize>,
    /// Time for open requests to end after the signal to stop, in seconds [default: 10]
    #[arg(long, value_name = "SECONDS", env = "COCOON_PROXY_DRAIN_S")]
    pub drain_s: Option<u64>,
    /// Peers of the original (protocols 0 to 2), whose requests this proxy can read: the lowest tier that serves its clients,
    /// `attested` or `open`, or `refuse`; they need `chain` [default: attested]
    #[arg(long, value_name = "TIER", env = "COCOON_PROXY_ORIGINAL_PEERS")]
    pub original_peers: Option<String>,
    /// Directory with api-keys.toml; needed when the admin listener is not on loopback
    #[arg(long, value_name = "DIR", env = "COCOON_PROXY_STATE_DIR")]
    pub state_dir: Option<PathBuf>,
    /// The chain that holds the money, as http://127.0.0.1:PORT; without it nothing is paid [default: none]
    #[arg(long, value_name = "URL", env = "COCOON_PROXY_CHAIN")]
    pub chain: Option<String>,
    /// The network's registry: the address of its root contract; needed with `chain`
    #[arg(long, value_name = "ADDRESS", env = "COCOON_PROXY_ROOT")]
    pub root: Option<String>,
    /// This node's wallet; made if it is not there [default: wallet.toml in the state directory]
    #[arg(long, value_name = "FILE", env = "COCOON_PROXY_WALLET_FILE")]
    pub wallet_file: Option<PathBuf>,
    /// The address that gets the proxy's share [default: this node's wallet]
    #[arg(long, value_name = "ADDRESS", env = "COCOON_PROXY_OWNER")]
    pub owner: Option<String>,
    /// When charges and payouts go to the chain: `each` request, at a `threshold`, every so many seconds, or `manual`;
    /// each costs gas [default: threshold]
    #[arg(long, value_name = "WHEN", env = "COCOON_PROXY_SETTLE")]
    pub settle: Option<String>,
    /// Longest time that what was used may wait for its commit to the chain, in seconds; until then it is not signed
    /// [default: 300]
    #[arg(long, value_name = "SECONDS", env = "COCOON_PROXY_COMMIT_AGE_S")]
    pub commit_age_s: Option<u64>,
}

/// A valid configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients dial.
    pub listen_clients: SocketAddr,
    /// Where workers dial.
    pub listen_workers: SocketAddr,
    /// The admin listener.
    pub admin: SocketAddr,
    /// A test network.
    pub is_test: bool,
    /// What this node shows, and whom it takes.
    pub trust: TrustConfig,
    /// Proof of work, in bits.
    pub pow_difficulty: u8,
    /// Waiting requests per model.
    pub queue: usize,
    /// Longest wait for a busy worker.
    pub queue_wait: Duration,
    /// Longest request.
    pub max_timeout: Duration,
    /// Links per listener.
    pub max_links: usize,
    /// Grace for open requests.
    pub drain: Duration,
    /// The lowest tier that serves the requests of the original's clients; `None` when its peers are refused.
    pub original_floor: Option<Tier>,
    /// Where the API keys of the admin listener and the accounts' journal are.
    pub state_dir: Option<PathBuf>,
    /// What is paid with; none in a network without payments.
    pub money: Option<MoneyConfig>,
}

/// How a proxy keeps accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoneyConfig {
    /// Chain, registry, wallet.
    pub purse: PurseOptions,
    /// Who gets the proxy's share, if not its own wallet.
    pub owner: Option<Address>,
    /// When to commit and to settle.
    pub policy: Policy,
}

/// A value that cannot be. Each message names the key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The keys that concern evidence.
    #[error(transparent)]
    Trust(#[from] TrustKeysError),
    /// Neither a floor nor a refusal.
    #[error(
        "original_peers: {0:?} is none of attested, open and refuse (protocol 2 or less is never confidential)"
    )]
    OriginalPeers(String),
    /// More than anybody would solve.
    #[error("pow_difficulty: {0} bits; dialers refuse more than 28 (spec/network.md 2)")]
    PowDifficulty(u8),
    /// The keys that concern money.
    #[error(transparent)]
    Money(#[from] PurseKeysError),
    /// Not an address.
    #[error("owner: {text:?}: {source}")]
    Owner {
        /// What was given.
        text: String,
        /// What is wrong with it.
        #[source]
        source: AddressError,
    },
    /// Not a time to settle.
    #[error("settle: {0:?} is none of each, threshold, manual or a number of seconds")]
    Settle(String),
    /// It says nothing without a chain.
    #[error("{0}: goes with chain and root")]
    WithoutChain(&'static str),
    /// A number outside its range.
    #[error("{key}: {value} is not between {least} and {most}")]
    Range {
        /// The key.
        key: &'static str,
        /// What was given.
        value: u64,
        /// Smallest sensible value.
        least: u64,
        /// Largest sensible value.
        most: u64,
    },
}

/// Waiting requests hold up to one window (256 KiB) each: 512 of them are 128 MiB per model.
const DEFAULT_QUEUE: usize = 512;
const DEFAULT_QUEUE_WAIT_S: u64 = 60;
/// Reasoning models answer for many minutes; half an hour is past any gateway's patience.
const DEFAULT_MAX_TIMEOUT_S: u64 = 1800;
/// "Thousands of workers and clients" (DESIGN section 9) with room; about 100 KiB each when idle.
const DEFAULT_MAX_LINKS: usize = 16_384;
const DEFAULT_DRAIN_S: u64 = 10;

// === impl Options ===

impl Options {
    /// These options, and the file's where these are silent.
    #[must_use]
    pub fn or(self, file: Self) -> Self {
        Self {
            listen_clients: self.listen_clients.or(file.listen_clients),
            listen_workers: self.listen_workers.or(file.listen_workers),
            admin: self.admin.or(file.admin),
            is_test: self.is_test.or(file.is_test),
            accept_simulated: self.accept_simulated.or(file.accept_simulated),
            tee: self.tee.or(file.tee),
            development_tee: self.development_tee.or(file.development_tee),
            collateral_url: self.collateral_url.or(file.collateral_url),
            worker_images: if self.worker_images.is_empty() {
                file.worker_images
            } else {
                self.worker_images
            },
            pow_difficulty: self.pow_difficulty.or(file.pow_difficulty),
            queue: self.queue.or(file.queue),
            queue_wait_s: self.queue_wait_s.or(file.queue_wait_s),
            max_timeout_s: self.max_timeout_s.or(file.max_timeout_s),
            max_links: self.max_links.or(file.max_links),
            drain_s: self.drain_s.or(file.drain_s),
            original_peers: self.original_peers.or(file.original_peers),
            state_dir: self.state_dir.or(file.state_dir),
            chain: self.chain.or(file.chain),
            root: self.root.or(file.root),
            wallet_file: self.wallet_file.or(file.wallet_file),
            owner: self.owner.or(file.owner),
            settle: self.settle.or(file.settle),
            commit_age_s: self.commit_age_s.or(file.commit_age_s),
        }
    }

    /// Checks everything and fills in the defaults.
    ///
    /// # Errors
    /// [`ConfigError`] names the key that is wrong.
    pub fn build(self) -> Result<Config, ConfigError> {
        let is_test = self.is_test.unwrap_or(false);
        let pow_difficulty = self.pow_difficulty.unwrap_or(20);
        if pow_difficulty > 28 {
            return Err(ConfigError::PowDifficulty(pow_difficulty));
        }
        let listen_clients = self
            .listen_clients
            .unwrap_or(SocketAddr::from(([0, 0, 0, 0], 11002)));
        let listen_workers = self
            .listen_workers
            .unwrap_or(SocketAddr::from(([0, 0, 0, 0], 11001)));
        let original_floor = match self.original_peers.as_deref() {
            None | Some("attested") => Some(Tier::Attested),
            Some("open") => Some(Tier::Open),
            Some("refuse") => None,
            Some(other) => return Err(ConfigError::OriginalPeers(other.to_owned())),
        };
        let money = money(&self, is_test)?;
        let trust = TrustKeys {
            tee: self.tee,
            development_tee: self.development_tee,
            collateral_url: self.collateral_url,
            state_dir: self.state_dir.clone(),
            is_test,
            accept_simulated: self.accept_simulated.unwrap_or(false),
            worker_images: self.worker_images,
            proxy_images: Vec::new(),
            has_registry: money.is_some(),
            listens: vec![
                ("listen_clients", listen_clients.ip()),
                ("listen_workers", listen_workers.ip()),
            ],
        };
        let seconds = |key, value: Option<u64>, default, least, most| {
            in_range(key, value.unwrap_or(default), least, most).map(Duration::from_secs)
        };
        let count = |key, value: Option<usize>, default: usize, least, most| {
            let value = value.unwrap_or(default);
            in_range(key, u64::try_from(value).unwrap_or(u64::MAX), least, most).map(|_| value)
        };
        Ok(Config {
            listen_clients,
            listen_workers,
            admin: self.admin.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 11000))),
            is_test,
            trust: trust.build()?,
            pow_difficulty,
            queue: count("queue", self.queue, DEFAULT_QUEUE, 0, 100_000)?,
            queue_wait: seconds("queue_wait_s", self.queue_wait_s, DEFAULT_QUEUE_WAIT_S, 0, 3600)?,
            max_timeout: seconds(
                "max_timeout_s",
                self.max_timeout_s,
                DEFAULT_MAX_TIMEOUT_S,
                1,
                86_400,
            )?,
            max_links: count("max_links", self.max_links, DEFAULT_MAX_LINKS, 1, 1_000_000)?,
            drain: seconds("drain_s", self.drain_s, DEFAULT_DRAIN_S, 0, 3600)?,
            original_floor,
            state_dir: self.state_dir,
            money,
        })
    }
}

fn money(options: &Options, is_test: bool) -> Result<Option<MoneyConfig>, ConfigError> {
    let keys = PurseKeys {
        chain: options.chain.clone(),
        root: options.root.clone(),
        wallet_file: options.wallet_file.clone(),
    };
    let state_dir = options.state_dir.clone();
    let purse = keys.build(is_test, || cocoon_web::keys::state_file(state_dir, "wallet.toml"))?;
    let Some(purse) = purse else {
        let given = [
            ("owner", options.owner.is_some()),
            ("settle", options.settle.is_some()),
            ("commit_age_s", options.commit_age_s.is_some()),
        ];
        return match given.into_iter().find(|(_, given)| *given) {
            Some((key, _)) => Err(ConfigError::WithoutChain(key)),
            None => Ok(None),
        };
    };
    let owner = match &options.owner {
        None => None,
        Some(text) => Some(text.parse().map_err(|source| ConfigError::Owner {
            text: text.clone(),
            source,
        })?),
    };
    let usual = Policy::default();
    let commit_age = options.commit_age_s.unwrap_or(usual.commit_age);
    let policy = Policy {
        settle: options.settle.as_deref().map_or(Ok(usual.settle), when)?,
        commit_age: in_range("commit_age_s", commit_age, 1, 86_400)?,
        ..usual
    };
    Ok(Some(MoneyConfig { purse, owner, policy }))
}

fn when(text: &str) -> Result<When, ConfigError> {
    match text {
        "each" => Ok(When::Each),
        "threshold" => Ok(When::Threshold),
        "manual" => Ok(When::Manual),
        seconds => seconds
            .parse()
            .ok()
            .filter(|seconds| (1..=86_400).contains(seconds))
            .map(When::Every)
            .ok_or_else(|| ConfigError::Settle(text.to_owned())),
    }
}

fn in_range(key: &'static str, value: u64, least: u64, most: u64) -> Result<u64, ConfigError> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(ConfigError::Range {
            key,
            value,
            least,
            most,
        })
    }
}

#[cfg(test)]
mod tests;
