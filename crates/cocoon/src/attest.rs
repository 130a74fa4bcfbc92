//! `cocoon attest`: evidence, looked at by a person. Nothing here decides what a node accepts; that is its policy.

mod show;
mod verify;

use std::process::ExitCode;

use clap::{Args, Subcommand};

/// Look at evidence: this machine's, or somebody's in a file
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cocoon attest show                                        what this machine can prove
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
    /// Verify a TDX quote or an SEV-SNP report offline; exit code 0 when it is genuine and every policy given holds
    Verify(verify::VerifyArgs),
}

pub(crate) async fn run(args: AttestArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        AttestCommand::Show(args) => show::run(args).await,
        AttestCommand::Verify(args) => verify::run(&args),
    }
}
