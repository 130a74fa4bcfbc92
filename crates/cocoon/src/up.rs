//! `cocoon up`: a whole network on this machine as one process tree, each role a process of its own as in production.
//!
//! Plans what runs ([`plan`]), keeps each process alive ([`process`]), says what there is ([`report`]) and stops all in
//! order: gateway first, so that no caller meets a half-stopped network, then workers, then the proxy, then the ledger.
//! Unless payments are not wanted ([`money`]), a ledger starts before all others.

mod model_file;
mod money;
mod plan;
mod process;
mod report;

pub(crate) use plan::default_ready_file;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use tokio::sync::Notify;

use self::money::{Money, Wishes};
use self::plan::{Engine, Home};
use self::process::Supervised;
use crate::cli::Common;
use crate::exit::Hinted;
use crate::role::Announcement;
use crate::text::{say, seconds};
use crate::{api, shutdown};

/// Start a whole network on this machine.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  cocoon up                                   built-in engine, default model, API on 127.0.0.1:10000
  cocoon up --workers 2                       two workers share the load
  cocoon up --engine http://127.0.0.1:8000    workers serve your vLLM (tier `open`)
  cocoon up --engine auto                     workers look for vLLM, SGLang, llama.cpp, Ollama, LM Studio
  cocoon up --price 5 --settle 60             workers ask a quarter of the usual price, the proxy settles each minute
  cocoon up --no-money                        the same network without payments
  cocoon up --ready-file ready.json           for scripts: written once requests can be served")]
pub(crate) struct UpArgs {
    /// How many workers.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: u16,
    /// An OpenAI-compatible server that the workers serve, or `auto` to look on the usual local ports; without it the
    /// built-in engine runs in each worker.
    #[arg(long, value_name = "URL")]
    engine: Option<String>,
    /// The model: a name of the catalogue or a GGUF file; with --engine, the engine's name for it.
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Where this network keeps its state; an existing one is resumed.
    #[arg(long, value_name = "DIR", env = "COCOON_UP_DIR")]
    dir: Option<PathBuf>,
    /// The gateway's port; without it 10000, or a free one when that is taken.
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Write `{"api", "ledger", "root", "wallets", "roles"}` as JSON to this file once requests can be served.
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,
    /// Print that JSON on stdout instead of a table.
    #[arg(long)]
    json: bool,
    /// No ledger, no wallets, no payments.
    #[arg(long, conflicts_with_all = ["price", "settle"])]
    no_money: bool,
    /// What the workers ask for an adjusted token (one of a prompt; one of an answer is 8), in nanoTON; without it the
    /// network's 20. It sets the workers' coefficient, so it may change from start to start; the network's own price is
    /// part of every contract's address and stays.
    #[arg(long, value_name = "NANOTON")]
    price: Option<money::Price>,
    /// When the proxy brings its accounts to the chain: after `each` request, when a `threshold` is reached, every so many
    /// seconds, or only when it is asked to (`manual`); without it the proxy's default.
    #[arg(long, value_name = "WHEN")]
    settle: Option<money::Settle>,
    /// Stop when stdin ends: for a parent process that must not leave this one behind.
    #[arg(long)]
    exit_with_stdin: bool,
    /// How long the build took before, in seconds: `./cocoon up` says it, so that all times stand together.
    #[arg(long, hide = true, env = "COCOON_BUILD_SECONDS")]
    build_seconds: Option<u64>,
}

/// From the start of the gateway to its first model: a cold large model needs minutes.
const READY_DEADLINE: Duration = Duration::from_secs(600);

pub(crate) async fn run(args: UpArgs, common: Common) -> anyhow::Result<ExitCode> {
    let home = Home::open(args.dir.clone(), common)?;
    let model_started = Instant::now();
    let engine = tokio::select! {
        engine = Engine::choose(args.engine.as_deref(), args.model.as_deref()) => engine?,
        _ = shutdown::asked(args.exit_with_stdin) => return Ok(ExitCode::from(crate::exit::FAILED)),
    };
    let model_time = model_started.elapsed();

    let start = Instant::now();
    let mut network = Network::default();
    let outcome = tokio::select! {
        outcome = serve(&args, &home, &engine, &mut network, model_time, start) => outcome,
        _ = shutdown::asked(args.exit_with_stdin) => {
            say!("\nstopping (again Ctrl-C: at once)");
            Ok(())
        }
    };
    report::forget(&home, args.ready_file.as_deref());
    tokio::select! {
        () = network.stop() => {}
        // Dropping what is left kills each child at once.
        () = shutdown::interrupted() => say!("killed"),
    }
    drop(network);
    outcome?;
    say!("all stopped");
    Ok(ExitCode::SUCCESS)
}

/// Brings everything up, reports, and then watches until something cannot be kept alive.
async fn serve(
    args: &UpArgs,
    home: &Home,
    engine: &Engine,
    network: &mut Network,
    model_time: Duration,
    start: Instant,
) -> anyhow::Result<()> {
    let money = match args.wishes() {
        Some(wishes) => Some(network.pay(args, home, engine, &wishes).await?),
        None => None,
    };
    let money = money.as_ref();
    let proxy = home.proxy(money)?;
    if let Some(money) = money {
        // Before any role reads the registry: who has read an older version is refused by who has read a newer one.
        let (workers, clients) = home.proxy_addresses()?;
        money.register(workers, clients).await?;
    }
    let proxy = network.start("proxy", proxy);
    let proxy = network.announced(proxy).await?;
    let clients = proxy
        .clients
        .context("the proxy announced no listener for clients")?;
    let workers = proxy
        .workers
        .context("the proxy announced no listener for workers")?;
    home.pin_proxy(&proxy)?;

    for index in 1..=args.workers {
        network.start(
            format!("worker-{index}"),
            home.worker(index, workers, engine, money)?,
        );
    }
    let gateway = network.start("gateway", home.client(clients, engine, args.port, money)?);
    let gateway = network.announced(gateway).await?;
    home.pin_client(&gateway)?;

    let api = format!("{}/v1", gateway.url);
    let model = tokio::select! {
        model = api::wait_for_model(&api, engine.model_name(), READY_DEADLINE) => model.map_err(|error| Hinted::failed(
            format!("no model became ready: {error}"),
            "the log lines above say why; `cocoon doctor` looks for what is missing",
        ))?,
        error = network.first_failure() => return Err(error),
    };
    for index in 0..network.processes.len() {
        network.announced(index).await?;
    }
    let ready = network.ready(&api, money);
    ready.write(home, args.ready_file.as_deref())?;
    if args.json {
        ready.print_json()?;
    } else {
        let build = args
            .build_seconds
            .map(|build| format!("build {build} s, "))
            .unwrap_or_default();
        let times = format!(
            "{build}model file {}, start {}",
            seconds(model_time),
            seconds(start.elapsed())
        );
        ready.print_table(&model, engine, &times).await;
    }
    loop {
        tokio::select! {
            error = network.first_failure() => return Err(error),
            () = network.changes.notified() => network.ready(&api, money).write(home, args.ready_file.as_deref())?,
        }
    }
}

/// The processes, in the order in which they were started.
#[derive(Debug, Default)]
struct Network {
    processes: Vec<Supervised>,
    changes: Arc<Notify>,
}

// === impl Network ===

impl Network {
    /// Starts a process and gives its index.
    fn start(&mut self, name: impl Into<String>, recipe: process::Recipe) -> usize {
        self.processes
            .push(Supervised::start(name, recipe, self.changes.clone()));
        self.processes.len() - 1
    }

    /// Starts the ledger and makes wallets and registry.
    async fn pay(
        &mut self,
        args: &UpArgs,
        home: &Home,
        engine: &Engine,
        wishes: &Wishes,
    ) -> anyhow::Result<Money> {
        let ledger = self.start("ledger", home.ledger()?);
        let ledger = self.announced(ledger).await?;
        home.pin_ledger(&ledger)?;
        Money::prepare(home.dir(), &ledger.url, args.workers, engine.whole_name(), wishes).await
    }

    /// What the process at this index announced, once it has.
    async fn announced(&self, index: usize) -> anyhow::Result<Arc<Announcement>> {
        self.processes
            .get(index)
            .context("no such process")?
            .announced()
            .await
    }

    /// Resolves when some process cannot be kept alive.
    async fn first_failure(&self) -> anyhow::Error {
        let failures = self.processes.iter().map(|process| Box::pin(process.hopeless()));
        futures_util::future::select_all(failures).await.0
    }

    /// Stops the gateway, then the workers together, then the proxy, and the ledger last: a proxy that stops may settle.
    async fn stop(&mut self) {
        let (ledger, rest): (Vec<_>, Vec<_>) = self
            .processes
            .drain(..)
            .partition(|process| process.name() == "ledger");
        let (proxy, rest): (Vec<_>, Vec<_>) = rest.into_iter().partition(|process| process.name() == "proxy");
        let (gateway, workers): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|process| process.name() == "gateway");
        for mut group in [gateway, workers, proxy, ledger] {
            futures_util::future::join_all(group.iter_mut().map(Supervised::stop)).await;
        }
    }
}

// === impl UpArgs ===

impl UpArgs {
    /// What is wished for of a network with payments; `None` for one without.
    fn wishes(&self) -> Option<Wishes> {
        (!self.no_money).then_some(Wishes {
            price: self.price,
            settle: self.settle,
        })
    }
}
