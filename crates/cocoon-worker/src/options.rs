//! What an operator may set, and the checked form of it.

mod config;

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf, time::Duration};

use cocoon_chain::PurseKeys;
use cocoon_engine::EngineKind;
use cocoon_trust::TrustKeys;
use cocoon_types::{Coefficient, Endpoint, ModelName};
use serde::Deserialize;

pub use config::{Config, ConfigError, EngineChoice};

/// What may be set by flag, environment (`COCOON_WORKER_*`) or file, in this order of precedence.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Proxies to work for, as host:port; at least one
    #[arg(
        long = "proxy",
        visible_alias = "proxies",
        value_name = "HOST:PORT",
        value_delimiter = ',',
        env = "COCOON_WORKER_PROXIES"
    )]
    #[serde(default)]
    pub proxies: Vec<String>,
    /// The engine: a URL such as http://127.0.0.1:8000, `builtin`, or `auto` to look on the usual local ports
    /// [default: auto]
    #[arg(long, value_name = "URL", env = "COCOON_WORKER_ENGINE")]
    pub engine: Option<String>,
    /// What the engine at the URL is: vllm, sglang, llama.cpp, ollama, lm-studio or generic [default: asked from it]
    #[arg(long, value_name = "KIND", env = "COCOON_WORKER_ENGINE_KIND")]
    pub engine_kind: Option<String>,
    /// File with the key that the engine asks for
    #[arg(long, value_name = "FILE", env = "COCOON_WORKER_ENGINE_KEY_FILE")]
    pub engine_key_file: Option<PathBuf>,
    /// The engine's own name for the model, when it is not the announced one
    #[arg(long, value_name = "NAME", env = "COCOON_WORKER_ENGINE_MODEL")]
    pub engine_model: Option<String>,
    /// The model's name as announced to the network [default: the engine's own, if it serves one model]
    #[arg(long, value_name = "NAME", env = "COCOON_WORKER_MODEL")]
    pub model: Option<String>,
    /// The model file of the built-in engine
    #[arg(long, value_name = "FILE", env = "COCOON_WORKER_MODEL_FILE")]
    pub model_file: Option<PathBuf>,
    /// The program of the built-in engine [default: cocoon-engine]
    #[arg(long, value_name = "FILE", env = "COCOON_WORKER_ENGINE_BINARY")]
    pub engine_binary: Option<PathBuf>,
    /// Threads of the built-in engine [default: 1]
    #[arg(long, value_name = "N", env = "COCOON_WORKER_ENGINE_THREADS")]
    pub engine_threads: Option<u16>,
    /// Context of the built-in engine, in model tokens [default: the engine's]
    #[arg(long, value_name = "TOKENS", env = "COCOON_WORKER_ENGINE_CONTEXT")]
    pub engine_context: Option<u32>,
    /// What the engine serves, as paths [default: /v1/chat/completions and /v1/completions, and /v1/embeddings if the
    /// engine answers there]
    #[arg(
        long,
        value_name = "PATH",
        value_delimiter = ',',
        env = "COCOON_WORKER_ENDPOINTS"
    )]
    #[serde(default)]
    pub endpoints: Vec<String>,
    /// The model's context, in model tokens [default: as the engine says]
    #[arg(long, value_name = "TOKENS", env = "COCOON_WORKER_CONTEXT_LENGTH")]
    pub context_length: Option<u32>,
    /// The price, in per mille of the base price [default: 1000]
    #[arg(long, value_name = "PER_MILLE", env = "COCOON_WORKER_COEFFICIENT")]
    pub coefficient: Option<u32>,
    /// Requests at once, over all proxies [default: 64 for vLLM and SGLang, 8 for engines that are not known, else 4]
    #[arg(long, value_name = "N", env = "COCOON_WORKER_MAX_ACTIVE_REQUESTS")]
    pub max_active_requests: Option<u16>,
    /// Where /health, /metrics and /status are served [default: 127.0.0.1:12000]
    #[arg(long, value_name = "ADDR", env = "COCOON_WORKER_ADMIN")]
    pub admin: Option<SocketAddr>,
    /// This is a test network; proxies of another kind of network are refused [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", env = "COCOON_WORKER_IS_TEST")]
    pub is_test: Option<bool>,
    /// Accept and present simulated evidence, which anybody can make; test networks only [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", env = "COCOON_WORKER_ACCEPT_SIMULATED")]
    pub accept_simulated: Option<bool>,
    /// What this node shows of its hardware: `none`, `machine` (this machine's TEE) or `development` (test networks only)
    /// [default: none; with accept_simulated the original's simulated quote]
    #[arg(long, value_name = "KIND", env = "COCOON_WORKER_TEE")]
    pub tee: Option<String>,
    /// Directory of the development TEE that all nodes of this test network share; made if it is not there
    #[arg(long, value_name = "DIR", env = "COCOON_WORKER_DEVELOPMENT_TEE")]
    pub development_tee: Option<PathBuf>,
    /// Where the collateral of this machine's evidence comes from (`tee = "machine"`): base address of Intel's service or of a
    /// cache of it (PCCS) [default: Intel's service]
    #[arg(long, value_name = "URL", env = "COCOON_WORKER_COLLATERAL_URL")]
    pub collateral_url: Option<String>,
    /// Image hashes that proxies may run, in hex. With `chain` only of those that the registry lists; without it these alone, and none
    /// given means nobody, except on a test network, where it means any
    #[arg(
        long,
        value_name = "HEX",
        value_delimiter = ',',
        env = "COCOON_WORKER_PROXY_IMAGES"
    )]
    #[serde(default)]
    pub proxy_images: Vec<String>,
    /// Most bits of proof of work that a proxy may ask for [default: 28]
    #[arg(long, value_name = "BITS", env = "COCOON_WORKER_MAX_POW")]
    pub max_pow: Option<u8>,
    /// Longest time that a request may take, whatever the network says, in seconds [default: 1800]
    #[arg(long, value_name = "SECONDS", env = "COCOON_WORKER_MAX_TIMEOUT_S")]
    pub max_timeout_s: Option<u64>,
    /// Time for running requests to end after the signal to stop, in seconds [default: 10]
    #[arg(long, value_name = "SECONDS", env = "COCOON_WORKER_DRAIN_S")]
    pub drain_s: Option<u64>,
    /// Directory with api-keys.toml; needed when the admin listener is not on loopback
    #[arg(long, value_name = "DIR", env = "COCOON_WORKER_STATE_DIR")]
    pub state_dir: Option<PathBuf>,
    /// The chain that holds the money, as http://127.0.0.1:PORT; without it nothing is paid [default: none]
    #[arg(long, value_name = "URL", env = "COCOON_WORKER_CHAIN")]
    pub chain: Option<String>,
    /// The network's registry: the address of its root contract; needed with `chain`
    #[arg(long, value_name = "ADDRESS", env = "COCOON_WORKER_ROOT")]
    pub root: Option<String>,
    /// This node's wallet; made if it is not there [default: wallet.toml in the state directory]
    #[arg(long, value_name = "FILE", env = "COCOON_WORKER_WALLET_FILE")]
    pub wallet_file: Option<PathBuf>,
    /// The address that is paid [default: this node's wallet]
    #[arg(long, value_name = "ADDRESS", env = "COCOON_WORKER_OWNER")]
    pub owner: Option<String>,
}

/// Reasoning models answer for many minutes; half an hour is past any gateway's patience.
const DEFAULT_MAX_TIMEOUT_S: u64 = 1800;
const DEFAULT_DRAIN_S: u64 = 10;
/// A proxy gives one link no more than this at once (`cocoon_link`).
const MOST_ACTIVE: u64 = 4096;

// === impl Options ===

impl Options {
    /// These options, and the file's where these are silent.
    #[must_use]
    pub fn or(self, file: Self) -> Self {
        let list = |ours: Vec<String>, theirs| if ours.is_empty() { theirs } else { ours };
        Self {
            proxies: list(self.proxies, file.proxies),
            engine: self.engine.or(file.engine),
            engine_kind: self.engine_kind.or(file.engine_kind),
            engine_key_file: self.engine_key_file.or(file.engine_key_file),
            engine_model: self.engine_model.or(file.engine_model),
            model: self.model.or(file.model),
            model_file: self.model_file.or(file.model_file),
            engine_binary: self.engine_binary.or(file.engine_binary),
            engine_threads: self.engine_threads.or(file.engine_threads),
            engine_context: self.engine_context.or(file.engine_context),
            endpoints: list(self.endpoints, file.endpoints),
            context_length: self.context_length.or(file.context_length),
            coefficient: self.coefficient.or(file.coefficient),
            max_active_requests: self.max_active_requests.or(file.max_active_requests),
            admin: self.admin.or(file.admin),
            is_test: self.is_test.or(file.is_test),
            accept_simulated: self.accept_simulated.or(file.accept_simulated),
            tee: self.tee.or(file.tee),
            development_tee: self.development_tee.or(file.development_tee),
            collateral_url: self.collateral_url.or(file.collateral_url),
            proxy_images: list(self.proxy_images, file.proxy_images),
            max_pow: self.max_pow.or(file.max_pow),
            max_timeout_s: self.max_timeout_s.or(file.max_timeout_s),
            drain_s: self.drain_s.or(file.drain_s),
            state_dir: self.state_dir.or(file.state_dir),
            chain: self.chain.or(file.chain),
            root: self.root.or(file.root),
            wallet_file: self.wallet_file.or(file.wallet_file),
            owner: self.owner.or(file.owner),
        }
    }

    /// Checks everything and fills in the defaults.
    ///
    /// # Errors
    /// [`ConfigError`] names the key that is wrong.
    pub fn build(mut self) -> Result<Config, ConfigError> {
        // Two links to one proxy would promise it everything twice.
        let mut seen = BTreeSet::new();
        self.proxies.retain(|proxy| seen.insert(proxy.clone()));
        if self.proxies.is_empty() {
            return Err(ConfigError::NoProxies);
        }
        if let Some(bad) = self.proxies.iter().find(|proxy| !is_host_and_port(proxy)) {
            return Err(ConfigError::Proxy(bad.clone()));
        }
        let is_test = self.is_test.unwrap_or(false);
        let trust = TrustKeys {
            tee: self.tee.take(),
            development_tee: self.development_tee.take(),
            collateral_url: self.collateral_url.take(),
            state_dir: self.state_dir.clone(),
            is_test,
            accept_simulated: self.accept_simulated.unwrap_or(false),
            worker_images: Vec::new(),
            proxy_images: std::mem::take(&mut self.proxy_images),
            has_registry: self.chain.is_some(),
            listens: Vec::new(),
        };
        let trust = trust.build()?;
        let engine = self.engine_choice()?;
        let model = self
            .model
            .map(|name| ModelName::new(name.as_str()).map_err(|_| ConfigError::Model(name)));
        let per_mille = self.coefficient.unwrap_or(Coefficient::ONE.per_mille());
        if let Some(requests) = self.max_active_requests {
            in_range("max_active_requests", u64::from(requests), 1, MOST_ACTIVE)?;
        }
        let seconds = |key, value: Option<u64>, default, least, most| {
            in_range(key, value.unwrap_or(default), least, most).map(Duration::from_secs)
        };
        let max_pow = self.max_pow.unwrap_or(28);
        in_range("max_pow", u64::from(max_pow), 0, 40)?;
        let purse = PurseKeys {
            chain: self.chain,
            root: self.root,
            wallet_file: self.wallet_file,
        };
        let state_dir = self.state_dir.clone();
        let purse = purse.build(is_test, || cocoon_web::keys::state_file(state_dir, "wallet.toml"))?;
        let owner = self
            .owner
            .map(|text| text.parse().map_err(|source| ConfigError::Owner { text, source }))
            .transpose()?;
        if owner.is_some() && purse.is_none() {
            return Err(ConfigError::OwnerAlone);
        }
        Ok(Config {
            proxies: self.proxies,
            engine,
            engine_key_file: self.engine_key_file,
            engine_model: self.engine_model,
            model: model.transpose()?,
            endpoints: self
                .endpoints
                .iter()
                .map(|path| endpoint(path))
                .collect::<Result<_, _>>()?,
            context_length: self.context_length,
            coefficient: Coefficient::new(per_mille).ok_or(ConfigError::Coefficient(per_mille))?,
            max_active_requests: self.max_active_requests,
            admin: self.admin.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 12000))),
            is_test,
            trust,
            max_pow,
            max_timeout: seconds(
                "max_timeout_s",
                self.max_timeout_s,
                DEFAULT_MAX_TIMEOUT_S,
                1,
                86_400,
            )?,
            drain: seconds("drain_s", self.drain_s, DEFAULT_DRAIN_S, 0, 3600)?,
            state_dir: self.state_dir,
            purse,
            owner,
        })
    }

    fn engine_choice(&self) -> Result<EngineChoice, ConfigError> {
        let text = self.engine.as_deref().unwrap_or("auto");
        let is_url = !matches!(text, "auto" | "builtin");
        let misplaced = [
            (
                "model_file",
                self.model_file.is_some(),
                text == "builtin",
                "builtin",
            ),
            (
                "engine_binary",
                self.engine_binary.is_some(),
                text == "builtin",
                "builtin",
            ),
            (
                "engine_threads",
                self.engine_threads.is_some(),
                text == "builtin",
                "builtin",
            ),
            (
                "engine_context",
                self.engine_context.is_some(),
                text == "builtin",
                "builtin",
            ),
            (
                "engine_model",
                self.engine_model.is_some(),
                text != "builtin",
                "a URL or auto",
            ),
            ("engine_key_file", self.engine_key_file.is_some(), is_url, "a URL"),
            ("engine_kind", self.engine_kind.is_some(), is_url, "a URL"),
        ];
        if let Some((key, .., engine)) = misplaced.into_iter().find(|(_, given, fits, _)| *given && !fits) {
            return Err(ConfigError::Misplaced { key, engine });
        }
        match text {
            "auto" => Ok(EngineChoice::Auto),
            "builtin" => Ok(EngineChoice::BuiltIn {
                binary: self
                    .engine_binary
                    .clone()
                    .unwrap_or_else(|| "cocoon-engine".into()),
                model_file: self.model_file.clone().ok_or(ConfigError::NoModelFile)?,
                threads: self.engine_threads,
                context: self.engine_context,
            }),
            url => Ok(EngineChoice::Url {
                address: url.parse().map_err(|source| ConfigError::Engine {
                    text: url.to_owned(),
                    source,
                })?,
                kind: self.engine_kind.as_deref().map(kind).transpose()?,
            }),
        }
    }
}

fn kind(text: &str) -> Result<EngineKind, ConfigError> {
    text.parse().map_err(|_| ConfigError::EngineKind(text.to_owned()))
}

fn endpoint(path: &str) -> Result<Endpoint, ConfigError> {
    Endpoint::from_path(path).ok_or_else(|| ConfigError::Endpoint(path.to_owned()))
}

fn is_host_and_port(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0))
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
