//! What an operator may set, and the checked form of it.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use cocoon_chain::{PurseKeys, PurseKeysError, PurseOptions};
use cocoon_seal::MAX_CANDIDATES;
use cocoon_trust::{TrustConfig, TrustKeys, TrustKeysError};
use cocoon_types::{Coefficient, MAX_BODY_BYTES, Nanoton, TierPolicy};
use serde::Deserialize;

use crate::sealed::SealOptions;

/// What may be set by flag, environment (`COCOON_CLIENT_*`) or file, in this order of precedence.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Where the API is served; any other address than loopback needs API keys [default: 127.0.0.1:10000]
    #[arg(long, value_name = "ADDR", env = "COCOON_CLIENT_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// Proxies to dial, as host:port; at least one
    #[arg(
        long = "proxy",
        visible_alias = "proxies",
        value_name = "HOST:PORT",
        value_delimiter = ',',
        env = "COCOON_CLIENT_PROXIES"
    )]
    #[serde(default)]
    pub proxies: Vec<String>,
    /// Lowest tier that a request accepts when it names none: confidential, attested, open or simulated, or two as in
    /// open+simulated [default: confidential]
    #[arg(long, value_name = "TIER", env = "COCOON_CLIENT_TIER")]
    pub tier: Option<String>,
    /// Highest price that a request accepts when it names none, in per mille of the base price [default: 4000]
    #[arg(long, value_name = "PER_MILLE", env = "COCOON_CLIENT_MAX_COEFFICIENT")]
    pub max_coefficient: Option<u32>,
    /// Deadline of a whole answer when the request names none, in seconds [default: 600]
    #[arg(long, value_name = "SECONDS", env = "COCOON_CLIENT_TIMEOUT_S")]
    pub timeout_s: Option<u64>,
    /// Longest deadline that a request may name, in seconds [default: 1800]
    #[arg(long, value_name = "SECONDS", env = "COCOON_CLIENT_MAX_TIMEOUT_S")]
    pub max_timeout_s: Option<u64>,
    /// Largest request body, in bytes; at most 16777216 [default: 16777216]
    #[arg(long, value_name = "BYTES", env = "COCOON_CLIENT_MAX_BODY_BYTES")]
    pub max_body_bytes: Option<usize>,
    /// This is a test network; proxies of another kind of network are refused [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", env = "COCOON_CLIENT_IS_TEST")]
    pub is_test: Option<bool>,
    /// Link to proxies with simulated evidence, which anybody can make; test networks only, and a request must still
    /// accept `simulated` by name [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", env = "COCOON_CLIENT_ACCEPT_SIMULATED")]
    pub accept_simulated: Option<bool>,
    /// Let proxies read requests and answers: those of the original (protocol 2 or less; such answers are tier open, and only
    /// requests that accept open go there; needs `chain`), and all where there is no `chain` and so nothing to seal with; what a
    /// proxy reads is never confidential, and every answer says so [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", env = "COCOON_CLIENT_ALLOW_PROXY_PLAINTEXT")]
    pub allow_proxy_plaintext: Option<bool>,
    /// What this node shows of its hardware: `none`, `machine` (this machine's TEE) or `development` (test networks only)
    /// [default: none; with accept_simulated the original's simulated quote]
    #[arg(long, value_name = "KIND", env = "COCOON_CLIENT_TEE")]
    pub tee: Option<String>,
    /// Directory of the development TEE that all nodes of this test network share; made if it is not there
    #[arg(long, value_name = "DIR", env = "COCOON_CLIENT_DEVELOPMENT_TEE")]
    pub development_tee: Option<PathBuf>,
    /// Where the collateral of this machine's evidence comes from (`tee = "machine"`): base address of Intel's service or of a
    /// cache of it (PCCS) [default: Intel's service]
    #[arg(long, value_name = "URL", env = "COCOON_CLIENT_COLLATERAL_URL")]
    pub collateral_url: Option<String>,
    /// Image hashes that proxies may run, in hex. With `chain` only of those that the registry lists; without it these alone, and none
    /// given means nobody, except on a test network or when `tier` is open, where it means any
    #[arg(
        long,
        value_name = "HEX",
        value_delimiter = ',',
        env = "COCOON_CLIENT_PROXY_IMAGES"
    )]
    #[serde(default)]
    pub proxy_images: Vec<String>,
    /// Directory with api-keys.toml, used where keys are required [default: ~/.local/state/cocoon]
    #[arg(long, value_name = "DIR", env = "COCOON_CLIENT_STATE_DIR")]
    pub state_dir: Option<PathBuf>,
    /// Require API keys on loopback too [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", env = "COCOON_CLIENT_API_KEYS")]
    pub api_keys: Option<bool>,
    /// Workers that a request is sealed for when it does not say, 1 to 8: each of them can read it, and one that is busy or gone is
    /// replaced by the next at once [default: 2]
    #[arg(long, value_name = "COUNT", env = "COCOON_CLIENT_CANDIDATES")]
    pub candidates: Option<u64>,
    /// Keep sessions with workers, so that later requests cost no public-key work; a worker can tell for ten minutes at most that
    /// they are of one client, never of which [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", env = "COCOON_CLIENT_SESSIONS")]
    pub sessions: Option<bool>,
    /// Pad the parts of answers to 64-byte steps, so that the proxy learns less from their sizes [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", env = "COCOON_CLIENT_PAD_ANSWERS")]
    pub pad_answers: Option<bool>,
    /// How long the receipts of answers are kept, in memory, in seconds; 0 keeps none [default: 86400]
    #[arg(long, value_name = "SECONDS", env = "COCOON_CLIENT_KEEP_RECEIPTS_S")]
    pub keep_receipts_s: Option<u64>,
    /// Most receipts that are kept; a few KiB each [default: 10000]
    #[arg(long, value_name = "COUNT", env = "COCOON_CLIENT_MAX_RECEIPTS")]
    pub max_receipts: Option<u64>,
    /// Origins of web pages that may call beside those on loopback, as `https://app.example.org`
    #[arg(
        long,
        value_name = "ORIGIN",
        value_delimiter = ',',
        env = "COCOON_CLIENT_ALLOWED_ORIGINS"
    )]
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// Most bits of proof of work that are done for a proxy, 0 to 28 [default: 28]
    #[arg(long, value_name = "BITS", env = "COCOON_CLIENT_MAX_POW_DIFFICULTY")]
    pub max_pow_difficulty: Option<u8>,
    /// Time for open requests to end after the signal to stop, in seconds [default: 10]
    #[arg(long, value_name = "SECONDS", env = "COCOON_CLIENT_DRAIN_S")]
    pub drain_s: Option<u64>,
    /// The chain that holds the money, as http://127.0.0.1:PORT; without it nothing is paid [default: none]
    #[arg(long, value_name = "URL", env = "COCOON_CLIENT_CHAIN")]
    pub chain: Option<String>,
    /// The network's registry: the address of its root contract; needed with `chain`
    #[arg(long, value_name = "ADDRESS", env = "COCOON_CLIENT_ROOT")]
    pub root: Option<String>,
    /// This node's wallet; made if it is not there [default: wallet.toml in the state directory]
    #[arg(long, value_name = "FILE", env = "COCOON_CLIENT_WALLET_FILE")]
    pub wallet_file: Option<PathBuf>,
    /// How much a top-up pays in at a proxy, in TON as 0.05; what a proxy whose key is stolen could take. Half of it becomes
    /// the stake, which bounds what may be owed until the proxy charges, and so how much can be asked at once [default: the
    /// network's least stake]
    #[arg(long, value_name = "TON", env = "COCOON_CLIENT_TOP_UP")]
    pub top_up: Option<String>,
    /// Top up by itself when half of that is used [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", env = "COCOON_CLIENT_AUTO_TOP_UP")]
    pub auto_top_up: Option<bool>,
}

/// A valid configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the API is served.
    pub listen: SocketAddr,
    /// Proxies to dial, `host:port`, each once.
    pub proxies: Vec<String>,
    /// The tiers that a request accepts when it names none.
    pub tier: TierPolicy,
    /// The price that a request accepts when it names none.
    pub max_coefficient: Coefficient,
    /// Deadline when the request names none.
    pub timeout: Duration,
    /// Longest deadline that a request may name.
    pub max_timeout: Duration,
    /// Largest request body, in bytes.
    pub max_body_bytes: usize,
    /// A test network.
    pub is_test: bool,
    /// What this node shows, and whom it links to.
    pub trust: TrustConfig,
    /// Proxies may read everything: those of protocol 2 or less, and all without a chain.
    pub allow_proxy_plaintext: bool,
    /// Where the API keys are; nothing for the default.
    pub state_dir: Option<PathBuf>,
    /// Keys are required on loopback too.
    pub api_keys: bool,
    /// How requests are sealed.
    pub(crate) seal: SealOptions,
    /// How long receipts are kept.
    pub keep_receipts: Duration,
    /// Most receipts that are kept.
    pub max_receipts: usize,
    /// Origins that may call beside loopback.
    pub allowed_origins: Vec<String>,
    /// Most bits of proof of work.
    pub max_pow_difficulty: u8,
    /// Grace for open requests.
    pub drain: Duration,
    /// What pays; none in a network without payments.
    pub purse: Option<PurseOptions>,
    /// How much a top-up pays in; none for the least stake.
    pub top_up: Option<Nanoton>,
    /// Top up by itself.
    pub auto_top_up: bool,
}

/// A value that cannot be. Each message names the key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Nobody to send requests to.
    #[error("proxies: at least one is needed (hint: --proxy HOST:PORT)")]
    NoProxy,
    /// More than anybody links to.
    #[error("proxies: more than {MAX_PROXIES}")]
    TooManyProxies,
    /// Not `host:port`.
    #[error("proxies: {0:?} is not of the form HOST:PORT")]
    Proxy(String),
    /// Not a tier.
    #[error(
        "tier: {0:?} is not one of confidential, attested, open, simulated (or two, as in open+simulated)"
    )]
    Tier(String),
    /// `simulated` is named and links refuse it.
    #[error("tier: simulated is named, but accept_simulated is not set")]
    SimulatedNotAccepted,
    /// The keys that concern evidence.
    #[error(transparent)]
    Trust(#[from] TrustKeysError),
    /// The keys that concern money.
    #[error(transparent)]
    Money(#[from] PurseKeysError),
    /// Not an amount.
    #[error("top_up: {0:?} is not an amount of TON above 0, as 0.05")]
    TopUp(String),
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
    /// The default deadline is above the longest.
    #[error("timeout_s: {timeout_s} is above max_timeout_s ({max_timeout_s})")]
    Timeout {
        /// The default.
        timeout_s: u64,
        /// The longest.
        max_timeout_s: u64,
    },
}

/// Reasoning models think for minutes, and the usual SDKs wait 600 s; the original's 120 s cuts such answers off.
const DEFAULT_TIMEOUT_S: u64 = 600;
/// A proxy allows no more by default.
const DEFAULT_MAX_TIMEOUT_S: u64 = 1800;
const DAY_S: u64 = 24 * 60 * 60;
/// One is about 3 KiB, and each statement of a worker that served some tens of KiB more, once for all its receipts.
const DEFAULT_MAX_RECEIPTS: u64 = 10_000;
const MAX_RECEIPTS: u64 = 1_000_000;
const DEFAULT_DRAIN_S: u64 = 10;
/// A client pays at each proxy that it uses; nobody uses dozens.
const MAX_PROXIES: usize = 64;
const MAX_POW_DIFFICULTY: u8 = 28;

// === impl Options ===

impl Options {
    /// These options, and the file's where these are silent.
    #[must_use]
    pub fn or(self, file: Self) -> Self {
        Self {
            listen: self.listen.or(file.listen),
            proxies: first_filled(self.proxies, file.proxies),
            tier: self.tier.or(file.tier),
            max_coefficient: self.max_coefficient.or(file.max_coefficient),
            timeout_s: self.timeout_s.or(file.timeout_s),
            max_timeout_s: self.max_timeout_s.or(file.max_timeout_s),
            max_body_bytes: self.max_body_bytes.or(file.max_body_bytes),
            is_test: self.is_test.or(file.is_test),
            accept_simulated: self.accept_simulated.or(file.accept_simulated),
            tee: self.tee.or(file.tee),
            development_tee: self.development_tee.or(file.development_tee),
            collateral_url: self.collateral_url.or(file.collateral_url),
            allow_proxy_plaintext: self.allow_proxy_plaintext.or(file.allow_proxy_plaintext),
            proxy_images: first_filled(self.proxy_images, file.proxy_images),
            state_dir: self.state_dir.or(file.state_dir),
            api_keys: self.api_keys.or(file.api_keys),
            candidates: self.candidates.or(file.candidates),
            sessions: self.sessions.or(file.sessions),
            pad_answers: self.pad_answers.or(file.pad_answers),
            keep_receipts_s: self.keep_receipts_s.or(file.keep_receipts_s),
            max_receipts: self.max_receipts.or(file.max_receipts),
            allowed_origins: first_filled(self.allowed_origins, file.allowed_origins),
            max_pow_difficulty: self.max_pow_difficulty.or(file.max_pow_difficulty),
            drain_s: self.drain_s.or(file.drain_s),
            chain: self.chain.or(file.chain),
            root: self.root.or(file.root),
            wallet_file: self.wallet_file.or(file.wallet_file),
            top_up: self.top_up.or(file.top_up),
            auto_top_up: self.auto_top_up.or(file.auto_top_up),
        }
    }

    /// Checks everything and fills in the defaults.
    ///
    /// # Errors
    /// [`ConfigError`] names the key that is wrong.
    pub fn build(self) -> Result<Config, ConfigError> {
        let is_test = self.is_test.unwrap_or(false);
        let accept_simulated = self.accept_simulated.unwrap_or(false);
        let trust = TrustKeys {
            tee: self.tee,
            development_tee: self.development_tee,
            collateral_url: self.collateral_url,
            state_dir: self.state_dir.clone(),
            is_test,
            accept_simulated,
            worker_images: Vec::new(),
            proxy_images: self.proxy_images,
            has_registry: self.chain.is_some(),
            listens: Vec::new(),
        };
        let trust = trust.build()?;
        let tier = match self.tier {
            None => TierPolicy::default(),
            Some(text) => text.parse().map_err(|_| ConfigError::Tier(text))?,
        };
        if tier.accepts_simulated() && !accept_simulated {
            return Err(ConfigError::SimulatedNotAccepted);
        }
        let per_mille = self
            .max_coefficient
            .map_or(Coefficient::DEFAULT_LIMIT.per_mille(), u32::from);
        let max_coefficient = Coefficient::new(per_mille).ok_or(ConfigError::Range {
            key: "max_coefficient",
            value: per_mille.into(),
            least: 0,
            most: (Coefficient::LIMIT - 1).into(),
        })?;
        let max_timeout_s = in_range(
            "max_timeout_s",
            self.max_timeout_s,
            DEFAULT_MAX_TIMEOUT_S,
            1,
            DAY_S,
        )?;
        let timeout_s = in_range(
            "timeout_s",
            self.timeout_s,
            DEFAULT_TIMEOUT_S.min(max_timeout_s),
            1,
            DAY_S,
        )?;
        if timeout_s > max_timeout_s {
            return Err(ConfigError::Timeout {
                timeout_s,
                max_timeout_s,
            });
        }
        let max_body_bytes = self.max_body_bytes.unwrap_or(MAX_BODY_BYTES);
        in_range(
            "max_body_bytes",
            Some(u64::try_from(max_body_bytes).unwrap_or(u64::MAX)),
            0,
            1,
            MAX_BODY_BYTES as u64,
        )?;
        let max_pow_difficulty = self.max_pow_difficulty.unwrap_or(MAX_POW_DIFFICULTY);
        in_range(
            "max_pow_difficulty",
            Some(max_pow_difficulty.into()),
            0,
            0,
            MAX_POW_DIFFICULTY.into(),
        )?;
        let candidates = in_range("candidates", self.candidates, 2, 1, MAX_CANDIDATES as u64)?;
        let keep_receipts_s = in_range("keep_receipts_s", self.keep_receipts_s, DAY_S, 0, 30 * DAY_S)?;
        let max_receipts = in_range(
            "max_receipts",
            self.max_receipts,
            DEFAULT_MAX_RECEIPTS,
            0,
            MAX_RECEIPTS,
        )?;
        let drain_s = in_range("drain_s", self.drain_s, DEFAULT_DRAIN_S, 0, DAY_S)?;
        let purse = PurseKeys {
            chain: self.chain,
            root: self.root,
            wallet_file: self.wallet_file,
        };
        let state_dir = self.state_dir.clone();
        let purse = purse.build(is_test, || cocoon_web::keys::state_file(state_dir, "wallet.toml"))?;
        let top_up = match self.top_up {
            None => None,
            Some(text) => Some(
                text.parse()
                    .ok()
                    .filter(|amount| *amount > Nanoton::ZERO)
                    .ok_or(ConfigError::TopUp(text))?,
            ),
        };
        Ok(Config {
            listen: self.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 10000))),
            proxies: proxies(self.proxies, purse.is_some())?,
            tier,
            max_coefficient,
            timeout: Duration::from_secs(timeout_s),
            max_timeout: Duration::from_secs(max_timeout_s),
            max_body_bytes,
            is_test,
            trust,
            allow_proxy_plaintext: self.allow_proxy_plaintext.unwrap_or(false),
            state_dir: self.state_dir,
            api_keys: self.api_keys.unwrap_or(false),
            seal: SealOptions {
                candidates: u8::try_from(candidates).unwrap_or(1),
                remember: self.sessions.unwrap_or(true),
                padded: self.pad_answers.unwrap_or(true),
            },
            keep_receipts: Duration::from_secs(keep_receipts_s),
            max_receipts: match keep_receipts_s {
                0 => 0,
                _ => usize::try_from(max_receipts).unwrap_or(usize::MAX),
            },
            allowed_origins: self.allowed_origins,
            max_pow_difficulty,
            drain: Duration::from_secs(drain_s),
            purse,
            top_up,
            auto_top_up: self.auto_top_up.unwrap_or(true),
        })
    }
}

fn first_filled(first: Vec<String>, second: Vec<String>) -> Vec<String> {
    if first.is_empty() { second } else { first }
}

/// With a registry nobody has to be named: it knows them.
fn proxies(given: Vec<String>, has_registry: bool) -> Result<Vec<String>, ConfigError> {
    let mut proxies: Vec<String> = Vec::new();
    for proxy in given {
        let form = proxy.rsplit_once(':').filter(|(host, port)| {
            !host.is_empty()
                && host.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/')
                && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
        if form.is_none() {
            return Err(ConfigError::Proxy(proxy));
        }
        if !proxies.contains(&proxy) {
            proxies.push(proxy);
        }
    }
    match proxies.len() {
        0 if !has_registry => Err(ConfigError::NoProxy),
        MAX_PROXIES.. => Err(ConfigError::TooManyProxies),
        _ => Ok(proxies),
    }
}

fn in_range(
    key: &'static str,
    given: Option<u64>,
    default: u64,
    least: u64,
    most: u64,
) -> Result<u64, ConfigError> {
    let value = given.unwrap_or(default);
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
