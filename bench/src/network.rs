//! The processes that are measured.

use std::{path::Path, process::Stdio, str::FromStr, time::Duration};

use anyhow::Context as _;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::{cpu::Process, engine::MODEL};

/// For a network to serve.
const READY: Duration = Duration::from_secs(120);
/// For it to stop in order.
const STOP: Duration = Duration::from_secs(30);

/// Something that answers in the engine's place.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) processes: Vec<Process>,
}

/// The canned engine.
pub(crate) struct Engine {
    child: Child,
    url: String,
}

/// A network of ours.
pub(crate) struct Network {
    child: Child,
    ready: Ready,
    _home: TempDir,
}

#[derive(Deserialize)]
struct Ready {
    api: String,
    roles: Vec<Started>,
}

#[derive(Deserialize)]
struct Started {
    role: String,
    pid: u32,
}

// === impl Engine ===

impl Engine {
    pub(crate) async fn start(own: &Path, port: u16) -> anyhow::Result<Self> {
        let mut child = Command::new(own)
            .args(["engine", "--port", &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().context("its standard output")?;
        let mut line = String::new();
        timeout(READY, BufReader::new(stdout).read_line(&mut line)).await??;
        let port: u16 = line.trim().parse().context("the engine names its port")?;
        Ok(Self {
            child,
            url: format!("http://127.0.0.1:{port}/v1"),
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) async fn stop(mut self) {
        drop(self.child.stdin.take());
        let _ = timeout(STOP, self.child.wait()).await;
    }
}

// === impl Network ===

impl Network {
    pub(crate) async fn start(cocoon: &Path, engine: &str, no_money: bool) -> anyhow::Result<Self> {
        let home = tempfile::tempdir()?;
        let ready = home.path().join("ready.json");
        let mut command = Command::new(cocoon);
        command
            .args(["--log", "warn", "up", "--engine", engine.trim_end_matches("/v1"), "--model", MODEL])
            .arg("--dir")
            .arg(home.path().join("network"))
            .arg("--ready-file")
            .arg(&ready)
            // The engine answers as many at once as are asked; the network's default for its kind is 64.
            .env("COCOON_WORKER_MAX_ACTIVE_REQUESTS", "1024")
            // What may be owed is bounded by the stake; the default is a chat's, not a load generator's.
            .env("COCOON_CLIENT_TOP_UP", "8")
            // Held as long as this process lives, however it ends.
            .arg("--exit-with-stdin")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        if no_money {
            command.arg("--no-money");
        }
        let mut child = command.spawn()?;
        let started = async {
            loop {
                if let Ok(text) = tokio::fs::read(&ready).await
                    && let Ok(ready) = serde_json::from_slice(&text)
                {
                    return anyhow::Ok(ready);
                }
                if let Some(status) = child.try_wait()? {
                    anyhow::bail!("`cocoon up` ended: {status}");
                }
                sleep(Duration::from_millis(100)).await;
            }
        };
        let ready = timeout(READY, started)
            .await
            .context("the network is not ready")??;
        Ok(Self {
            child,
            ready,
            _home: home,
        })
    }

    /// The three roles; ledger and supervisor are counted beside them.
    pub(crate) fn peer(&self) -> Peer {
        let processes = self.ready.roles.iter().map(|started| Process {
            name: started.role.clone(),
            pid: started.pid,
        });
        Peer {
            name: "cocoon".to_owned(),
            url: self.ready.api.clone(),
            processes: processes.collect(),
        }
    }

    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(pid) = self.child.id() {
            Command::new("kill")
                .args(["-INT", &pid.to_string()])
                .status()
                .await?;
        }
        timeout(STOP, self.child.wait())
            .await
            .context("the network does not stop")??;
        Ok(())
    }
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, rest) = text
            .split_once('=')
            .ok_or("NAME=URL, as in nginx=http://127.0.0.1:8080/v1")?;
        let (url, pids) = rest.split_once('@').unwrap_or((rest, ""));
        let processes = pids.split(',').filter(|pid| !pid.is_empty()).map(|pid| {
            let pid = pid.parse().map_err(|_| format!("{pid} is no process id"))?;
            Ok(Process {
                name: name.to_owned(),
                pid,
            })
        });
        Ok(Self {
            name: name.to_owned(),
            url: url.to_owned(),
            processes: processes.collect::<Result<_, String>>()?,
        })
    }
}
