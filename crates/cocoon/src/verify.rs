//! `cocoon verify`: a receipt's bundle, checked offline, without trust in whoever made the file.

mod appraiser;
mod texts;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use bytes::Bytes;
use clap::Args;
use cocoon_attest::Roots;
use cocoon_seal::{Bundle, Checks, Finding, Report, Standing, verify_bundle};
use cocoon_types::MAX_BODY_BYTES;
use serde_json::{Value, json};

use self::appraiser::AttestAppraiser;
use self::texts::Texts;
use crate::attest::read_file;
use crate::attest::verify::rules::Rules;
use crate::attest::verify::{Platform, moment};
use crate::exit::{FAILED, Hinted};
use crate::text::{data, table};

/// Check a receipt offline: what is proven, what is only claimed and by whom, what is not shown, what fails
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cocoon receipt export ID receipt.cocoon                      the file, from your gateway
  cocoon verify receipt.cocoon --policy policy.toml
  cocoon verify receipt.cocoon --request request.json --answer answer.json --proxy KEY --json

Exit code 0 when nothing fails, 1 when anything does. What is only claimed is printed as claimed: read it.")]
pub(crate) struct VerifyArgs {
    /// The bundle, as the gateway exports it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The request's body, as it was sent to the gateway: is it the one that was answered?
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// The answer's body, as it came from the gateway (a stream: with all its events): is it the one?
    #[arg(long, value_name = "FILE")]
    answer: Option<PathBuf>,
    /// What is allowed, in TOML: images, platform, tcb_statuses, advisories, tier (docs/attestation.md, section 13)
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// An image hash that is allowed, in hexadecimal; may stand several times
    #[arg(long, value_name = "HEX")]
    image: Vec<String>,
    /// What may be said of a TDX platform (docs/attestation.md, section 3) [default: the policy's, else strict]
    #[arg(long, value_enum)]
    platform: Option<Platform>,
    /// The proxy's key, in hexadecimal, from a source that you trust for it: its contract on the chain
    #[arg(long, value_name = "KEY")]
    proxy: Option<String>,
    /// Judge the evidence as of this moment: RFC 3339, or Unix seconds [default: when the answer began, as the worker says]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<u64>,
    /// Root of a development TEE, in DER; what leads to it is `simulated`, which the policy's tier must name
    #[arg(long, value_name = "FILE")]
    development_root: Option<PathBuf>,
    /// Print JSON on stdout
    #[arg(long)]
    json: bool,
}

/// Largest root certificate.
const MAX_ROOT: u64 = 64 * 1024;

/// Largest answer that is looked at: an answer has no limit of its own, and nobody checks one of this size by hand.
const MAX_ANSWER: u64 = 256 * 1024 * 1024;

pub(crate) fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let rules = Rules::of(args.policy.as_deref(), args.platform, &args.image)?;
    let roots = match &args.development_root {
        None => Roots::makers(),
        Some(root) => Roots::development(&read_file(root, MAX_ROOT)?)
            .map_err(|error| Hinted::usage(error.to_string(), "--development-root FILE, in DER"))?,
    };
    let proxy = args.proxy.as_deref().map(key).transpose()?;
    let read = |path: &PathBuf, limit| read_file(path, limit).map(Bytes::from);
    let request = args.request.as_ref();
    let request = request
        .map(|path| read(path, MAX_BODY_BYTES as u64))
        .transpose()?;
    let answer = args.answer.as_ref().map(|path| read(path, MAX_ANSWER));
    let texts = Texts {
        request,
        answer: answer.transpose()?,
    };
    let file = read(&args.file, Bundle::MAX_BYTES as u64)
        .with_context(|| format!("no bundle in {}", args.file.display()))?;
    let appraiser = AttestAppraiser {
        rules: &rules,
        roots: &roots,
        at: args.at,
    };
    let check = |request: Option<&[u8]>, answer: Option<&[u8]>| {
        let checks = Checks {
            proxy,
            appraiser: Some(&appraiser),
            request,
            answer,
        };
        verify_bundle(&file, &checks)
    };
    let report = texts.best(check);
    if args.json {
        data!("{}", as_json(&report));
    } else {
        print(&report);
    }
    Ok(if report.is_valid() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    })
}

fn key(text: &str) -> anyhow::Result<[u8; 32]> {
    let mut key = [0; 32];
    hex::decode_to_slice(text, &mut key).map_err(|_| {
        Hinted::usage(
            "the proxy's key is not 64 hexadecimal digits",
            "`cocoon network offers` prints the key of your gateway's proxies",
        )
    })?;
    Ok(key)
}

fn print(report: &Report) {
    // What fails is what somebody looks for first.
    let order = |finding: &&Finding| match finding.standing {
        Standing::Failed { .. } => 0,
        Standing::Proven { .. } => 1,
        Standing::Claimed { .. } => 2,
        Standing::NotShown { .. } => 3,
    };
    let mut findings: Vec<&Finding> = report.findings.iter().collect();
    findings.sort_by_key(order);
    let row = |finding: &Finding| {
        let (subject, standing) = (finding.subject.as_str(), &finding.standing);
        let detail = plain(standing.detail());
        let by = match standing {
            Standing::Proven { .. } | Standing::Claimed { .. } => format!("by {detail}"),
            Standing::NotShown { .. } | Standing::Failed { .. } => detail,
        };
        vec![standing.word().to_owned(), subject.to_owned(), by]
    };
    let rows: Vec<Vec<String>> = findings.into_iter().map(row).collect();
    data!("{}", table(&rows));
    if let Some(receipt) = &report.receipt {
        let usage = &receipt.closing.usage;
        data!("");
        data!(
            "receipt {}: {}, {} prompt and {} completion tokens, at {}",
            receipt.leaf(),
            receipt.tier,
            usage.prompt(),
            usage.completion(),
            receipt.coefficient
        );
    }
    data!(
        "{}",
        if report.is_valid() {
            "nothing fails; what is claimed is as good as who claims it"
        } else {
            "FAILED: the bundle is worthless"
        }
    );
}

/// Words of a stranger's file: nothing that could move the cursor.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn as_json(report: &Report) -> Value {
    let finding = |finding: &Finding| {
        json!({
            "subject": finding.subject.as_str(),
            "standing": finding.standing.word(),
            "detail": finding.standing.detail(),
        })
    };
    let findings: Vec<Value> = report.findings.iter().map(finding).collect();
    let receipt = report.receipt.as_ref().map(cocoon_client::receipt_json);
    json!({
        "valid": report.is_valid(),
        "proven_tier": report.proven_tier().map(cocoon_types::Tier::as_str),
        "findings": findings,
        "receipt": receipt,
    })
}
