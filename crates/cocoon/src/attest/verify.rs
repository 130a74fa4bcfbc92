//! Verifies evidence from files: no network, and no trust in whoever made the files.

mod report;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use cocoon_attest::Roots;
use cocoon_attest::snp::{self, AMD_ROOTS, SNP_REPORT_BYTES, SnpChain, SnpMeasurements, SnpPolicy};
use cocoon_attest::tdx::{self, Collateral, TdxPolicy};
use cocoon_web::clock::unix_now;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use self::report::Report;
use crate::exit::{FAILED, Hinted};

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// A TDX quote (version 4 or 5) or an SEV-SNP report, as bytes
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// For a TDX quote: Intel's collateral, as JSON in the form of dcap-qvl's samples
    #[arg(long, value_name = "FILE")]
    collateral: Option<PathBuf>,
    /// For an SEV-SNP report, in DER: the VCEK or VLEK first, then the ASK or ASVK
    #[arg(long, value_name = "FILE")]
    certificate: Vec<PathBuf>,
    /// For an SEV-SNP report, in DER: the revocation list of AMD's root
    #[arg(long, value_name = "FILE")]
    revocation_list: Vec<PathBuf>,
    /// Verify as of this moment: RFC 3339, or Unix seconds [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<u64>,
    /// What may be said of a TDX platform (docs/attestation.md, section 3)
    #[arg(long, value_enum, default_value_t)]
    platform: Platform,
    /// An image hash (TDX) or a launch measurement (SEV-SNP) that is allowed, in hexadecimal; may stand several times
    #[arg(long, value_name = "HEX")]
    image: Vec<String>,
    /// What the report data must be, in hexadecimal
    #[arg(long, value_name = "HEX")]
    report_data: Option<String>,
    /// Print JSON on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Platform {
    /// Nothing that Intel calls less than perfect
    #[default]
    Strict,
    /// SMT, packages that can be added, and keys that Intel keeps: nearly every machine that can be rented
    Server,
}

/// Largest file that is read: collateral in its JSON form.
const MAX_FILE: u64 = 262_144;

pub(super) fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let evidence = read(&args.file)?;
    let now = args.at.unwrap_or_else(unix_now);
    let is_snp = evidence.len() == SNP_REPORT_BYTES && args.collateral.is_none();
    let mut report = if is_snp {
        snp(args, &evidence, now)?
    } else {
        tdx(args, &evidence, now)?
    };
    report.expect("image", &args.image);
    report.expect("report_data", args.report_data.as_slice());
    report.print(args.json);
    Ok(if report.holds() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    })
}

fn tdx(args: &VerifyArgs, quote: &[u8], now: u64) -> anyhow::Result<Report> {
    let Some(path) = &args.collateral else {
        return Err(Hinted::usage(
            "a TDX quote proves nothing without Intel's collateral",
            "--collateral FILE",
        ));
    };
    let collateral = Collateral::from_json(&read(path)?)
        .with_context(|| format!("{} is no collateral", path.display()))?;
    let policy = match args.platform {
        Platform::Strict => TdxPolicy::default(),
        Platform::Server => TdxPolicy::server(),
    };
    let verified = tdx::verify(quote, &collateral, Roots::makers().intel(), &policy, now);
    Ok(match verified {
        Ok(claims) => Report::of_tdx(&claims),
        Err(refusal) => Report::refused("Intel TDX quote", &refusal),
    })
}

fn snp(args: &VerifyArgs, evidence: &[u8], now: u64) -> anyhow::Result<Report> {
    let [leaf, intermediate] = args.certificate.as_slice() else {
        return Err(Hinted::usage(
            "an SEV-SNP report proves nothing without its two certificates",
            "--certificate vcek.der --certificate ask.der, from AMD's key distribution service or the host",
        ));
    };
    let lists: anyhow::Result<Vec<Vec<u8>>> = args.revocation_list.iter().map(|path| read(path)).collect();
    let chain = SnpChain {
        leaf: read(leaf)?,
        intermediate: read(intermediate)?,
        revocation_lists: lists?,
    };
    // Which measurement is allowed is asked for beside the verification, so that the report can name it.
    let policy = SnpPolicy {
        measurements: SnpMeasurements::ByCaller,
        ..SnpPolicy::default()
    };
    let verified = snp::verify(evidence, &chain, &AMD_ROOTS, &policy, now);
    Ok(match verified {
        Ok(claims) => Report::of_snp(&claims),
        Err(refusal) => Report::refused("AMD SEV-SNP report", &refusal),
    })
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(Hinted::usage(
            format!("{} is larger than any evidence", path.display()),
            "give the quote or report alone, as bytes",
        ));
    }
    Ok(bytes)
}

/// Unix seconds.
fn moment(text: &str) -> Result<u64, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let parsed = OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| "neither Unix seconds nor a moment as 2026-11-22T12:00:00Z".to_owned())?;
    u64::try_from(parsed.unix_timestamp()).map_err(|_| "before 1970".to_owned())
}
