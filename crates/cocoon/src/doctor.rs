//! `cocoon doctor`: what this machine can do, what is missing for more, and the fix.
//!
//! Looks only; changes nothing. Each look is one function in [`checks`]; what the machine can prove is decided in [`tee`] from
//! [`facts`], so that tests can be any machine.

mod checks;
mod facts;
mod tee;

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::exit::FAILED;
use crate::text::data;

/// Say what this machine can do and what is missing for more.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Exit code: 0 when `cocoon up` can run here, 1 when something that it needs is missing.
Examples:
  cocoon doctor
  cocoon doctor --json | jq '.findings[] | select(.state != \"good\")'"
)]
pub(crate) struct DoctorArgs {
    /// Print the findings as JSON.
    #[arg(long)]
    json: bool,
}

/// One look at the machine.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    what: &'static str,
    state: State,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// There and usable.
    Good,
    /// Not there; more would be possible with it.
    Absent,
    /// Not there, and `cocoon up` needs it.
    Missing,
}

#[derive(Debug, Serialize)]
struct Report {
    /// The best tier that this machine's evidence can earn, on a network that lists its image.
    tier: String,
    tier_reason: String,
    findings: Vec<Finding>,
}

pub(crate) async fn run(args: DoctorArgs) -> anyhow::Result<ExitCode> {
    let advice = tee::advise(&facts::Facts::probe().await);
    let mut findings = checks::all().await;
    findings.extend(advice.findings);
    let report = Report {
        tier: advice.tier.to_string(),
        tier_reason: advice.reason,
        findings,
    };
    if args.json {
        data!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    let able = report
        .findings
        .iter()
        .all(|finding| finding.state != State::Missing);
    Ok(if able {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    })
}

fn print(report: &Report) {
    for finding in &report.findings {
        let mark = match finding.state {
            State::Good => "good   ",
            State::Absent => "absent ",
            State::Missing => "MISSING",
        };
        data!("{mark}  {:<18}  {}", finding.what, finding.found);
        if let Some(fix) = &finding.fix {
            data!("{:29}-> {fix}", "");
        }
    }
    data!("\ncould serve tier {}: {}", report.tier, report.tier_reason);
}

// === impl Finding ===

impl Finding {
    fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self {
            what,
            state: State::Good,
            found: found.into(),
            fix: None,
        }
    }

    fn absent(what: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            what,
            state: State::Absent,
            found: found.into(),
            fix: Some(fix.into()),
        }
    }

    fn missing(what: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            what,
            state: State::Missing,
            found: found.into(),
            fix: Some(fix.into()),
        }
    }
}
