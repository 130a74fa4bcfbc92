//! Which engine this worker has, what it serves, and whether it is well.
//!
//! One task knows: it finds the engine, asks it what it serves, and keeps asking after its health. Everybody else
//! looks at the [`EngineView`] that it publishes.

mod choose;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cocoon_engine::{
    BuiltInEngine, BuiltInOptions, Engine, EngineAddress, EngineKind, EngineOptions, EngineState, detect,
    discover,
};
use cocoon_link::EnginePlace;
use cocoon_openai::RequestBody;
use cocoon_types::{Endpoint, ModelName};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::options::{Config, EngineChoice};

/// Between two questions after the engine's health. (The original fetches the list of models every 1 to 2 s.)
const HEALTH_EVERY: Duration = Duration::from_secs(2);
/// Before a first bad answer is believed.
const SECOND_LOOK: Duration = Duration::from_millis(300);
/// Between two looks for an engine that is not there, or does not say what it serves.
const RETRY: Duration = Duration::from_secs(2);
/// Between two looks at what it serves: somebody may have started it anew with another model.
const DESCRIBE_EVERY: Duration = Duration::from_secs(60);
/// An engine found by itself that stays away so long is looked for again, maybe on another port.
const GIVE_UP: Duration = Duration::from_secs(20);
/// For one embedding of one word; an engine may have to load the model first.
const EMBEDDING_PROBE: Duration = Duration::from_secs(60);

/// The engine as everybody sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct EngineView {
    /// What it serves; known as soon as it was well once.
    pub(crate) served: Option<Arc<Served>>,
    /// Whether it is well now.
    pub(crate) ready: bool,
    /// Why it is not, for a person.
    pub(crate) note: String,
}

/// What the engine serves.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    pub(crate) engine: Engine,
    /// The engine's own name of the model.
    pub(crate) own_model: String,
    /// As the network knows it.
    pub(crate) model: ModelName,
    /// In model tokens; 0 when nobody says.
    pub(crate) context_length: u32,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) place: EnginePlace,
    /// Requests at once.
    pub(crate) capacity: u16,
}

/// The task that knows the engine.
#[derive(Debug)]
pub(crate) struct EngineWatch {
    choice: EngineChoice,
    options: EngineOptions,
    wishes: Wishes,
    view: watch::Sender<EngineView>,
    suspicion: Arc<Notify>,
}

/// What the operator said about the model.
#[derive(Clone, Debug)]
struct Wishes {
    model: Option<ModelName>,
    engine_model: Option<String>,
    endpoints: Vec<Endpoint>,
    context_length: Option<u32>,
    capacity: Option<u16>,
}

// === impl EngineWatch ===

impl EngineWatch {
    /// The task, and what it will publish.
    pub(crate) fn new(
        config: &Config,
        options: EngineOptions,
    ) -> (Self, watch::Receiver<EngineView>, Arc<Notify>) {
        let (view, receiver) = watch::channel(EngineView::default());
        let suspicion = Arc::new(Notify::new());
        let watch = Self {
            choice: config.engine.clone(),
            options,
            wishes: Wishes {
                model: config.model.clone(),
                engine_model: config.engine_model.clone(),
                endpoints: config.endpoints.clone(),
                context_length: config.context_length,
                capacity: config.max_active_requests,
            },
            view,
            suspicion: Arc::clone(&suspicion),
        };
        (watch, receiver, suspicion)
    }

    /// Runs until `stopped`; then an engine that the worker started has ended too.
    pub(crate) async fn run(self, stopped: CancellationToken) {
        match &self.choice {
            EngineChoice::BuiltIn { .. } => self.supervise(&stopped).await,
            EngineChoice::Auto | EngineChoice::Url { .. } => {
                tokio::select! {
                    () = self.watch_outside() => {}
                    () = stopped.cancelled() => {}
                }
            }
        }
    }

    // --- the built-in engine

    async fn supervise(&self, stopped: &CancellationToken) {
        let EngineChoice::BuiltIn {
            binary,
            model_file,
            threads,
            context,
        } = &self.choice
        else {
            return;
        };
        let alias = self
            .wishes
            .model
            .as_ref()
            .map_or("built-in", |model| model.base());
        let supervised = BuiltInEngine::start(BuiltInOptions {
            threads: *threads,
            parallel: Some(self.wishes.capacity_of(EngineKind::BuiltIn)),
            context: *context,
            ..BuiltInOptions::new(binary, model_file, alias)
        });
        let mut state = supervised.state();
        loop {
            let now = state.borrow_and_update().clone();
            // A look at a ready engine that failed is repeated; a new state or the end of the worker comes first.
            let mut look_again = None;
            match now {
                EngineState::Ready(ready) => {
                    let place = EnginePlace::StartedByWorker;
                    let context_length = Some(ready.context_length);
                    tokio::select! {
                        described = self.describe(supervised.engine(), place, context_length) => {
                            look_again = described.is_err().then_some(RETRY);
                            self.publish(described);
                        }
                        changed = state.changed() => if changed.is_err() { break } else { continue },
                        () = stopped.cancelled() => break,
                    }
                }
                EngineState::Starting => self.unwell("the built-in engine is starting"),
                EngineState::Down { reason, failures } => {
                    self.unwell(&format!(
                        "the built-in engine ended ({reason}), {failures} times in a row"
                    ));
                }
                EngineState::Stopped => self.unwell("the built-in engine is stopped"),
            }
            tokio::select! {
                changed = state.changed() => if changed.is_err() { break },
                () = stopped.cancelled() => break,
                () = sleep(look_again.unwrap_or_default()), if look_again.is_some() => {}
            }
        }
        supervised.shutdown().await;
    }

    // --- somebody else's engine

    async fn watch_outside(&self) {
        loop {
            match self.find().await {
                Some(engine) => self.follow(engine).await,
                None => self.unwell(&match &self.choice {
                    EngineChoice::Url { address, .. } => format!("no engine answers at {address}"),
                    _ => "no engine answers on the usual ports of this machine (hint: name it with engine = URL)".into(),
                }),
            }
            sleep(RETRY).await;
        }
    }

    async fn find(&self) -> Option<Engine> {
        let (address, kind): (EngineAddress, EngineKind) = match &self.choice {
            EngineChoice::Url { address, kind } => {
                let kind = match kind {
                    Some(kind) => *kind,
                    None => detect(address, &self.options).await?,
                };
                (address.clone(), kind)
            }
            _ => {
                let found = discover().await.into_iter().next()?;
                (found.address, found.kind)
            }
        };
        tracing::info!(%address, %kind, "an engine was found");
        Some(Engine::new(address, kind, &self.options))
    }

    /// Stays with one engine until it has been away for long.
    async fn follow(&self, engine: Engine) {
        let mut described: Option<Instant> = None;
        let mut well = Instant::now();
        loop {
            let is_due = described.is_none_or(|then| then.elapsed() >= DESCRIBE_EVERY);
            if self.is_well(&engine).await {
                well = Instant::now();
                if is_due || !self.view.borrow().ready {
                    let outcome = self.describe(engine.clone(), EnginePlace::Outside, None).await;
                    described = outcome.is_ok().then(Instant::now);
                    self.publish(outcome);
                }
            } else {
                self.unwell("the engine does not answer");
                if well.elapsed() >= GIVE_UP && self.choice == EngineChoice::Auto {
                    return;
                }
            }
            // A suspicion is looked into at once; two of them in a row are one.
            let _ = timeout(HEALTH_EVERY, self.suspicion.notified()).await;
        }
    }

    async fn is_well(&self, engine: &Engine) -> bool {
        if engine.health().await {
            return true;
        }
        sleep(SECOND_LOOK).await;
        engine.health().await
    }

    // --- either

    /// Asks the engine what it serves.
    async fn describe(
        &self,
        engine: Engine,
        place: EnginePlace,
        context: Option<u32>,
    ) -> Result<Served, String> {
        let models = engine.models().await.map_err(|refusal| refusal.message)?;
        let chosen = choose::model(&self.wishes, &models)?;
        let (own_model, model) = (chosen.own, chosen.announced);
        let context_length = self
            .wishes
            .context_length
            .or(context)
            .or(chosen.context_length)
            .unwrap_or(0);
        let endpoints = match (self.wishes.endpoints.as_slice(), self.known_endpoints(&own_model)) {
            ([], Some(known)) => known,
            ([], None) => {
                let embeds = embeds(&engine, &own_model).await;
                let mut endpoints = vec![Endpoint::ChatCompletions, Endpoint::Completions];
                endpoints.extend(embeds.then_some(Endpoint::Embeddings));
                endpoints
            }
            (named, _) => named.to_vec(),
        };
        let capacity = self.wishes.capacity_of(engine.kind());
        Ok(Served {
            engine,
            own_model,
            model,
            context_length,
            endpoints,
            place,
            capacity,
        })
    }

    /// What was found out about this model before.
    fn known_endpoints(&self, own_model: &str) -> Option<Vec<Endpoint>> {
        let view = self.view.borrow();
        let served = view.served.as_ref()?;
        (served.own_model == own_model).then(|| served.endpoints.clone())
    }

    fn publish(&self, described: Result<Served, String>) {
        let served = match described {
            Ok(served) => served,
            Err(note) => return self.unwell(&note),
        };
        self.view.send_modify(|view| {
            if !view.ready {
                tracing::info!(model = %served.model, kind = %served.engine.kind(), capacity = served.capacity, "the engine is ready");
            }
            view.ready = true;
            view.note.clear();
            // The same offer stays the same value, so that nobody has to announce it again.
            if !view.served.as_ref().is_some_and(|known| known.is_same_offer(&served)) {
                view.served = Some(Arc::new(served));
            }
        });
    }

    fn unwell(&self, note: &str) {
        self.view.send_if_modified(|view| {
            if !view.ready && view.note == note {
                return false;
            }
            tracing::warn!(note, "the engine is not ready");
            view.ready = false;
            note.clone_into(&mut view.note);
            true
        });
    }
}

// === impl Served ===

impl Served {
    /// Whether the network would see no difference, and the same engine is asked.
    fn is_same_offer(&self, other: &Self) -> bool {
        self.own_model == other.own_model
            && self.model == other.model
            && self.context_length == other.context_length
            && self.endpoints == other.endpoints
            && self.place == other.place
            && self.capacity == other.capacity
            && self.engine.kind() == other.engine.kind()
            // The built-in engine's port changes with each start; its `Engine` follows by itself.
            && (self.place == EnginePlace::StartedByWorker || self.engine.address() == other.engine.address())
    }
}

// === impl Wishes ===

impl Wishes {
    /// Requests at once: as the operator says, or what engines of this kind do well without being asked to.
    fn capacity_of(&self, kind: EngineKind) -> u16 {
        self.capacity.unwrap_or(match kind {
            // They batch; 64 fills a large card.
            EngineKind::Vllm | EngineKind::Sglang => 64,
            // A handful of slots, each with its own part of the context.
            EngineKind::BuiltIn | EngineKind::LlamaCpp | EngineKind::Ollama | EngineKind::LmStudio => 4,
            EngineKind::Generic => 8,
        })
    }
}

/// Whether the engine gives embeddings, asked with one word.
async fn embeds(engine: &Engine, own_model: &str) -> bool {
    let mut text = Bytes::from_static(br#"{"model":"x","input":"a"}"#);
    let Ok(mut body) = RequestBody::parse(Endpoint::Embeddings, &text) else {
        return false;
    };
    body.set_model(own_model);
    text.clear();
    let answer = engine.call(&body, Instant::now() + EMBEDDING_PROBE).await;
    matches!(answer, Ok(answer) if answer.status == 200)
}
