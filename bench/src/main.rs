//! Measures what a network costs beside the engine that it hands requests to (docs/benchmarks.md).
//!
//! ```sh
//! cargo build --release -p cocoon -p cocoon-bench && target/release/cocoon-bench
//! ```
//! It starts a canned engine and `cocoon up` before it, as processes of their own, and alternates between load on the engine
//! and load through the network, so that a machine's moods hit both. Every answer is checked to its last part.

mod cell;
mod cpu;
mod engine;
mod load;
mod micro;
mod network;
mod report;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::{cell::Cell, network::Peer, report::Report};

/// Measure a network beside its engine
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  cocoon-bench                                          every cell, about four minutes
  cocoon-bench --kind json --at-once 32                 one cell
  cocoon-bench --engine-port 18400 --against other=http://127.0.0.1:8080/v1
                                                        any gateway before the same engine, beside ours")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Part>,
    /// The program to measure [default: `cocoon` beside this one]
    #[arg(long, value_name = "FILE")]
    cocoon: Option<PathBuf>,
    /// Only answers of this kind
    #[arg(long, value_name = "KIND")]
    kind: Vec<cell::Kind>,
    /// Only with so many requests at once
    #[arg(long, value_name = "N")]
    at_once: Vec<usize>,
    /// How long each run takes; paced ones take three times as long
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    seconds: f64,
    /// Runs of each cell
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: usize,
    /// Parts of a streamed answer
    #[arg(long, value_name = "N", default_value_t = 50)]
    parts: usize,
    /// Without a ledger and accounts
    #[arg(long)]
    no_money: bool,
    /// Where the engine listens; 0 takes a free port
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    engine_port: u16,
    /// Another gateway before the same engine, measured beside ours; its processes by pid after an `@`
    #[arg(long, value_name = "NAME=URL[@PID,...]")]
    against: Vec<Peer>,
    /// Where the figures go
    #[arg(long, value_name = "FILE", default_value = "target/bench/report.json")]
    report: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// The engine alone: canned answers
    Engine {
        /// Port on loopback; 0 takes a free one
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
    /// The inner loops alone, in nanoseconds
    Micro,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    match arguments.command {
        None => return measure(arguments).await,
        Some(Part::Engine { port }) => engine::run(port).await?,
        Some(Part::Micro) => report::say(&micro::table()?),
    }
    Ok(ExitCode::SUCCESS)
}

async fn measure(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let own = std::env::current_exe()?;
    let cocoon = match arguments.cocoon {
        Some(cocoon) => cocoon,
        None => own.with_file_name("cocoon"),
    };
    anyhow::ensure!(
        cocoon.exists(),
        "{} is not there (hint: cargo build --release -p cocoon)",
        cocoon.display()
    );
    let engine = network::Engine::start(&own, arguments.engine_port).await?;
    let network = network::Network::start(&cocoon, engine.url(), arguments.no_money).await?;
    let mut peers = vec![network.peer()];
    peers.extend(arguments.against);
    let cells = Cell::all(&arguments.kind, &arguments.at_once, arguments.parts);
    let mut report = Report::new(arguments.no_money, arguments.parts);
    let length = Duration::from_secs_f64(arguments.seconds);
    for cell in cells {
        let measured = cell.measure(engine.url(), &peers, length, arguments.rounds).await;
        report.add(measured.with_context(|| cell.to_string())?);
    }
    network.stop().await?;
    engine.stop().await;
    report.write(&arguments.report)?;
    report::say(&format!("{report}\n{}", arguments.report.display()));
    Ok(if report.is_whole() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
