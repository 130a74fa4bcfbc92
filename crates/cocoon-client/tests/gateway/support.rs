//! A gateway, proxies that do what a test says, and an HTTP caller.

pub(crate) mod caller;
pub(crate) mod proxy;

use std::net::SocketAddr;

use cocoon_client::{App, Options};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) use caller::{Caller, Reply};
pub(crate) use proxy::{FakeProxy, end, head, parts, whole};

/// A gateway that ends with the test.
pub(crate) struct Gateway {
    pub(crate) addr: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) tasks: JoinSet<()>,
}

pub(crate) fn options(proxies: &[&FakeProxy]) -> Options {
    Options {
        listen: Some("127.0.0.1:0".parse().unwrap()),
        proxies: proxies.iter().map(|proxy| proxy.addr.to_string()).collect(),
        is_test: Some(true),
        accept_simulated: Some(true),
        // There is no chain, so that nothing can be sealed.
        allow_proxy_plaintext: Some(true),
        tier: Some("open+simulated".into()),
        ..Options::default()
    }
}

impl Gateway {
    /// A gateway that is linked to all of these proxies.
    pub(crate) async fn to(proxies: &[&FakeProxy]) -> Self {
        let gateway = Self::with(options(proxies)).await;
        gateway.linked(proxies.len()).await;
        gateway
    }

    pub(crate) async fn with(options: Options) -> Self {
        let app = App::start(options.build().unwrap()).await.unwrap();
        let addr = app.api_addr();
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let stop = shutdown.clone();
        tasks.spawn(async move { app.run(stop).await.unwrap() });
        Self {
            addr,
            shutdown,
            tasks,
        }
    }

    /// Waits until this many links are up.
    pub(crate) async fn linked(&self, count: usize) {
        let wanted = format!("\"links_up\":{count}");
        eventually(async || self.get("/health").await.text().contains(&wanted)).await;
    }

    pub(crate) async fn caller(&self) -> Caller {
        Caller::connect(self.addr).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.caller().await.send("GET", path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        self.caller().await.send("POST", path, headers, body).await
    }

    pub(crate) async fn chat(&self, headers: &[(&str, &str)]) -> Reply {
        self.post("/v1/chat/completions", headers, CHAT).await
    }

    /// The value of one line of `/metrics`.
    pub(crate) async fn metric(&self, line: &str) -> f64 {
        let text = self.get("/metrics").await.text();
        let value = text
            .lines()
            .find_map(|found| found.strip_prefix(line)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().unwrap())
    }
}

pub(crate) const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
pub(crate) const STREAM: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}"#;

/// Asks until the answer is yes; fails the test after ten seconds.
pub(crate) async fn eventually(mut ask: impl AsyncFnMut() -> bool) {
    for _ in 0..500 {
        if ask().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("it did not happen");
}
