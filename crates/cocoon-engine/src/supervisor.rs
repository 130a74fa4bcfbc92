use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::Engine;

mod backoff;
mod child;
mod lines;
mod run;

/// How the built-in engine is started: `BINARY --model FILE --listen 127.0.0.1:0 --alias NAME …`.
#[derive(Clone, Debug)]
pub struct BuiltInOptions {
    /// The engine's program (`cocoon-engine`).
    pub binary: PathBuf,
    /// The model file.
    pub model: PathBuf,
    /// The name under which it serves the model.
    pub alias: String,
    /// `--threads`; the program's default is 1.
    pub threads: Option<u16>,
    /// `--parallel`: requests at once.
    pub parallel: Option<u16>,
    /// `--context`: model tokens of prompt and answer together.
    pub context: Option<u32>,
    /// Until the program must say that it serves; loading a large model from a slow disk takes minutes. Default 300 s.
    pub start_deadline: Duration,
    /// Between two questions after its health. Default 5 s; three in a row without an answer restart it.
    pub health_interval: Duration,
    /// Between being told to end and being killed. Default 3 s.
    pub grace: Duration,
}

/// Where the built-in engine stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineState {
    /// The program runs and loads.
    Starting,
    /// It serves.
    Ready(ReadyEngine),
    /// It ended or fell silent, and is started again after a while.
    Down {
        /// Why, for a person: an exit status or the like.
        reason: String,
        /// Starts that failed one after another.
        failures: u32,
    },
    /// The supervisor has ended it for good.
    Stopped,
}

/// What the program said when it was ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyEngine {
    /// Where it listens, on loopback.
    pub listening: SocketAddr,
    /// The model's name.
    pub model: String,
    /// Model tokens that prompt and answer may have together.
    pub context_length: u32,
    /// The program's process.
    pub pid: u32,
}

/// Starts the built-in engine in a process of its own, watches it, and starts it again when it ends or falls silent.
///
/// Dropping this kills the process; [`Self::shutdown`] lets it end by itself first. Should the worker itself be
/// killed, the engine sees its standard input end and goes too.
#[derive(Debug)]
pub struct BuiltInEngine {
    state: watch::Receiver<EngineState>,
    engine: Engine,
    stop: Option<oneshot::Sender<()>>,
    tasks: JoinSet<()>,
}

// === impl BuiltInOptions ===

impl BuiltInOptions {
    /// The usual options for this program and model.
    pub fn new(binary: impl Into<PathBuf>, model: impl Into<PathBuf>, alias: impl Into<String>) -> Self {
        Self {
            binary: binary.into(),
            model: model.into(),
            alias: alias.into(),
            threads: None,
            parallel: None,
            context: None,
            start_deadline: Duration::from_secs(300),
            health_interval: Duration::from_secs(5),
            grace: Duration::from_secs(3),
        }
    }
}

// === impl EngineState ===

impl EngineState {
    /// What the engine said, while it serves.
    pub fn ready(&self) -> Option<&ReadyEngine> {
        match self {
            Self::Ready(ready) => Some(ready),
            _ => None,
        }
    }

    /// Whether it serves.
    pub fn is_ready(&self) -> bool {
        self.ready().is_some()
    }

    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Stopped)
    }
}

// === impl BuiltInEngine ===

impl BuiltInEngine {
    /// Starts the supervisor, which starts the program. Needs a tokio runtime around it.
    pub fn start(options: BuiltInOptions) -> Self {
        let (state_out, state) = watch::channel(EngineState::Starting);
        let (stop, stopped) = oneshot::channel();
        let engine = Engine::watched(state.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(run::supervise(options, engine.clone(), state_out, stopped));
        Self {
            state,
            engine,
            stop: Some(stop),
            tasks,
        }
    }

    /// The engine to ask; stays valid over restarts.
    pub fn engine(&self) -> Engine {
        self.engine.clone()
    }

    /// Where it stands, now and from now on.
    pub fn state(&self) -> watch::Receiver<EngineState> {
        self.state.clone()
    }

    /// Whether it serves.
    pub fn is_ready(&self) -> bool {
        self.state.borrow().is_ready()
    }

    /// Its address while it serves, as `http://127.0.0.1:PORT`.
    pub fn url(&self) -> Option<String> {
        self.engine.address().map(|address| address.to_string())
    }

    /// Waits until it serves; `None` at the deadline.
    pub async fn ready(&self, deadline: Instant) -> Option<ReadyEngine> {
        let mut state = self.state.clone();
        let waited = timeout_at(
            deadline,
            state.wait_for(|state| state.is_ready() || state.is_final()),
        )
        .await;
        waited.ok()?.ok()?.ready().cloned()
    }

    /// Ends the program: first by closing its standard input, after the grace by killing its process group.
    pub async fn shutdown(mut self) {
        drop(self.stop.take());
        while self.tasks.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests;
