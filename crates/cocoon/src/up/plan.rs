//! Where the network lives on disk and how each process is started.
//!
//! Each role gets a TOML file in the directory, so that what runs can be read, and started by hand.

use std::fs::{File, TryLockError};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use cocoon_types::{ModelName, Tier, TierPolicy};
use tokio::process::Command;
use toml::{Table, Value};

use super::model_file;
use super::money::Money;
use super::process::Recipe;
use crate::cli::Common;
use crate::exit::Hinted;
use crate::role::Announcement;

/// The directory of one network, locked for this process.
#[derive(Debug)]
pub(super) struct Home {
    dir: PathBuf,
    program: PathBuf,
    common: Common,
    _lock: File,
}

/// What the workers serve.
#[derive(Debug)]
pub(super) enum Engine {
    /// llama.cpp in a process that the worker starts.
    BuiltIn {
        name: ModelName,
        file: PathBuf,
        binary: PathBuf,
    },
    /// A server of the user's.
    Outside { url: String, model: Option<ModelName> },
}

// === impl Engine ===

impl Engine {
    /// Chooses by the flags; fetches the model when the built-in engine needs one.
    pub(super) async fn choose(engine: Option<&str>, name: Option<&str>) -> anyhow::Result<Self> {
        if let Some(url) = engine {
            let model = name
                .map(ModelName::new)
                .transpose()
                .context("--model is not a model's name")?;
            return Ok(Self::Outside {
                url: url.to_owned(),
                model,
            });
        }
        let binary = std::env::current_exe()?.with_file_name("cocoon-engine");
        if !binary.is_file() {
            return Err(Hinted::failed(
                format!("the built-in engine is not there: {}", binary.display()),
                "build it (`./cocoon up` does), or serve your own with --engine URL",
            ));
        }
        let (name, file) = model_file::obtain(name).await?;
        Ok(Self::BuiltIn { name, file, binary })
    }

    /// The name to wait for; `None`: any.
    pub(super) fn model_name(&self) -> Option<&str> {
        match self {
            Self::BuiltIn { name, .. } => Some(name.base()),
            Self::Outside { model, .. } => model.as_ref().map(ModelName::base),
        }
    }

    /// The model as the workers announce it, where that is known.
    pub(super) fn whole_name(&self) -> Option<&ModelName> {
        match self {
            Self::BuiltIn { name, .. } => Some(name),
            Self::Outside { model, .. } => model.as_ref(),
        }
    }

    /// The lowest tier that the gateway has to accept to reach these workers.
    fn tier(&self) -> TierPolicy {
        match self {
            Self::BuiltIn { .. } => TierPolicy::at_least(Tier::Simulated),
            Self::Outside { .. } => TierPolicy::at_least(Tier::Open).and_simulated(),
        }
    }

    /// What everybody has to know about this network.
    pub(super) fn warning(&self) -> &'static str {
        match self {
            Self::BuiltIn { .. } => {
                "the hardware evidence is simulated (tier `simulated`); this machine's owner could read every prompt"
            }
            Self::Outside { .. } => {
                "the engine is outside any measured image (tier `open`); its owner could read every prompt"
            }
        }
    }
}

// === impl Home ===

impl Home {
    /// Opens or makes the directory and locks it.
    pub(super) fn open(dir: Option<PathBuf>, common: Common) -> anyhow::Result<Self> {
        let dir = match dir {
            Some(dir) => dir,
            None => default_dir()?,
        };
        std::fs::create_dir_all(&dir)
            .with_context(|| format!("cannot make the directory {}", dir.display()))?;
        let dir = dir.canonicalize()?;
        let lock = File::create(dir.join("up.lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Hinted::failed(
                    format!("a network already runs in {}", dir.display()),
                    "stop it with Ctrl-C there, or give this one its own --dir DIR",
                ));
            }
            Err(TryLockError::Error(error)) => return Err(error).context("cannot lock the directory"),
        }
        Ok(Self {
            dir,
            program: std::env::current_exe()?,
            common,
            _lock: lock,
        })
    }

    /// Where `cocoon chat` finds a running network.
    pub(super) fn ready_file(&self) -> PathBuf {
        self.dir.join(READY_FILE)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The ledger is no role: it takes flags. Its address is kept in a file like the roles'.
    pub(super) fn ledger(&self) -> anyhow::Result<Recipe> {
        let table = Table::from_iter([("listen".to_owned(), self.address("ledger", "listen", 11100))]);
        let path = self.config_file("ledger");
        write_whole(&path, toml::to_string(&table)?.as_bytes())?;
        let (program, common, dir) = (self.program.clone(), self.common.clone(), self.dir.join("ledger"));
        std::fs::create_dir_all(&dir)
            .with_context(|| format!("cannot make the directory {}", dir.display()))?;
        Ok(Box::new(move || {
            let read = || toml::from_str::<Table>(&std::fs::read_to_string(&path).ok()?).ok();
            let listen = read().and_then(|table| table.get("listen")?.as_str().map(str::to_owned));
            let mut command = Command::new(&program);
            command
                .args(common.as_flags())
                .arg("ledger")
                .arg("--dir")
                .arg(&dir);
            command
                .arg("--listen")
                .arg(listen.unwrap_or_else(|| local(0).to_string()));
            command.args(["--instant", "--announce", "--exit-with-stdin"]);
            command
        }))
    }

    /// Fixes the ledger's address for its restarts: the roles know it.
    pub(super) fn pin_ledger(&self, announced: &Announcement) -> anyhow::Result<()> {
        self.edit(
            "ledger",
            [("listen", announced.url.strip_prefix("http://").map(text))],
        )
    }

    pub(super) fn proxy(&self, money: Option<&Money>) -> anyhow::Result<Recipe> {
        let mut table = Table::new();
        for (key, usual) in [
            ("listen_clients", 11002),
            ("listen_workers", 11001),
            ("admin", 11000),
        ] {
            table.insert(key.into(), self.address("proxy", key, usual));
        }
        let state_dir = self.dir.join("proxy");
        table.insert("state_dir".into(), text(state_dir.display()));
        // Everything is on this machine: work to connect would only cost the user's own start.
        table.insert("pow_difficulty".into(), Value::Integer(0));
        self.role("proxy", "proxy", table, money)
    }

    pub(super) fn worker(
        &self,
        index: u16,
        proxy: SocketAddr,
        engine: &Engine,
        money: Option<&Money>,
    ) -> anyhow::Result<Recipe> {
        let mut table = Table::new();
        table.insert("proxies".into(), Value::Array(vec![text(proxy)]));
        let name = format!("worker-{index}");
        table.insert("admin".into(), self.address(&name, "admin", 11999 + index));
        match engine {
            Engine::BuiltIn { name, file, binary } => {
                table.insert("engine".into(), text("builtin"));
                table.insert("model".into(), text(name));
                table.insert("model_file".into(), text(file.display()));
                table.insert("engine_binary".into(), text(binary.display()));
            }
            Engine::Outside { url, model } => {
                table.insert("engine".into(), text(url));
                if let Some(model) = model {
                    table.insert("model".into(), text(model));
                }
            }
        }
        self.role("worker", &name, table, money)
    }

    pub(super) fn client(
        &self,
        proxy: SocketAddr,
        engine: &Engine,
        port: Option<u16>,
        money: Option<&Money>,
    ) -> anyhow::Result<Recipe> {
        let mut table = Table::new();
        table.insert("proxies".into(), Value::Array(vec![text(proxy)]));
        table.insert(
            "listen".into(),
            port.map_or_else(
                || self.address("gateway", "listen", 10000),
                |port| text(local(port)),
            ),
        );
        table.insert("tier".into(), text(engine.tier()));
        table.insert("state_dir".into(), text(self.dir.join("gateway").display()));
        if money.is_none() {
            // Without a chain nothing can be sealed; every answer says so.
            table.insert("allow_proxy_plaintext".into(), Value::Boolean(true));
        }
        self.role("client", "gateway", table, money)
    }

    /// Where the proxy will listen for workers and for clients; after [`Self::proxy`].
    pub(super) fn proxy_addresses(&self) -> anyhow::Result<(SocketAddr, SocketAddr)> {
        let table: Table = toml::from_str(&std::fs::read_to_string(self.config_file("proxy"))?)?;
        let address = |key: &str| {
            table
                .get(key)
                .and_then(Value::as_str)
                .and_then(|text| text.parse().ok())
        };
        let both = address("listen_workers").zip(address("listen_clients"));
        both.context("the proxy's addresses are not known")
    }

    /// Fixes the proxy's addresses for its restarts: the others dial them.
    pub(super) fn pin_proxy(&self, announced: &Announcement) -> anyhow::Result<()> {
        let clients = announced.clients.map(text);
        let workers = announced.workers.map(text);
        self.edit(
            "proxy",
            [("listen_clients", clients), ("listen_workers", workers)],
        )
    }

    /// Fixes the API's address for the gateway's restarts: apps know it.
    pub(super) fn pin_client(&self, announced: &Announcement) -> anyhow::Result<()> {
        self.edit(
            "gateway",
            [("listen", announced.url.strip_prefix("http://").map(text))],
        )
    }

    /// Writes a role's configuration and gives the command that runs it.
    fn role(
        &self,
        role: &'static str,
        name: &str,
        mut table: Table,
        money: Option<&Money>,
    ) -> anyhow::Result<Recipe> {
        if let Some(money) = money {
            money.fill(role, name, &mut table);
        }
        table.insert("is_test".into(), Value::Boolean(true));
        table.insert("accept_simulated".into(), Value::Boolean(true));
        table.insert("tee".into(), text("development"));
        table.insert("development_tee".into(), text(self.dir.join(TEE_DIR).display()));
        let path = self.config_file(name);
        write_whole(&path, toml::to_string(&table)?.as_bytes())?;
        let (program, common) = (self.program.clone(), self.common.clone());
        Ok(Box::new(move || {
            let mut command = Command::new(&program);
            command
                .args(common.as_flags())
                .arg(role)
                .arg("--config")
                .arg(&path)
                .args(["--announce", "--exit-with-stdin"]);
            command
        }))
    }

    /// The address of this network's last run, else the usual port, else a free one: whichever is not taken.
    fn address(&self, name: &str, key: &str, usual: u16) -> Value {
        let earlier = std::fs::read_to_string(self.config_file(name))
            .ok()
            .and_then(|text| {
                toml::from_str::<Table>(&text)
                    .ok()?
                    .get(key)?
                    .as_str()?
                    .parse::<SocketAddr>()
                    .ok()
            });
        let free = |address: &SocketAddr| TcpListener::bind(address).is_ok();
        text(
            earlier
                .into_iter()
                .chain([local(usual)])
                .find(free)
                .unwrap_or_else(any_free),
        )
    }

    fn edit<const N: usize>(&self, name: &str, changes: [(&str, Option<Value>); N]) -> anyhow::Result<()> {
        let path = self.config_file(name);
        let mut table: Table = toml::from_str(&std::fs::read_to_string(&path)?)?;
        table.extend(
            changes
                .into_iter()
                .filter_map(|(key, value)| Some((key.to_owned(), value?))),
        );
        write_whole(&path, toml::to_string(&table)?.as_bytes())
    }

    fn config_file(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.toml"))
    }
}

/// Where a network's development TEE is, below its directory.
const TEE_DIR: &str = "development-tee";

/// The file's name in a network's directory that holds what runs.
const READY_FILE: &str = "ready.json";

/// Where `cocoon up` without `--dir` leaves the ready file.
pub(crate) fn default_ready_file() -> Option<PathBuf> {
    default_dir().ok().map(|dir| dir.join(READY_FILE))
}

fn default_dir() -> anyhow::Result<PathBuf> {
    let home =
        |variable: &str, below: &str| std::env::var_os(variable).map(|dir| PathBuf::from(dir).join(below));
    home("XDG_STATE_HOME", "cocoon/up")
        .or_else(|| home("HOME", ".local/state/cocoon/up"))
        .ok_or_else(|| {
            Hinted::usage(
                "there is no home directory to keep the network's state in",
                "give one with --dir DIR",
            )
        })
}

/// Writes a file so that a reader sees the old or the new content, never a part.
pub(super) fn write_whole(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".part");
    let written = std::fs::write(&partial, content).and_then(|()| std::fs::rename(&partial, path));
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// An address that nobody listens on now: others have to know it before whoever listens there has started.
fn any_free() -> SocketAddr {
    let bound = TcpListener::bind(local(0)).and_then(|listener| listener.local_addr());
    bound.unwrap_or_else(|_| local(0))
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn text(value: impl ToString) -> Value {
    Value::String(value.to_string())
}
