use std::time::Duration;

use bytes::Bytes;
use cocoon_types::{Coefficient, Endpoint, ModelName, RequestId, Tier, TierPolicy, Usage};

/// What is asked, before the body (`cocoon.request`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// This leg's id of the request.
    pub request_id: RequestId,
    /// The endpoint of the API.
    pub endpoint: Endpoint,
    /// The model that is asked for.
    pub model: ModelName,
    /// Most output tokens, over all choices.
    pub max_tokens: u32,
    /// The tiers that are accepted.
    pub tier: TierPolicy,
    /// The highest price that is accepted.
    pub max_coefficient: Coefficient,
    /// How long the asker will wait for the end of the answer; whole milliseconds travel.
    pub timeout: Duration,
    /// The exact length of the body, in bytes.
    pub body_bytes: u64,
}

/// What precedes an answer's bytes (`cocoon.answer`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerHead {
    /// The HTTP status, 100 to 599.
    pub status: u16,
    /// The media type: printable ASCII, at most 128 bytes.
    pub content_type: String,
    /// The tier that serves the request.
    pub tier: Tier,
    /// The price that will be charged.
    pub coefficient: Coefficient,
}

/// One step of an answer. Its bytes are a stream: pieces may be joined or cut on the way.
#[derive(Clone, PartialEq, Eq)]
pub enum AnswerEvent {
    /// The next bytes.
    Part(Bytes),
    /// The answer is complete.
    End(AnswerEnd),
}

/// What follows an answer's bytes (`cocoon.end`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerEnd {
    /// Tokens used, as the answering side counted them.
    pub usage: Usage,
    /// How long the engine worked; whole milliseconds travel.
    pub engine_time: Duration,
}

/// What each side says of itself when the session starts (`cocoon.hello`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Name and version of the software.
    pub software: String,
    /// Names of capabilities; unknown ones are ignored.
    pub capabilities: Vec<String>,
    /// The endpoints that are served; empty for clients and proxies. Unknown ones of a newer peer are left out.
    pub endpoints: Vec<Endpoint>,
    /// The model's context in tokens; 0 for clients and proxies.
    pub context_length: u32,
    /// Where the engine runs.
    pub engine: EnginePlace,
}

/// Where a worker's engine runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EnginePlace {
    /// There is none: clients and proxies.
    #[default]
    None,
    /// Started by the worker itself.
    StartedByWorker,
    /// Somebody else's process, reached by URL.
    Outside,
}

// === impl EnginePlace ===

impl EnginePlace {
    /// The tier of answers from an engine in this place, when the worker's evidence earns `worker`: an engine outside
    /// the measured image makes them `open` (DESIGN section 2).
    pub const fn serving_tier(self, worker: Tier) -> Tier {
        match self {
            Self::StartedByWorker => worker,
            Self::Outside | Self::None => Tier::Open,
        }
    }
}

// === impl AnswerEvent ===

impl std::fmt::Debug for AnswerEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Part(data) => write!(f, "Part({} bytes)", data.len()),
            Self::End(end) => end.fmt(f),
        }
    }
}
