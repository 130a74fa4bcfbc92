//! `cocoon network`: a network's registry on the chain: deploy it, show it, change what it allows.
//!
//! The registry is the root contract. Its address is what nodes pin; its owner is whoever deployed it.

mod change;
mod deploy;
mod offers;
mod show;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use cocoon_chain::Status;
use cocoon_contracts::RootConfig;
use cocoon_types::Address;
use tokio::time::Instant;

pub(crate) use change::apply;
pub(crate) use deploy::{Images, Terms, deploy};

use crate::chain::{ChainArgs, Opened};
use crate::exit::Hinted;
use crate::running::Running;
use crate::wallet::FileArgs;

/// A network's registry: deploy it, show it, change what it allows
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cocoon network deploy                          a test network owned by this wallet; prints its root address
  cocoon network show --root EQ…                 proxies, prices, allowed images and models
  cocoon network register-proxy --workers 203.0.113.5:11001 --clients 203.0.113.5:11002
  cocoon network allow-image 5f…e1 --of worker
  cocoon network allow-model qwen3-4b")]
pub(crate) struct NetworkArgs {
    #[command(subcommand)]
    command: NetworkCommand,
    #[command(flatten)]
    wallet: FileArgs,
    #[command(flatten)]
    chain: ChainArgs,
    /// The root contract; without it that of the running `cocoon up`
    #[arg(long, value_name = "ADDRESS", env = "COCOON_ROOT", global = true)]
    root: Option<Address>,
    /// Print JSON on stdout; amounts are nanoTON as text
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum NetworkCommand {
    /// Deploy a root contract, owned by this wallet; the same parameters again give the same network
    Deploy(deploy::DeployArgs),
    /// Show the registry
    Show,
    /// What your gateway was offered, by epoch: compare with another client
    Offers(offers::OffersArgs),
    /// Allow an image of proxies or workers
    AllowImage(change::ImageArgs),
    /// No longer allow an image
    RemoveImage(change::ImageArgs),
    /// Allow a model
    AllowModel(change::ModelArgs),
    /// No longer allow a model
    RemoveModel(change::ModelArgs),
    /// List a proxy, so that clients and workers find it
    RegisterProxy(change::ProxyArgs),
    /// No longer list a proxy
    RemoveProxy(change::SeqnoArgs),
}

/// For the registry to show what was sent.
const VISIBLE_DEADLINE: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

pub(crate) async fn run(args: NetworkArgs) -> anyhow::Result<ExitCode> {
    let root = || {
        let running = || Running::find()?.root;
        args.root.or_else(running).ok_or_else(|| {
            Hinted::usage(
                "which network? No network with a root contract runs here",
                "name one with --root ADDRESS, or start one with `cocoon up`",
            )
        })
    };
    let json = args.json;
    if let NetworkCommand::Offers(offers) = &args.command {
        // No chain is asked for these.
        return offers::run(offers, json).await;
    }
    let on = args.chain.open()?;
    let (root, change) = match args.command {
        NetworkCommand::Deploy(deploy) => return deploy::run(deploy, &args.wallet, &on, json).await,
        NetworkCommand::Offers(offers) => return offers::run(&offers, json).await,
        NetworkCommand::Show => {
            let root = root()?;
            show::print(root, &read(&on, root).await?, json);
            return Ok(ExitCode::SUCCESS);
        }
        NetworkCommand::AllowImage(image) => (root()?, image.change(true)),
        NetworkCommand::RemoveImage(image) => (root()?, image.change(false)),
        NetworkCommand::AllowModel(model) => (root()?, model.change(true)?),
        NetworkCommand::RemoveModel(model) => (root()?, model.change(false)?),
        NetworkCommand::RegisterProxy(proxy) => (root()?, proxy.change()),
        NetworkCommand::RemoveProxy(proxy) => (root()?, proxy.change()),
    };
    change::run(change, root, &args.wallet, &on, json).await
}

/// What the registry says now.
pub(crate) async fn read(on: &Opened, root: Address) -> anyhow::Result<RootConfig> {
    let account = on.account(root).await?;
    let (Status::Active, Some(data)) = (account.status, &account.data) else {
        return Err(Hinted::failed(
            format!("there is no root contract at {root} on {}", on.url),
            "check --root and --chain; `cocoon network deploy` makes a network",
        ));
    };
    RootConfig::parse(data).with_context(|| format!("the account {root} is not a root contract"))
}

/// Waits until the registry is as wanted.
async fn await_config(
    on: &Opened,
    root: Address,
    wanted: impl Fn(&RootConfig) -> bool,
) -> anyhow::Result<RootConfig> {
    let (start, mut pause) = (Instant::now(), FIRST_PAUSE);
    loop {
        let seen = read(on, root).await;
        match seen {
            Ok(config) if wanted(&config) => return Ok(config),
            other if start.elapsed() > VISIBLE_DEADLINE => {
                other?;
                return Err(Hinted::failed(
                    format!(
                        "the registry has not changed within {} s",
                        VISIBLE_DEADLINE.as_secs()
                    ),
                    "`cocoon wallet history` shows whether the message came back; `cocoon network show` the registry",
                ));
            }
            _ => {}
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests;
