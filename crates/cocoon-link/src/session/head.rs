use std::time::Duration;

use bytes::Bytes;
use cocoon_seal::EncodedHead;
use cocoon_types::{Coefficient, Endpoint, ModelName, RequestId, Tier, TierPolicy, Usage};

/// What is asked, before the body (`cocoon.request`, `cocoon.sealedRequest`).
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
    /// The exact length of the body, in bytes; of a sealed one, padded and before it is sealed.
    pub body_bytes: u64,
    /// Of a sealed request: its own head, which says the same as all of the above but the timeout, and alone travels.
    pub sealed: Option<Box<SealedHead>>,
}

/// What begins a sealed request: whom it is for, and the content key for each (docs/sealing.md, section 3).
#[derive(Clone, PartialEq, Eq)]
pub struct SealedHead {
    /// All that is said in clear.
    pub head: EncodedHead,
    /// The candidate of the head that the first wrap is for.
    pub candidate: u8,
    /// For this candidate and those after it; at least one.
    pub wraps: Vec<Bytes>,
}

/// What precedes an answer's bytes (`cocoon.answer`, `cocoon.sealedAnswer`).
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
    /// Of a sealed answer: its own head, which says the same as all of the above, and alone travels.
    pub sealed: Option<SealedAnswer>,
}

/// What begins a sealed answer (docs/sealing.md, section 4).
#[derive(Clone, PartialEq, Eq)]
pub struct SealedAnswer {
    /// As the worker made it.
    pub head: Bytes,
    /// From a proxy: for each candidate before the one that serves its signed refusal, or no bytes where its link was lost.
    pub skipped: Vec<Bytes>,
}

/// One step of an answer. Its bytes are a stream: pieces may be joined or cut on the way. Not so when it is sealed: then
/// each part is one that was sealed.
#[derive(Clone, PartialEq, Eq)]
pub enum AnswerEvent {
    /// The next bytes.
    Part(Bytes),
    /// The answer is complete.
    End(AnswerEnd),
}

/// What follows an answer's bytes (`cocoon.end`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerEnd {
    /// Tokens used, as the answering side counted them.
    pub usage: Usage,
    /// How long the engine worked; whole milliseconds travel.
    pub engine_time: Duration,
    /// Of a sealed answer, from its worker: the receipt, as the proxy may see it.
    pub receipt: Option<Bytes>,
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

// === impl RequestHead ===

impl RequestHead {
    /// What a sealed request says in clear.
    pub fn of_sealed(sealed: impl Into<Box<SealedHead>>, timeout: Duration) -> Self {
        let sealed = sealed.into();
        let head = sealed.head.head();
        Self {
            request_id: head.request_id,
            endpoint: head.endpoint,
            model: head.model.clone(),
            max_tokens: head.max_tokens,
            tier: head.tier,
            max_coefficient: head.max_coefficient,
            timeout,
            body_bytes: head.body_bytes,
            sealed: Some(sealed),
        }
    }
}

// === impl SealedHead ===

impl SealedHead {
    /// Bytes that travel.
    pub(super) fn bytes(&self) -> usize {
        self.head.bytes().len() + self.wraps.iter().map(Bytes::len).sum::<usize>()
    }
}

impl std::fmt::Debug for SealedHead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedHead")
            .field("candidate", &self.candidate)
            .field("wraps", &self.wraps.len())
            .finish_non_exhaustive()
    }
}

// === impl SealedAnswer ===

impl std::fmt::Debug for SealedAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedAnswer")
            .field("skipped", &self.skipped.len())
            .finish_non_exhaustive()
    }
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
