//! `cocoon-engine`: llama.cpp behind an OpenAI-compatible server on loopback, in a process of its own.
//!
//! A process of its own because the binding's safety is not proven: what breaks here breaks no worker. The worker starts,
//! watches and restarts it (`cocoon-engine`, the crate). It holds no keys, speaks no TON, checks no prices and never logs a
//! prompt or an answer. Nobody links against it. Spec: issue 2, build 5; answers are OpenAI's, read by the same clients.
//!
//! A request: `server` takes it, `api` parses it, `template` renders it, `model` tokenizes it, `engine` computes it.
#![forbid(unsafe_code)]

mod api;
mod constraint;
mod engine;
mod model;
mod options;
mod server;
mod template;

use std::{io::Write as _, process::ExitCode, sync::Arc, thread};

use anyhow::Context as _;
use clap::Parser as _;
use serde_json::json;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};
use tokio_util::sync::CancellationToken;

use crate::{
    engine::{Handle, LlamaRunner},
    model::Model,
    options::Options,
    server::Server,
};

/// Stack of the threads that render, compile and tokenize: some tokenizers of llama.cpp recurse once per character of a
/// long word (`std::regex`). Address space only; what is not used is not taken.
const STACK: usize = 256 * 1024 * 1024;
/// Threads that render, compile and tokenize at the same time; `server` admits fewer.
const BLOCKING_THREADS: usize = 4;

fn main() -> ExitCode {
    let options = Options::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("COCOON_LOG")
                .unwrap_or_else(|_| "warn,cocoon_engine=info".into()),
        )
        .init();
    if let Err(error) = options.check() {
        tracing::error!("{error:#}");
        return ExitCode::from(2);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // The model's thread is the one that needs the processor.
        .worker_threads(1)
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_stack_size(STACK)
        .enable_all()
        .build();
    let ended = runtime
        .context("cannot start the runtime")
        .and_then(|runtime| runtime.block_on(run(options)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    let ended = ended(options.exit_with_stdin)?;
    tokio::pin!(ended);
    let listener = TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("cannot listen on {}", options.listen))?;
    let address = listener.local_addr()?;
    let alias = options.alias.clone();
    let mut engine = Engine::start(options)?;
    let model = tokio::select! {
        loaded = &mut engine.loaded => loaded.context("the engine's thread ended")??,
        // Loading cannot be interrupted; nothing is lost by leaving it.
        () = &mut ended => return Ok(()),
    };
    announce(&json!({
        "listening": address.to_string(),
        "model": alias.as_str(),
        "context_length": model.context_length(),
    }))?;
    let server = Server::new(
        model,
        &alias,
        engine.handle.clone(),
        cocoon_web::clock::unix_now,
        address,
    )?;
    let serving = cocoon_web::serve(
        server::router(server),
        listener,
        server::serve_options(),
        shutdown.clone(),
    );
    let broken = tokio::select! {
        () = serving => false,
        () = &mut ended => false,
        // Its panic message is on stderr; the supervisor starts a new process.
        _ = &mut engine.done => true,
    };
    shutdown.cancel();
    anyhow::ensure!(!broken, "the engine's thread ended");
    engine.handle.stop();
    drop(engine.handle);
    // C++ must not compute while the process takes its statics down.
    let _ = engine.done.await;
    Ok(())
}

/// The thread that owns the model.
struct Engine {
    handle: Handle,
    loaded: oneshot::Receiver<anyhow::Result<Arc<Model>>>,
    /// Resolves when the thread has given back everything of llama.cpp.
    done: oneshot::Receiver<()>,
}

impl Engine {
    fn start(options: Options) -> anyhow::Result<Self> {
        let slots = usize::try_from(options.parallel)?;
        let (handle, inbox) = engine::line(slots);
        let (report, loaded) = oneshot::channel();
        let (guard, done) = oneshot::channel::<()>();
        thread::Builder::new().name("engine".into()).spawn(move || {
            // Dropped last, also by a panic.
            let _guard = guard;
            let loaded =
                Model::load(&options.model, options.context as usize, options.gpu_layers).map(Arc::new);
            let model = match loaded {
                Ok(model) => model,
                Err(error) => return drop(report.send(Err(error))),
            };
            match LlamaRunner::new(&model, options.parallel, options.threads) {
                Ok(runner) => {
                    drop(report.send(Ok(Arc::clone(&model))));
                    engine::run(runner, slots, &inbox);
                }
                Err(error) => drop(report.send(Err(error))),
            }
        })?;
        Ok(Self { handle, loaded, done })
    }
}

/// Resolves when this process should end: SIGTERM, Ctrl-C, or the end of stdin. With a parent that holds stdin, Ctrl-C
/// (which a terminal sends to both) is the parent's to act on: it lets answers end first.
fn ended(with_stdin: bool) -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (closed, mut stdin) = oneshot::channel::<()>();
    if with_stdin {
        // Not tokio's stdin: its read would hold up the end of the runtime.
        thread::Builder::new().name("stdin".into()).spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            let _ = closed.send(());
        })?;
    } else {
        // Never resolves, never fails.
        std::mem::forget(closed);
    }
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = interrupt.recv() => if !with_stdin { return },
                _ = &mut stdin => return,
            }
        }
    })
}

/// The one line on stdout. A parent that does not read it any more is gone, so a failure ends the process.
fn announce(line: &serde_json::Value) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush().context("nobody reads stdout")
}
