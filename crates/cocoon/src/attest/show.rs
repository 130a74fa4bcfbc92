use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use cocoon_attest::tdx::Collateral;
use cocoon_attest::{OwnedEndorsements, Roots};
use cocoon_tee::collateral::{CollateralOptions, CollateralService, INTEL_PCS};
use cocoon_tee::machine::{Machine, MachineError, MachineOptions, MachineReport, Provider};
use cocoon_web::clock::unix_now;
use serde_json::json;

use super::bundle::{Base64, Bundle, MAX_BUNDLE};
use super::read_file;
use crate::exit::Hinted;
use crate::text::{data, say};

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Write the quote or report to this file too
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Write it to this file as a bundle, with its collateral if that is given or fetched
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// For a bundle with a TDX quote: Intel's collateral, as JSON in the form of dcap-qvl's samples
    #[arg(
        long,
        value_name = "FILE",
        requires = "bundle",
        conflicts_with = "collateral_from"
    )]
    collateral: Option<PathBuf>,
    /// For a bundle with a TDX quote: fetch the collateral from Intel's service, or from the cache server (PCCS) at this address
    #[arg(long, value_name = "URL", requires = "bundle", num_args = 0..=1, default_missing_value = INTEL_PCS)]
    collateral_from: Option<String>,
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
    if let Some(path) = &args.bundle {
        let endorsements = endorsements(&args, &report).await?;
        let compact = endorsements.map(|one| one.to_compact()).transpose();
        Bundle {
            quote: Base64(report.report.clone()),
            endorsements: Base64(
                compact
                    .context("the collateral cannot be packed")?
                    .unwrap_or_default(),
            ),
            ..Bundle::new()
        }
        .write(path)?;
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

/// What the maker vouches for it, if somebody said where that is.
async fn endorsements(args: &ShowArgs, report: &MachineReport) -> anyhow::Result<Option<OwnedEndorsements>> {
    if report.provider == Provider::SevSnp && (args.collateral.is_some() || args.collateral_from.is_some()) {
        return Err(Hinted::usage(
            "this machine gives SEV-SNP reports, which have certificates instead of collateral",
            "leave --collateral and --collateral-from out; give the certificates to `cocoon attest verify`",
        ));
    }
    if let Some(path) = &args.collateral {
        let collateral = Collateral::from_json(&read_file(path, MAX_BUNDLE)?)
            .with_context(|| format!("{} is no collateral", path.display()))?;
        return Ok(Some(OwnedEndorsements::Tdx(collateral)));
    }
    let Some(url) = &args.collateral_from else {
        return Ok(None);
    };
    let options = CollateralOptions {
        url: url.clone(),
        ..CollateralOptions::intel(None)
    };
    let service = CollateralService::new(options, Roots::makers().intel(), unix_now);
    let fetched = async { service?.of(&report.report).await };
    let collateral = fetched.await.map_err(|error| {
        let hint = error.hint();
        Hinted::failed(cocoon_types::error_line(&error), hint)
    })?;
    Ok(Some(OwnedEndorsements::Tdx((*collateral).clone())))
}
