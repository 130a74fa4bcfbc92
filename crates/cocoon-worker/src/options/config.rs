//! The checked form of the options.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use cocoon_chain::{PurseKeysError, PurseOptions};
use cocoon_engine::{AddressError as EngineAddressError, EngineAddress, EngineKind};
use cocoon_trust::{TrustConfig, TrustKeysError};
use cocoon_types::{Address, AddressError, Coefficient, Endpoint, ModelName};

/// A valid configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Proxies to work for; not empty, each once.
    pub proxies: Vec<String>,
    /// The engine.
    pub engine: EngineChoice,
    /// File with the engine's key.
    pub engine_key_file: Option<PathBuf>,
    /// The engine's own name for the model.
    pub engine_model: Option<String>,
    /// The announced name.
    pub model: Option<ModelName>,
    /// What the engine serves; empty: to be found out.
    pub endpoints: Vec<Endpoint>,
    /// The model's context.
    pub context_length: Option<u32>,
    /// The price.
    pub coefficient: Coefficient,
    /// Requests at once; none: by the engine's kind.
    pub max_active_requests: Option<u16>,
    /// The admin listener.
    pub admin: SocketAddr,
    /// A test network.
    pub is_test: bool,
    /// What this node shows, and whom it takes.
    pub trust: TrustConfig,
    /// Proof of work that is given at most, in bits.
    pub max_pow: u8,
    /// Longest request.
    pub max_timeout: Duration,
    /// Grace for running requests.
    pub drain: Duration,
    /// Where the API keys of the admin listener are.
    pub state_dir: Option<PathBuf>,
    /// Where the worker is paid; none in a network without payments.
    pub purse: Option<PurseOptions>,
    /// Who is paid, if not the worker's own wallet.
    pub owner: Option<Address>,
}

/// Which engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineChoice {
    /// Whatever is found on the usual ports of this machine.
    Auto,
    /// Somebody else's process.
    Url {
        /// Where it listens.
        address: EngineAddress,
        /// What it is; none: it is asked.
        kind: Option<EngineKind>,
    },
    /// llama.cpp in a process that the worker starts.
    BuiltIn {
        /// The program.
        binary: PathBuf,
        /// The model file.
        model_file: PathBuf,
        /// Threads.
        threads: Option<u16>,
        /// Context in model tokens.
        context: Option<u32>,
    },
}

/// A value that cannot be. Each message names the key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Nobody to work for.
    #[error("proxies: name at least one, as host:port (hint: --proxy HOST:PORT)")]
    NoProxies,
    /// Not host:port.
    #[error("proxies: {0:?} is not host:port")]
    Proxy(String),
    /// Not a URL.
    #[error("engine: {text:?} is neither `auto`, `builtin` nor an engine's URL: {source}")]
    Engine {
        /// What was given.
        text: String,
        /// What is wrong with it.
        #[source]
        source: EngineAddressError,
    },
    /// Not a kind of engine.
    #[error("engine_kind: {0:?} is none of vllm, sglang, llama.cpp, ollama, lm-studio, generic")]
    EngineKind(String),
    /// A key that means something for another engine only.
    #[error("{key}: goes with engine = {engine} only")]
    Misplaced {
        /// The key.
        key: &'static str,
        /// The engine that it goes with.
        engine: &'static str,
    },
    /// The built-in engine needs a file.
    #[error("model_file: the built-in engine needs one")]
    NoModelFile,
    /// Not a model's name.
    #[error("model: {0:?} is not a model's name (printable ASCII without spaces and quotes)")]
    Model(String),
    /// Not an endpoint.
    #[error("endpoints: {0:?} is none of /v1/chat/completions, /v1/completions, /v1/embeddings")]
    Endpoint(String),
    /// Not a price.
    #[error("coefficient: {0} is not below 1000000000")]
    Coefficient(u32),
    /// The keys that concern evidence.
    #[error(transparent)]
    Trust(#[from] TrustKeysError),
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
    /// Nobody is paid without a chain.
    #[error("owner: goes with chain and root")]
    OwnerAlone,
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
