//! The `cocoon` command: every role and every tool in one binary.
//!
//! Parses words, loads configuration, starts what was asked for and turns its outcome into an exit code
//! (STYLE rule 14: 0 done, 1 refused or failed, 2 usage or configuration, 3 internal). Decides nothing that a role decides.
#![forbid(unsafe_code)]

mod account;
mod api;
mod attest;
mod chain;
mod chat;
mod cli;
mod config;
mod doctor;
mod earnings;
mod endpoint;
mod exit;
mod key;
mod ledger;
mod logging;
mod model;
mod network;
mod receipt;
mod role;
mod running;
mod settle;
mod shutdown;
mod text;
mod threads;
mod up;
mod verify;
mod wallet;

use std::process::ExitCode;

use clap::Parser as _;

/// The system's allocator took a fifth of the CPU of a request (docs/benchmarks.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    logging::init(&cli.common.log);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cli.common.threads.number())
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return exit::report(anyhow::Error::new(error).context("could not start the runtime")),
    };
    let outcome = runtime.block_on(async {
        match cli.command {
            cli::Command::Up(args) => up::run(args, cli.common).await,
            cli::Command::Chat(args) => chat::run(args).await,
            cli::Command::Client(args) => role::run::<role::Client>(args).await,
            cli::Command::Proxy(args) => role::run::<role::Proxy>(args).await,
            cli::Command::Worker(args) => role::run::<role::Worker>(args).await,
            cli::Command::Model(args) => model::run(args).await,
            cli::Command::Key(args) => key::run(args).await,
            cli::Command::Account(args) => account::run(args).await,
            cli::Command::Earnings(args) => earnings::run(args).await,
            cli::Command::Settle(args) => settle::run(args).await,
            cli::Command::Wallet(args) => wallet::run(args).await,
            cli::Command::Network(args) => network::run(args).await,
            cli::Command::Ledger(args) => ledger::run(args).await,
            cli::Command::Attest(args) => attest::run(args).await,
            cli::Command::Receipt(args) => receipt::run(args).await,
            cli::Command::Verify(args) => verify::run(&args),
            cli::Command::Doctor(args) => doctor::run(args).await,
        }
    });
    // A blocking read of stdin (chat, --exit-with-stdin) must not hold the process up.
    runtime.shutdown_background();
    outcome.unwrap_or_else(exit::report)
}
