//! A whole network in one process on free ports: proxies, workers, a gateway, canned engines. PoW 0, simulated evidence.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use cocoon_testkit::network::Network;
//! let network = Network::builder().workers(2).start().await?;
//! let answer = network.post("/chat/completions", &network.question("hello")).await?;
//! assert_eq!(answer.status, 200);
//! network.stop().await
//! # }
//! ```
//!
//! Nodes can be stopped in order, killed as by signal 9, and started again at the same addresses.

mod asker;
mod builder;
mod http;
mod node;

use std::future::Future;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

pub use asker::{Asker, Reply, Request, connect_client};
pub(crate) use asker::{ask, dial_as};
pub use builder::NetworkBuilder;
pub use http::{Answer, Stream, get, post, post_with_key, stream};
pub use node::{GatewayNode, Node, ProxyNode, Role, WorkerNode};

use crate::canned::CannedEngine;

/// How long anything may take to come to hold. Tests share two cores with a compiler.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// A running network. Dropping it ends everything at once.
#[derive(Debug)]
pub struct Network {
    /// The proxies; every worker and the gateway are linked to each.
    pub proxies: Vec<ProxyNode>,
    /// The workers.
    pub workers: Vec<WorkerNode>,
    /// The gateway, if one was asked for.
    pub gateway: Option<GatewayNode>,
    /// The canned engines, by worker; none where a worker has an engine of another kind.
    pub engines: Vec<Option<CannedEngine>>,
}

impl Network {
    /// One proxy, one worker with a canned engine, one gateway, until told otherwise.
    pub fn builder() -> NetworkBuilder {
        NetworkBuilder::default()
    }

    /// The canned engine of a worker.
    ///
    /// # Panics
    /// When that worker has none, or it was taken.
    pub fn engine(&self, worker: usize) -> &CannedEngine {
        self.engines
            .get(worker)
            .and_then(Option::as_ref)
            .expect("the worker has a canned engine")
    }

    /// The gateway's API, `http://127.0.0.1:PORT/v1`.
    ///
    /// # Panics
    /// When the network has no gateway.
    pub fn api(&self) -> String {
        let gateway = self.gateway.as_ref().expect("the network has a gateway");
        format!("http://{}/v1", gateway.api_addr())
    }

    /// A chat request to the canned model that one word is asked of.
    pub fn question(&self, text: &str) -> Value {
        json!({"model": "canned", "messages": [{"role": "user", "content": text}]})
    }

    /// Posts to the gateway, at a path after `/v1`.
    ///
    /// # Errors
    /// When there is no HTTP answer.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        post(&format!("{}{path}", self.api()), body).await
    }

    /// Posts to the gateway, and gives the answer as it comes.
    ///
    /// # Errors
    /// When there is no HTTP answer.
    pub async fn stream(&self, path: &str, body: &Value) -> anyhow::Result<Stream> {
        stream(&format!("{}{path}", self.api()), body).await
    }

    /// `GET /status` of a proxy.
    ///
    /// # Errors
    /// When it does not answer with JSON.
    pub async fn status(&self, proxy: usize) -> anyhow::Result<Value> {
        let proxy = self.proxies.get(proxy).context("no such proxy")?;
        get(&format!("http://{}/status", proxy.admin_addr()))
            .await?
            .json()
    }

    /// Waits until a proxy has this many enabled workers.
    ///
    /// # Errors
    /// When it does not come to hold.
    pub async fn wait_for_workers(&self, proxy: usize, wanted: usize) -> anyhow::Result<()> {
        let enabled = async || {
            let status = self.status(proxy).await.ok()?;
            let workers = status["workers"].as_array()?;
            Some(workers.iter().filter(|worker| worker["enabled"] == true).count())
        };
        eventually("the proxy has its workers", async || {
            enabled().await == Some(wanted)
        })
        .await
    }

    /// Waits until the gateway can send requests to the model.
    ///
    /// # Errors
    /// When it does not come to hold.
    pub async fn wait_for_model(&self, model: &str) -> anyhow::Result<()> {
        let url = format!("{}/models", self.api());
        eventually("the gateway lists the model", async || {
            let Ok(answer) = get(&url).await else { return false };
            let Ok(list) = answer.json() else { return false };
            list["data"]
                .as_array()
                .is_some_and(|data| data.iter().any(|entry| entry["id"] == model))
        })
        .await
    }

    /// Waits until no request is open anywhere and every place is free.
    ///
    /// # Errors
    /// When it does not come to hold.
    pub async fn wait_until_idle(&self) -> anyhow::Result<()> {
        for index in 0..self.proxies.len() {
            eventually("no place is taken", async || match self.status(index).await {
                Ok(status) => {
                    let busy = status["workers"]
                        .as_array()
                        .is_none_or(|workers| workers.iter().any(|worker| worker["running"] != 0));
                    !busy && status["open_requests"] == 0 && status["waiting_requests"] == 0
                }
                Err(_) => false,
            })
            .await?;
        }
        Ok(())
    }

    /// Stops everything in order: gateway, workers, proxies.
    ///
    /// # Errors
    /// When a node ended with an error, or did not end.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(gateway) = &mut self.gateway {
            gateway.stop().await?;
        }
        for worker in &mut self.workers {
            worker.stop().await?;
        }
        for proxy in &mut self.proxies {
            proxy.stop().await?;
        }
        Ok(())
    }
}

/// Waits until something holds.
///
/// # Errors
/// When it does not come to hold; names what was waited for.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if holds().await {
            return Ok(());
        }
        if Instant::now() >= deadline {
            bail!("did not come to hold: {what}");
        }
        sleep(LOOK).await;
    }
}

/// Runs a test's whole body with a limit, so that a hang is a failure with a name.
///
/// # Errors
/// Those of the body, or that it took too long.
pub async fn within<T>(limit: Duration, body: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    timeout(limit, body).await.context("took too long")?
}
