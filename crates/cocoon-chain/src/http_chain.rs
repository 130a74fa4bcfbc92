//! The chain of a test network that another process on this machine keeps.

pub(crate) mod wire;

use std::{fmt, net::SocketAddr, time::Duration};

use bytes::Bytes;
use cocoon_contracts::boc;
use cocoon_types::{Address, Nanoton};
use futures_util::{FutureExt, future::BoxFuture};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Request, Response, body::Incoming, header};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use serde_json::{Value, json};
use tokio::time::timeout;
use tycho_types::cell::Cell;

use crate::{
    chain::{Account, At, Chain, ChainError, Head, Transaction, TxId},
    ledger::Faults,
};

/// [`Chain`] over toncenter's HTTP, for a ledger on the same machine and for nothing else.
///
/// The answers carry no proofs, so whoever gives them decides about money. Therefore only loopback is called.
#[derive(Clone)]
pub struct HttpChain {
    client: Client<HttpConnector, Full<Bytes>>,
    server: SocketAddr,
    deadline: Duration,
}

/// An address that is not called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpChainError {
    /// Not of this form.
    #[error("not the address of a ledger: {0:?} (expected http://127.0.0.1:PORT)")]
    Form(String),
    /// Another machine.
    #[error(
        "{0} is not this machine: an HTTP chain proves nothing, so only a test network on loopback may be used"
    )]
    NotLoopback(SocketAddr),
}

/// From the question to the last byte of the answer. A block takes a second at most.
const DEADLINE: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(2);
/// Largest answer: 256 transactions with room for those that carry a contract's code.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// Shorter than the server keeps a silent connection, so that ours ends first.
const KEEP_IDLE: Duration = Duration::from_secs(10);
const MAX_IDLE: usize = 16;

// === impl HttpChain ===

impl HttpChain {
    /// `http://127.0.0.1:PORT`, with `localhost` or `[::1]` as well.
    ///
    /// # Errors
    /// [`HttpChainError`]
    pub fn new(url: &str) -> Result<Self, HttpChainError> {
        let form = || HttpChainError::Form(url.to_owned());
        let authority = url
            .strip_prefix("http://")
            .ok_or_else(form)?
            .trim_end_matches('/');
        let authority = authority
            .strip_prefix("localhost:")
            .map_or_else(|| authority.to_owned(), |port| format!("127.0.0.1:{port}"));
        let server: SocketAddr = authority.parse().map_err(|_| form())?;
        if !server.ip().is_loopback() {
            return Err(HttpChainError::NotLoopback(server));
        }
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEEP_IDLE)
            .pool_max_idle_per_host(MAX_IDLE)
            .build(connector);
        Ok(Self {
            client,
            server,
            deadline: DEADLINE,
        })
    }

    /// With another deadline for each call than 10 s.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Asks the faucet of a test network. On an instant ledger the coins have arrived when this returns.
    ///
    /// # Errors
    /// [`ChainError`]
    pub async fn faucet(&self, to: Address, amount: Nanoton) -> Result<(), ChainError> {
        let body = json!({ "address": to.to_string(), "amount": amount.nano().to_string() });
        self.post("/test/faucet", &body).await.map(drop)
    }

    /// Sets the clock of a test network forward.
    ///
    /// # Errors
    /// [`ChainError`]
    pub async fn warp(&self, seconds: u64) -> Result<(), ChainError> {
        self.post("/test/warp", &json!({ "seconds": seconds }))
            .await
            .map(drop)
    }

    /// Makes a test network misbehave.
    ///
    /// # Errors
    /// [`ChainError`]
    pub async fn set_faults(&self, faults: Faults) -> Result<(), ChainError> {
        self.post("/test/faults", &json!(faults)).await.map(drop)
    }

    async fn call(&self, method: &str, params: Value) -> Result<Value, ChainError> {
        let question = json!({ "id": 1, "jsonrpc": "2.0", "method": method, "params": params });
        self.post("/api/v2/jsonRPC", &question).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value, ChainError> {
        let request = Request::post(format!("http://{}{path}", self.server))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(|error| ChainError::Invalid(error.to_string()))?;
        let exchange = async {
            let answer = self.client.request(request).await;
            let answer = answer.map_err(|error| unreachable(&error))?;
            read(answer).await
        };
        match timeout(self.deadline, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(ChainError::Unreachable("no answer in time".into())),
        }
    }
}

impl fmt::Debug for HttpChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpChain({})", self.server)
    }
}

impl Chain for HttpChain {
    fn head(&self) -> BoxFuture<'_, Result<Head, ChainError>> {
        async { wire::head(&self.call("getMasterchainInfo", json!({})).await?) }.boxed()
    }

    fn block_at(&self, seqno: u32) -> BoxFuture<'_, Result<Head, ChainError>> {
        async move {
            let params = json!({ "workchain": -1, "shard": crate::http::SHARD, "seqno": seqno });
            let block = wire::block(&self.call("getBlockHeader", params).await?)?;
            if block.seqno == seqno {
                Ok(block)
            } else {
                Err(ChainError::Invalid("the header is of another block".into()))
            }
        }
        .boxed()
    }

    fn account(&self, address: Address, at: At) -> BoxFuture<'_, Result<Account, ChainError>> {
        let mut params = json!({ "address": address.to_string() });
        if let At::Block(seqno) = at {
            params["seqno"] = seqno.into();
        }
        async move {
            let account = wire::account(&self.call("getAddressInformation", params).await?)?;
            match at {
                At::Block(seqno) if seqno != account.block => {
                    Err(ChainError::Invalid("the state is of another block".into()))
                }
                _ => Ok(account),
            }
        }
        .boxed()
    }

    fn transactions(
        &self,
        address: Address,
        newest: TxId,
        until_lt: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Transaction>, ChainError>> {
        let params = json!({
            "address": address.to_string(), "limit": limit, "lt": newest.lt.to_string(),
            "hash": hex::encode(newest.hash), "to_lt": until_lt.to_string(),
        });
        async move {
            let answer = self.call("getTransactions", params).await?;
            wire::transactions(&answer, newest, until_lt, limit)
        }
        .boxed()
    }

    fn send<'a>(&'a self, external: &'a Cell) -> BoxFuture<'a, Result<(), ChainError>> {
        async {
            let params = json!({ "boc": wire::base64(&boc::encode(external)) });
            self.call("sendBoc", params).await.map(drop)
        }
        .boxed()
    }
}

async fn read(answer: Response<Incoming>) -> Result<Value, ChainError> {
    let status = answer.status();
    let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await;
    let body = body.map_err(|_| ChainError::Unreachable("the answer was too large or cut off".into()))?;
    match serde_json::from_slice(&body.to_bytes()) {
        Ok(answer) => wire::result(status.as_u16(), answer),
        Err(_) if status.is_server_error() => Err(ChainError::Unreachable(format!(
            "it answers with status {status}"
        ))),
        Err(_) => Err(ChainError::Invalid(format!("no JSON, with status {status}"))),
    }
}

/// The innermost reason; the address is in the configuration and need not be repeated.
fn unreachable(error: &dyn std::error::Error) -> ChainError {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    ChainError::Unreachable(inner.to_string())
}

#[cfg(test)]
mod tests;
