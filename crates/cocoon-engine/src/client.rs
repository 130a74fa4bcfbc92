use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cocoon_openai::RequestBody;
use cocoon_types::{Fault, Private, Refusal};
use http::{HeaderValue, Method, Request, header};
use http_body_util::Full;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::answer::{EngineAnswer, failed};
use crate::connection::{Answering, Connections, SendError};
use crate::supervisor::EngineState;
use crate::{EngineAddress, EngineKind, adapters};

mod answer;
mod models;

pub use models::EngineModel;

/// A connection that ends without an answer within this time was closed by the engine's keep-alive timer while the
/// request was on its way; the request is sent once more. Later, the engine may have worked on it.
const STALE_CONNECTION: Duration = Duration::from_millis(250);

/// One engine; cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    target: Target,
    kind: EngineKind,
    key: Option<EngineKey>,
    timers: Timers,
    connections: Arc<Connections>,
}

enum Target {
    Fixed(EngineAddress),
    /// The built-in engine, whose port changes with every start.
    Watched(watch::Receiver<EngineState>),
}

/// How an engine is spoken to.
#[derive(Clone, Debug, Default)]
pub struct EngineOptions {
    /// Sent as `Authorization: Bearer …`.
    pub key: Option<EngineKey>,
    /// How long things may take.
    pub timers: Timers,
}

/// The key that an engine asks for (`--api-key` of vLLM and others); never shown.
#[derive(Clone)]
pub struct EngineKey(HeaderValue);

/// The key holds characters that no header can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the engine's key holds characters that no HTTP header can carry")]
pub struct EngineKeyError;

/// How long things may take; a request's own deadline stands above all of them.
#[derive(Clone, Copy, Debug)]
pub struct Timers {
    /// Until a connection stands. Default 5 s.
    pub connect: Duration,
    /// Silence inside an answer. Default 120 s: the longest prompts take about a minute before the first token.
    pub idle: Duration,
    /// Questions of our own (health, models). Default 5 s.
    pub probe: Duration,
    /// Until the built-in engine is back, for a request that comes while it restarts. Default 30 s.
    pub restart: Duration,
}

// === impl Timers ===

impl Default for Timers {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            idle: Duration::from_secs(120),
            probe: Duration::from_secs(5),
            restart: Duration::from_secs(30),
        }
    }
}

// === impl EngineKey ===

impl EngineKey {
    /// Takes a key as its owner wrote it.
    ///
    /// # Errors
    /// [`EngineKeyError`].
    pub fn new(key: &Private<String>) -> Result<Self, EngineKeyError> {
        let text = format!("Bearer {}", key.expose().trim());
        let mut value = HeaderValue::from_str(&text).map_err(|_| EngineKeyError)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl std::fmt::Debug for EngineKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[private]")
    }
}

// === impl Engine ===

impl Engine {
    /// An engine at a fixed address. Connects when it is first needed.
    pub fn new(address: EngineAddress, kind: EngineKind, options: &EngineOptions) -> Self {
        Self::with_target(Target::Fixed(address), kind, options)
    }

    /// The built-in engine, wherever its supervisor says that it listens.
    pub(crate) fn watched(state: watch::Receiver<EngineState>) -> Self {
        Self::with_target(
            Target::Watched(state),
            EngineKind::BuiltIn,
            &EngineOptions::default(),
        )
    }

    fn with_target(target: Target, kind: EngineKind, options: &EngineOptions) -> Self {
        let timers = options.timers;
        Self(Arc::new(Inner {
            target,
            kind,
            key: options.key.clone(),
            timers,
            connections: Connections::new(timers.connect),
        }))
    }

    /// What kind of engine it is.
    pub fn kind(&self) -> EngineKind {
        self.0.kind
    }

    /// Where it listens; nothing while the built-in engine is not ready.
    pub fn address(&self) -> Option<EngineAddress> {
        match &self.0.target {
            Target::Fixed(address) => Some(address.clone()),
            Target::Watched(state) => state
                .borrow()
                .ready()
                .map(|ready| EngineAddress::of(ready.listening)),
        }
    }

    /// Whether the engine may receive this body: nothing in it that its kind is refused.
    ///
    /// # Errors
    /// [`Fault::UnsupportedField`] naming the field.
    pub fn check(&self, body: &RequestBody) -> Result<(), Refusal> {
        adapters::check(self.0.kind, body)
    }

    /// Asks the engine, after [`Self::check`]. Dropping the future or the answer stops the engine's work.
    ///
    /// # Errors
    /// [`Fault::UnsupportedField`], [`Fault::Timeout`] at the deadline, [`Fault::Busy`] when the engine says that it
    /// has no room, [`Fault::EngineFailed`] for everything else that is not an answer. A refusal by the engine (400
    /// to 499) is an answer.
    pub async fn call(&self, body: &RequestBody, deadline: Instant) -> Result<EngineAnswer, Refusal> {
        self.check(body)?;
        let path = body.endpoint().path();
        let text = body.to_bytes();
        let sent = timeout_at(deadline, self.send(Method::POST, path, text, deadline)).await;
        let answer = sent.map_err(|_| timeout())??;
        answer::judge(answer, deadline, self.0.timers.idle).await
    }

    /// Whether the engine says that it is well.
    pub async fn health(&self) -> bool {
        let deadline = Instant::now() + self.0.timers.probe;
        let path = self.0.kind.health_path();
        let asked = timeout_at(deadline, self.send(Method::GET, path, Bytes::new(), deadline)).await;
        matches!(asked, Ok(Ok(answer)) if answer.status().is_success())
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &'static str,
        body: Bytes,
        deadline: Instant,
    ) -> Result<http::Response<Answering>, Refusal> {
        let address = self.wait_for_address(deadline).await?;
        let mut attempt = 0;
        loop {
            let started = Instant::now();
            let request = self.request(method.clone(), &address, path, body.clone());
            let error = match self.0.connections.send(&address, request).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            attempt += 1;
            let is_early = matches!(error, SendError::Ended { early: true });
            if attempt == 1 && is_early && started.elapsed() < STALE_CONNECTION {
                continue;
            }
            return Err(failed(match error {
                SendError::Connect => "the engine cannot be reached",
                SendError::Ended { .. } => "the engine closed the connection without a usable answer",
            }));
        }
    }

    async fn wait_for_address(&self, deadline: Instant) -> Result<EngineAddress, Refusal> {
        let state = match &self.0.target {
            Target::Fixed(address) => return Ok(address.clone()),
            Target::Watched(state) => state,
        };
        let mut state = state.clone();
        let until = deadline.min(Instant::now() + self.0.timers.restart);
        let waited = timeout_at(
            until,
            state.wait_for(|state| state.is_ready() || state.is_final()),
        )
        .await;
        let ready = waited
            .ok()
            .and_then(Result::ok)
            .and_then(|state| state.ready().cloned());
        ready
            .map(|ready| EngineAddress::of(ready.listening))
            .ok_or_else(|| failed("the built-in engine is not running"))
    }

    fn request(
        &self,
        method: Method,
        address: &EngineAddress,
        path: &'static str,
        body: Bytes,
    ) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.uri_mut() = address.target(path);
        let headers = request.headers_mut();
        if method == Method::POST {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        headers.insert(
            header::ACCEPT,
            HeaderValue::from_static("application/json, text/event-stream"),
        );
        if let Some(key) = &self.0.key {
            headers.insert(header::AUTHORIZATION, key.0.clone());
        }
        *request.method_mut() = method;
        request
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("kind", &self.0.kind)
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}

fn timeout() -> Refusal {
    Refusal::new(Fault::Timeout, "the engine did not answer in time")
}

#[cfg(test)]
mod tests;
