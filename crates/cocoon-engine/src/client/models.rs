use bytes::Bytes;
use cocoon_types::{Fault, Refusal};
use http::Method;
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use super::{Engine, timeout};
use crate::answer::{EngineBody, Limits, failed};

/// Longest answer to a question of our own, in bytes; a list of models has some thousand.
const MAX_LIST_BYTES: usize = 1024 * 1024;

/// Models that are taken from a list; an engine serves one or a few, Ollama what its owner has gathered.
const MAX_MODELS: usize = 1024;

/// A model that an engine lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineModel {
    /// The name that the engine wants to see in `model`.
    pub id: String,
    /// Model tokens that prompt and answer may have together, where the engine says it.
    pub context_length: Option<u32>,
    /// What the engine calls its maker; tells the kind of engine.
    pub(crate) owner: String,
}

/// `/v1/models`, with what engines add to it.
#[derive(Deserialize)]
struct List {
    data: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    id: String,
    #[serde(default)]
    owned_by: Option<String>,
    /// vLLM and SGLang.
    #[serde(default)]
    max_model_len: Option<u32>,
    /// LM Studio and others.
    #[serde(default)]
    context_length: Option<u32>,
    /// llama.cpp.
    #[serde(default)]
    meta: Option<Meta>,
}

#[derive(Deserialize)]
struct Meta {
    /// What the server runs with.
    #[serde(default)]
    n_ctx: Option<u32>,
    /// What the model was trained with.
    #[serde(default)]
    n_ctx_train: Option<u32>,
}

impl Engine {
    /// The models that the engine lists.
    ///
    /// # Errors
    /// [`Fault::EngineFailed`] when it does not answer with a list, [`Fault::Timeout`] when not in time.
    pub async fn models(&self) -> Result<Vec<EngineModel>, Refusal> {
        let text = self.get("/v1/models").await?;
        let list: List =
            serde_json::from_slice(&text).map_err(|_| failed("the engine's list of models is unreadable"))?;
        Ok(list
            .data
            .into_iter()
            .take(MAX_MODELS)
            .map(EngineModel::from)
            .collect())
    }

    /// The body of a question of our own, when the answer is a good one.
    pub(crate) async fn get(&self, path: &'static str) -> Result<Bytes, Refusal> {
        let deadline = Instant::now() + self.0.timers.probe;
        let asked = timeout_at(deadline, self.send(Method::GET, path, Bytes::new(), deadline)).await;
        let answer = asked.map_err(|_| timeout())??;
        if !answer.status().is_success() {
            let message = format!("the engine answered with status {}", answer.status().as_u16());
            return Err(Refusal::new(Fault::EngineFailed, message));
        }
        let limits = Limits {
            deadline,
            idle: self.0.timers.probe,
            bytes: MAX_LIST_BYTES,
        };
        EngineBody::live(answer.into_body(), limits)
            .collect(MAX_LIST_BYTES)
            .await
    }
}

impl From<Entry> for EngineModel {
    fn from(entry: Entry) -> Self {
        let trained = entry.meta.as_ref().and_then(|meta| meta.n_ctx_train);
        let runs = entry.meta.as_ref().and_then(|meta| meta.n_ctx);
        Self {
            id: entry.id,
            context_length: entry.max_model_len.or(entry.context_length).or(runs).or(trained),
            owner: entry.owned_by.unwrap_or_default(),
        }
    }
}
