//! JSON of a running node: its account, earnings and settlement. Plain HTTP to a listener of the user's choice.

use std::time::Duration;

use cocoon_types::Nanoton;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::api;
use crate::exit::Hinted;

/// One node as a command asks it.
#[derive(Debug)]
pub(crate) struct Endpoint {
    http: reqwest::Client,
    /// `the gateway`, `worker-1`.
    pub(crate) name: String,
    base: String,
    key: Option<String>,
}

/// An amount on the wire: nanoTON as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount(pub(crate) Nanoton);

/// A node that is at home answers at once; it may look at the chain first.
const DEADLINE: Duration = Duration::from_secs(20);
/// Larger than the accounts of thousands of peers.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

// === impl Endpoint ===

impl Endpoint {
    pub(crate) fn new(name: impl Into<String>, base: &str, key: Option<&str>) -> anyhow::Result<Self> {
        Ok(Self {
            http: api::http_client()?,
            name: name.into(),
            base: base.trim_end_matches('/').to_owned(),
            key: key.map(str::to_owned),
        })
    }

    /// Asks; the answer as it came and as the command reads it.
    pub(crate) async fn read<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<(Value, T)> {
        let answer = self.send(self.http.get(self.url(path)), path).await?;
        let value: Value = serde_json::from_slice(&answer).map_err(|_| self.strange(path))?;
        let read = T::deserialize(&value).map_err(|_| self.strange(path))?;
        Ok((value, read))
    }

    /// Asks for bytes.
    pub(crate) async fn bytes(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        self.send(self.http.get(self.url(path)), path).await
    }

    /// Asks for something to be done; an answer means that it was accepted.
    pub(crate) async fn order(&self, path: &str, body: &Value) -> anyhow::Result<()> {
        self.send(self.http.post(self.url(path)).json(body), path)
            .await
            .map(drop)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn send(&self, mut request: reqwest::RequestBuilder, path: &str) -> anyhow::Result<Vec<u8>> {
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        let mut answer = request.timeout(DEADLINE).send().await.map_err(|error| {
            let reason = if error.is_timeout() {
                "it does not answer"
            } else {
                "nothing listens there"
            };
            Hinted::failed(
                format!("cannot reach {} at {}: {reason}", self.name, self.base),
                "start a network with `cocoon up`, or name a running node (see --help)",
            )
        })?;
        match answer.status().as_u16() {
            404 | 405 if !path.starts_with("/v1/") => {
                return Err(Hinted::failed(
                    format!(
                        "{} at {} knows no {path}: it runs without payments",
                        self.name, self.base
                    ),
                    "a node settles when its configuration names `chain` and `root`; `cocoon up` writes both",
                ));
            }
            200..=299 => {}
            _ => return Err(api::refused(answer).await),
        }
        let mut bytes = Vec::new();
        while let Some(piece) = answer.chunk().await? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > MAX_ANSWER_BYTES {
                return Err(self.strange(path));
            }
        }
        Ok(bytes)
    }

    fn strange(&self, path: &str) -> anyhow::Error {
        Hinted::failed(
            format!(
                "{} at {} gave an answer to {path} that this program does not understand",
                self.name, self.base
            ),
            "are both of the same version? `cocoon --version`",
        )
    }
}

// === impl Amount ===

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let nano: u64 = text
            .parse()
            .map_err(|_| serde::de::Error::custom("not an amount of nanoTON"))?;
        Ok(Self(Nanoton::new(nano)))
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
