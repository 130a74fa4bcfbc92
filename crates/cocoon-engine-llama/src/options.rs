//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::ensure;
use clap::Parser;
use cocoon_types::ModelName;

/// The built-in engine: one model file behind an OpenAI-compatible server on loopback.
///
/// The first line on stdout is JSON, `{"listening": ADDRESS, "model": NAME, "context_length": TOKENS}`, once requests can
/// be served. Logs go to stderr and never hold prompts or answers.
#[derive(Debug, Parser)]
#[command(name = "cocoon-engine", version)]
pub(crate) struct Options {
    /// Model file (GGUF)
    #[arg(long, value_name = "FILE")]
    pub(crate) model: PathBuf,
    /// Loopback address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// Name under which requests ask for the model
    #[arg(long, value_name = "NAME")]
    pub(crate) alias: ModelName,
    /// Threads that compute; more than free cores makes it slower, not faster
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=512))]
    pub(crate) threads: i32,
    /// Answers computed at the same time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) parallel: u32,
    /// Tokens of prompt and answer together, for each of the parallel answers; memory is taken for all of them at once
    #[arg(long, value_name = "TOKENS", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(256..=1_048_576))]
    pub(crate) context: u32,
    /// Layers to put on the GPU, where there is one [default: as many as fit]
    #[arg(long, value_name = "N")]
    pub(crate) gpu_layers: Option<u32>,
    /// End when stdin does: so the engine never outlives the worker that started it
    #[arg(long)]
    pub(crate) exit_with_stdin: bool,
}

// === impl Options ===

impl Options {
    /// Checks what clap cannot.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        // There are no keys here: the gateway has them.
        ensure!(
            self.listen.ip().is_loopback(),
            "the engine listens on loopback only, not on {} (hint: the gateway is what others talk to)",
            self.listen
        );
        Ok(())
    }
}
