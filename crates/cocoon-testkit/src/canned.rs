use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

mod answer;
mod embeddings;
mod fault;
mod plan;
mod prompt;
mod record;
mod server;

pub use fault::CannedFault;
pub use record::{Outcome, Record};

use record::Records;

/// An engine without a model: it answers OpenAI's API as vLLM does, with words that can be foretold, and fails on demand.
///
/// A request can ask for more by members that any engine ignores and the network therefore carries: `x_fault` (a
/// [`CannedFault`] as text), `x_parts`, `x_pace_ms`, and `x_echo` (`true`: answer with the words of the last message). A
/// fault may also be named by the model, as in `canned#cut`. Dropping the engine closes all its connections at once, as
/// a crash would.
#[derive(Debug)]
pub struct CannedEngine {
    addr: SocketAddr,
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

/// How a canned engine behaves when a request says nothing else.
#[derive(Clone, Debug)]
pub struct CannedOptions {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The model's name; requests for another are refused with 404.
    pub model: String,
    /// `owned_by` in the list of models: what discovery goes by.
    pub owner: String,
    /// `max_model_len` in the list of models; longer prompts are refused with 400.
    pub context_length: u32,
    /// Parts of an answer, one model token each, unless the token limit is lower.
    pub parts: u32,
    /// Pause before each part.
    pub pace: Duration,
    /// What the usage says of cached prompt tokens, cut down to the prompt.
    pub cached_tokens: u64,
    /// What the usage says of reasoning tokens, cut down to the completion.
    pub reasoning_tokens: u64,
    /// What goes wrong.
    pub fault: Option<CannedFault>,
    /// The fault hits each request whose number is divisible by this.
    pub fault_every: u64,
    /// Asked for as `Authorization: Bearer …`.
    pub key: Option<String>,
    /// How many requests are remembered; older ones are forgotten, so that a long run needs no more memory.
    pub remember: usize,
}

struct Shared {
    options: CannedOptions,
    fault: std::sync::Mutex<Option<CannedFault>>,
    records: Records,
}

// === impl CannedOptions ===

impl Default for CannedOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            model: "canned".into(),
            owner: "vllm".into(),
            context_length: 4096,
            parts: 8,
            pace: Duration::ZERO,
            cached_tokens: 0,
            reasoning_tokens: 0,
            fault: None,
            fault_every: 1,
            key: None,
            remember: 1024,
        }
    }
}

// === impl CannedEngine ===

impl CannedEngine {
    /// Starts the engine.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(options: CannedOptions) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(options.listen).await;
        let listener = listener.with_context(|| format!("cannot listen on {}", options.listen))?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            fault: std::sync::Mutex::new(options.fault),
            records: Records::new(options.remember),
            options,
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(server::serve(listener, Arc::clone(&shared)));
        Ok(Self { addr, shared, tasks })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its address as a URL, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The model's name.
    pub fn model(&self) -> &str {
        &self.shared.options.model
    }

    /// Changes what goes wrong from now on.
    pub fn set_fault(&self, fault: Option<CannedFault>) {
        *self.shared.fault.lock().expect("invariant: no holder panics") = fault;
    }

    /// The requests that are remembered, oldest first.
    pub fn records(&self) -> Vec<Record> {
        self.shared.records.all()
    }

    /// All inference requests so far, those forgotten included.
    pub fn served(&self) -> u64 {
        self.shared.records.count()
    }

    /// Inference requests whose answer is on its way.
    pub fn running(&self) -> usize {
        self.records()
            .iter()
            .filter(|record| record.outcome == Outcome::Open)
            .count()
    }

    /// Waits until this holds of the requests, for at most 10 s.
    ///
    /// # Errors
    /// When it did not come to hold.
    pub async fn wait_until(&self, holds: impl Fn(&[Record]) -> bool) -> anyhow::Result<Vec<Record>> {
        self.shared.records.wait_until(holds).await
    }

    /// Ends the engine and all its connections; waits until its port is free.
    pub async fn kill(mut self) {
        self.tasks.shutdown().await;
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// The text of the answer's n-th part when it does not echo.
pub fn part_text(index: u32) -> String {
    format!("part{index} ")
}

/// One line of JSON for whoever starts the engine as a process: the line that the built-in engine prints.
pub fn ready_line(engine: &CannedEngine) -> Bytes {
    let line = serde_json::json!({
        "listening": engine.addr,
        "model": engine.model(),
        "context_length": engine.shared.options.context_length,
    });
    format!("{line}\n").into()
}
