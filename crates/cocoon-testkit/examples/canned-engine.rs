//! The canned engine as a process of its own: for soak tests, and in the place of the built-in engine, whose command
//! line it understands. Prints the ready line, then serves until a signal, or until its standard input ends if asked to.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use cocoon_testkit::canned::{CannedEngine, CannedFault, CannedOptions, ready_line};

#[derive(Parser)]
struct Arguments {
    /// Port on loopback; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Address and port, instead of --port
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// Name of the model (or a file, when --alias names it)
    #[arg(long, default_value = "canned")]
    model: String,
    /// Name of the model
    #[arg(long)]
    alias: Option<String>,
    /// Parts of an answer
    #[arg(long, default_value_t = 8)]
    parts: u32,
    /// Milliseconds before each part
    #[arg(long, default_value_t = 0)]
    pace_ms: u64,
    /// slow[:MS], cut, garbage, STATUS, hang, hang-mid, wrong-usage, no-usage, huge-line, error-event or no-done
    #[arg(long)]
    fault: Option<CannedFault>,
    /// The fault hits each request whose number is divisible by this
    #[arg(long, default_value_t = 1)]
    fault_every: u64,
    /// Key to ask for
    #[arg(long)]
    key: Option<String>,
    /// Model tokens of prompt and answer together
    #[arg(long, default_value_t = 4096)]
    context: u32,
    /// Ignored
    #[arg(long)]
    threads: Option<u16>,
    /// Ignored
    #[arg(long)]
    parallel: Option<u16>,
    /// End when the standard input ends
    #[arg(long)]
    exit_with_stdin: bool,
}

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let done = runtime.block_on(run(Arguments::parse()));
    // A read of the standard input may still be waiting; it must not hold up the end.
    runtime.shutdown_background();
    done
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let engine = CannedEngine::start(CannedOptions {
        listen: arguments
            .listen
            .unwrap_or(SocketAddr::from(([127, 0, 0, 1], arguments.port))),
        model: arguments.alias.unwrap_or(arguments.model),
        parts: arguments.parts,
        pace: Duration::from_millis(arguments.pace_ms),
        fault: arguments.fault,
        fault_every: arguments.fault_every,
        key: arguments.key,
        context_length: arguments.context,
        remember: 64,
        ..CannedOptions::default()
    })
    .await?;
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&ready_line(&engine))?;
    stdout.flush()?;
    drop(stdout);
    let stdin_ends = async {
        if !arguments.exit_with_stdin {
            std::future::pending::<()>().await;
        }
        let read = || std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = tokio::task::spawn_blocking(read).await;
    };
    tokio::select! {
        () = stdin_ends => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    engine.kill().await;
    Ok(())
}
