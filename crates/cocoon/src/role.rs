//! Runs one role until it is told to stop. The roles themselves are libraries; this is the thin common shell.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::exit::Hinted;
use crate::text::data;
use crate::{config, shutdown};

/// What every role takes, beside its own options. Flags win over environment, environment over the file.
#[derive(Clone, Debug, Args)]
pub(crate) struct RoleArgs<O: Args> {
    /// TOML file with this role's options; unknown keys are refused.
    #[arg(long, value_name = "FILE", env = "COCOON_CONFIG")]
    config: Option<PathBuf>,
    /// Print one line of JSON with the bound addresses on stdout, once this role serves.
    #[arg(long)]
    announce: bool,
    /// Stop when stdin ends: for a parent process that must not leave this one behind.
    #[arg(long)]
    exit_with_stdin: bool,
    #[command(flatten)]
    options: O,
}

/// The line that `--announce` prints.
#[derive(Debug, Serialize, serde::Deserialize)]
pub(crate) struct Announcement {
    pub(crate) role: String,
    pub(crate) pid: u32,
    /// Where this role answers HTTP: the API of the gateway, `/health` and `/metrics` of the others.
    pub(crate) url: String,
    /// The proxy's listener for clients.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) clients: Option<SocketAddr>,
    /// The proxy's listener for workers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) workers: Option<SocketAddr>,
}

/// A role as the shell sees it.
pub(crate) trait Role: Sized {
    const NAME: &'static str;
    type Options: Args + Clone + Debug + Default + DeserializeOwned;
    async fn start(options: Self::Options, file: Self::Options) -> anyhow::Result<Self>;
    fn announcement(&self) -> Announcement;
    async fn serve(self, shutdown: CancellationToken) -> anyhow::Result<()>;
}

pub(crate) struct Client(cocoon_client::App);
pub(crate) struct Proxy(cocoon_proxy::App);
pub(crate) struct Worker(cocoon_worker::App);

/// Starts a role from flags and file, and serves until a signal.
pub(crate) async fn run<R: Role>(args: RoleArgs<R::Options>) -> anyhow::Result<ExitCode> {
    let file = config::load::<R::Options>(args.config.as_deref())?;
    let role = R::start(args.options, file).await?;
    let announcement = role.announcement();
    tracing::info!(role = R::NAME, url = %announcement.url, "serving");
    if args.announce {
        data!("{}", serde_json::to_string(&announcement)?);
    }
    let token = CancellationToken::new();
    let (served, ()) = tokio::join!(
        async {
            let served = role.serve(token.clone()).await;
            token.cancel();
            served
        },
        shutdown::watch(token.clone(), args.exit_with_stdin)
    );
    served.with_context(|| format!("the {} ended with an error", R::NAME))?;
    Ok(ExitCode::SUCCESS)
}

fn announcement(role: &str, url: SocketAddr) -> Announcement {
    Announcement {
        role: role.to_owned(),
        pid: std::process::id(),
        url: format!("http://{url}"),
        clients: None,
        workers: None,
    }
}

fn configuration_error(error: impl std::error::Error) -> anyhow::Error {
    Hinted::usage(
        error.to_string(),
        "see --help of this role, or docs/how-to/two-machines.md for whole examples",
    )
}

// === impl Role ===

impl Role for Client {
    const NAME: &'static str = "client";
    type Options = cocoon_client::Options;

    async fn start(options: Self::Options, file: Self::Options) -> anyhow::Result<Self> {
        let config = options.or(file).build().map_err(configuration_error)?;
        Ok(Self(
            cocoon_client::App::start(config)
                .await
                .context("the client gateway could not start")?,
        ))
    }

    fn announcement(&self) -> Announcement {
        announcement(Self::NAME, self.0.api_addr())
    }

    async fn serve(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        Ok(self.0.run(shutdown).await?)
    }
}

impl Role for Proxy {
    const NAME: &'static str = "proxy";
    type Options = cocoon_proxy::Options;

    async fn start(options: Self::Options, file: Self::Options) -> anyhow::Result<Self> {
        let config = options.or(file).build().map_err(configuration_error)?;
        Ok(Self(
            cocoon_proxy::App::start(config)
                .await
                .context("the proxy could not start")?,
        ))
    }

    fn announcement(&self) -> Announcement {
        Announcement {
            clients: Some(self.0.clients_addr()),
            workers: Some(self.0.workers_addr()),
            ..announcement(Self::NAME, self.0.admin_addr())
        }
    }

    async fn serve(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        Ok(self.0.run(shutdown).await?)
    }
}

impl Role for Worker {
    const NAME: &'static str = "worker";
    type Options = cocoon_worker::Options;

    async fn start(options: Self::Options, file: Self::Options) -> anyhow::Result<Self> {
        let config = options.or(file).build().map_err(configuration_error)?;
        Ok(Self(
            cocoon_worker::App::start(config)
                .await
                .context("the worker could not start")?,
        ))
    }

    fn announcement(&self) -> Announcement {
        announcement(Self::NAME, self.0.admin_addr())
    }

    async fn serve(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        Ok(self.0.run(shutdown).await?)
    }
}
