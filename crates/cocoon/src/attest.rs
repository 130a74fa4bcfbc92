//! `cocoon attest`: evidence, looked at by a person. Nothing here decides what a node accepts; that is its policy.

mod bundle;
mod show;
pub(crate) mod verify;

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use crate::exit::Hinted;

/// Look at evidence: this machine's, a proxy's, or somebody's in a file
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cocoon attest show                                        what this machine can prove
  cocoon attest verify proxy.example:11002 --policy policy.toml
  cocoon attest verify quote.bin --collateral collateral.json
  cocoon attest verify quote.bin --collateral collateral.json --at 2025-06-20T00:00:00Z --platform server --image HASH
  cocoon attest verify report.bin --certificate vcek.der --certificate ask.der --revocation-list genoa.crl")]
pub(crate) struct AttestArgs {
    #[command(subcommand)]
    command: AttestCommand,
}

#[derive(Debug, Subcommand)]
enum AttestCommand {
    /// Ask this machine's TEE for evidence, and say what it is
    Show(show::ShowArgs),
    /// Verify evidence in a file, or what a proxy presents; exit code 0 when it is genuine and every policy given holds
    Verify(Box<verify::VerifyArgs>),
}

pub(crate) async fn run(args: AttestArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        AttestCommand::Show(args) => show::run(args).await,
        AttestCommand::Verify(args) => verify::run(&args).await,
    }
}

/// A whole file of at most so many bytes.
pub(crate) fn read_file(path: &Path, limit: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.len() as u64 > limit {
        return Err(Hinted::usage(
            format!("{} is larger than anything of its kind", path.display()),
            format!("at most {limit} bytes are read"),
        ));
    }
    Ok(bytes)
}
