//! Evidence in the links, policies out of the registry: development TDX evidence throughout, one root for all nodes.

mod refused;
mod registry;
mod renewal;
mod stated;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cocoon_link::Attester;
use cocoon_tee::Tee;
use cocoon_tee::development::{DevelopmentTee, image};
use cocoon_testkit::money::Money;
use cocoon_testkit::network::NetworkBuilder;
use cocoon_trust::TeeChoice;
use cocoon_web::clock::unix_now;

/// Between two looks at the registry, in these tests.
const POLL: Duration = Duration::from_millis(100);

/// Every log line of this process. Each test has one of its own (nextest), so that this is set once.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn start() -> anyhow::Result<Self> {
        let log = Self::default();
        let writer = log.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::INFO)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .try_init()
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        Ok(log)
    }

    /// Whether a line holds all of these.
    fn says(&self, words: &[&str]) -> bool {
        let lines = self.0.lock().unwrap();
        lines
            .iter()
            .any(|line| words.iter().all(|word| line.contains(word)))
    }

    /// How many lines hold all of these.
    fn count(&self, words: &[&str]) -> usize {
        let lines = self.0.lock().unwrap();
        let holds = |line: &&String| words.iter().all(|word| line.contains(word));
        lines.iter().filter(holds).count()
    }

    fn clear(&self) {
        self.0.lock().unwrap().clear();
    }
}

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0
            .lock()
            .unwrap()
            .push(String::from_utf8_lossy(line).into_owned());
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A network whose nodes all show development evidence of their role, and follow this registry.
async fn with_registry(builder: NetworkBuilder, money: &Money) -> anyhow::Result<NetworkBuilder> {
    let (proxy_wallet, _) = money.wallet("proxy").await?;
    let (worker_wallet, _) = money.wallet("worker").await?;
    let (client_wallet, _) = money.wallet("client").await?;
    let state = money.state_dir("proxy")?;
    let tee = money.state_dir("tee")?;
    let (url, root) = (money.url.clone(), money.root.to_string());
    let keys = move || (Some(url.clone()), Some(root.clone()));
    let (proxy_keys, worker_keys, client_keys) = (keys.clone(), keys.clone(), keys);
    let (proxy_tee, worker_tee, client_tee) = (tee.clone(), tee.clone(), tee);
    let shown = |tee: &Path| (Some("development".to_owned()), Some(tee.to_owned()));
    Ok(builder
        .proxy(move |_, options| {
            (options.chain, options.root) = proxy_keys();
            (options.tee, options.development_tee) = shown(&proxy_tee);
            options.wallet_file = Some(proxy_wallet.clone());
            options.state_dir = Some(state.clone());
        })
        .worker(move |_, options| {
            (options.chain, options.root) = worker_keys();
            (options.tee, options.development_tee) = shown(&worker_tee);
            options.wallet_file = Some(worker_wallet.clone());
        })
        .client(move |options| {
            (options.chain, options.root) = client_keys();
            (options.tee, options.development_tee) = shown(&client_tee);
            options.wallet_file = Some(client_wallet.clone());
        })
        .trust(|trust| trust.poll = POLL))
}

/// A network without payments, whose nodes all show development evidence out of this directory.
fn without_registry(builder: NetworkBuilder, tee: PathBuf) -> NetworkBuilder {
    builder.trust(move |trust| {
        trust.tee = TeeChoice::Development;
        trust.development_tee = Some(tee.clone());
        trust.poll = POLL;
    })
}

/// The development TEE of this directory about the image of a role, as that role would show it.
fn shown_as(tee: DevelopmentTee, role: &str) -> TeeChoice {
    TeeChoice::Other(attester(tee, role))
}

fn attester(tee: DevelopmentTee, role: &str) -> Arc<dyn Attester> {
    Arc::new(Tee::Development(Arc::new(tee), Box::new(image(role))))
}

fn opened(directory: &Path) -> anyhow::Result<DevelopmentTee> {
    Ok(DevelopmentTee::open_or_create(directory, unix_now())?)
}
