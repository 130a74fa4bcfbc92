//! What both legs say in protocols 0 to 2, as one vocabulary: `client.*` and `proxy.*` differ in names only.

use bytes::Bytes;
use cocoon_tl::{
    TlError, TlObject as _, TlString, client, peek_id,
    proxy::{self, SignedPayment, SignedPaymentEmpty},
    shared::TokensUsed,
};

mod read;
mod write;

/// Between whom the original's messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg {
    /// Client and proxy: `client.*`.
    Client,
    /// Proxy and worker: `proxy.*`.
    Worker,
}

/// A request.
#[derive(Clone, PartialEq)]
pub(crate) struct Asked {
    pub(crate) id: [u8; 32],
    /// The boxed `http.request`.
    pub(crate) query: Bytes,
    /// In per mille: the most that is paid, or to a worker what is paid.
    pub(crate) coefficient: i64,
    /// In seconds.
    pub(crate) timeout: f64,
    /// What a client says beside, and a proxy does not.
    pub(crate) client: Option<AskedByClient>,
}

/// What a client says beside.
#[derive(Clone, PartialEq)]
pub(crate) struct AskedByClient {
    pub(crate) model: TlString,
    pub(crate) max_tokens: i32,
    /// Least version of the registry that the proxy must know.
    pub(crate) config_version: i32,
}

/// A step of an answer; `last` is there when it is the last one.
#[derive(Clone, PartialEq)]
pub(crate) enum Said {
    /// The boxed `http.response`.
    Answer {
        payload: Bytes,
        last: Option<TokensUsed>,
    },
    Part {
        payload: Bytes,
        last: Option<TokensUsed>,
    },
    Failed {
        code: i32,
        words: TlString,
        /// Whether an answer had begun; decides between the two messages of version 0.
        begun: bool,
    },
}

/// In which version, and when the request began and ended, in Unix seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) leg: Leg,
    pub(crate) version: i32,
    pub(crate) times: (u64, u64),
}

// === impl Asked ===

impl Asked {
    /// As a message of this version.
    pub(crate) fn write(self, version: i32) -> Bytes {
        let Self {
            id: request_id,
            query,
            coefficient,
            timeout,
            client,
        } = self;
        let Some(client) = client else {
            let signed_payment = SignedPayment::Empty(SignedPaymentEmpty {});
            return if version == 0 {
                proxy::RunQuery {
                    query,
                    signed_payment,
                    coefficient,
                    timeout,
                    request_id,
                }
                .to_boxed()
            } else {
                proxy::RunQueryEx {
                    query,
                    signed_payment,
                    coefficient,
                    timeout,
                    request_id,
                    enable_debug: Some(false),
                }
                .to_boxed()
            };
        };
        let max_coefficient = i32::try_from(coefficient).unwrap_or(i32::MAX);
        if version == 0 {
            client::RunQuery {
                model_name: client.model,
                query,
                max_coefficient,
                max_tokens: client.max_tokens,
                timeout,
                request_id,
                min_config_version: client.config_version,
            }
            .to_boxed()
        } else {
            client::RunQueryEx {
                model_name: client.model,
                query,
                max_coefficient,
                max_tokens: client.max_tokens,
                timeout,
                request_id,
                min_config_version: client.config_version,
                enable_debug: Some(false),
            }
            .to_boxed()
        }
    }

    /// The request that a message is; `None` when it is another message.
    pub(crate) fn read(leg: Leg, message: &Bytes) -> Option<Result<Self, TlError>> {
        read::asked(leg, message)
    }
}

// === impl Said ===

impl Said {
    /// As a message in this form.
    pub(crate) fn write(self, request_id: [u8; 32], form: Form) -> Bytes {
        match (form.leg, form.version) {
            (Leg::Client, 0) => self.client_version_0(request_id),
            (Leg::Client, _) => self.write_client(request_id, form),
            (Leg::Worker, 0) => self.worker_version_0(request_id),
            (Leg::Worker, _) => self.write_worker(request_id, form),
        }
    }

    /// The step that a message is, and of which request; `None` when it is another message. The forms of every version are
    /// taken, since the original mixes them (spec/network.md 6.13).
    pub(crate) fn read(leg: Leg, message: &Bytes) -> Option<Result<([u8; 32], Self), TlError>> {
        read::said(leg, message)
    }

    /// Bytes that it holds in memory.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Answer { payload, .. } | Self::Part { payload, .. } => payload.len(),
            Self::Failed { words, .. } => words.len(),
        }
    }

    fn write_client(self, request_id: [u8; 32], form: Form) -> Bytes {
        let (began, ended) = form.seconds();
        let info = |tokens_used| client::QueryFinalInfo {
            tokens_used,
            debug: None,
            times: (form.version >= 2).then_some(client::Times {
                proxy_start_time: began,
                proxy_end_time: ended,
                worker_start_time: began,
                worker_end_time: ended,
            }),
        };
        self.client_later(request_id, info)
    }

    fn write_worker(self, request_id: [u8; 32], form: Form) -> Bytes {
        let (worker_start_time, worker_end_time) = form.seconds();
        let info = |tokens_used| proxy::QueryFinalInfo {
            tokens_used,
            worker_debug: None,
            times: (form.version >= 2).then_some(proxy::Times {
                worker_start_time,
                worker_end_time,
            }),
        };
        self.worker_later(request_id, info)
    }
}

// === impl Form ===

impl Form {
    fn seconds(&self) -> (f64, f64) {
        // Unix seconds are far below 2^52.
        let seconds = |time: u64| time as f64;
        (seconds(self.times.0), seconds(self.times.1))
    }
}

/// One-way messages that go on as they are, from a peer of this leg to the role. Nothing else does: a message of protocol 3 in
/// an old peer's mouth must not reach the session.
pub(crate) fn passes(leg: Leg, message: &[u8]) -> bool {
    use cocoon_tl::worker;
    let Some(id) = peek_id(message) else {
        return false;
    };
    match leg {
        Leg::Client => id == proxy::ClientRequestPayment::ID,
        Leg::Worker => [
            proxy::WorkerRequestPaymentData::ID,
            worker::EnabledDisabled::ID,
            worker::NewCoefficient::ID,
        ]
        .contains(&id),
    }
}

#[cfg(test)]
mod tests;
