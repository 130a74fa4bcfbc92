use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use cocoon_tee::machine::{Machine, MachineError, MachineOptions, Provider};
use serde_json::json;

use crate::exit::Hinted;
use crate::text::{data, say};

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Write the quote or report to this file too
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// The 64 bytes that the evidence is to be about, as 128 hexadecimal digits; zeros without it
    #[arg(long, value_name = "HEX")]
    report_data: Option<String>,
    /// Print JSON on stdout
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: ShowArgs) -> anyhow::Result<ExitCode> {
    let mut report_data = [0; 64];
    if let Some(digits) = &args.report_data {
        hex::decode_to_slice(digits, &mut report_data).map_err(|_| {
            Hinted::usage(
                "--report-data: not 128 hexadecimal digits",
                "leave it out for zeros",
            )
        })?;
    }
    // The kernel may wait seconds for the host's quoting service.
    let asked =
        tokio::task::spawn_blocking(move || Machine::new(MachineOptions::default())?.report(&report_data));
    let report = asked.await?.map_err(|error: MachineError| {
        let hint = error.hint();
        Hinted::failed(error.to_string(), hint)
    })?;
    let kind = match report.provider {
        Provider::Tdx => "Intel TDX quote",
        Provider::SevSnp => "AMD SEV-SNP report",
    };
    if let Some(path) = &args.save {
        std::fs::write(path, &report.report)?;
        say!("saved to {}", path.display());
    }
    if args.json {
        data!(
            "{}",
            json!({"kind": kind, "bytes": report.report.len(), "evidence": hex::encode(&report.report)})
        );
    } else {
        data!("  {kind}, {} bytes", report.report.len());
        say!("hint: cocoon attest verify FILE says what it proves, once it is saved with --save FILE");
    }
    Ok(ExitCode::SUCCESS)
}
