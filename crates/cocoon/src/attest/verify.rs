//! Verifies evidence from files or from a node, without trust in whoever made it. From files, without a network too.

mod report;
pub(crate) mod rules;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use cocoon_attest::snp::{self, AMD_ROOTS, SNP_REPORT_BYTES, SnpChain};
use cocoon_attest::statement::{ChainView, Presented, Statement, verify_statement};
use cocoon_attest::tdx::{self, Collateral};
use cocoon_attest::{Accelerators, Endorsements, Evidence, OwnedEndorsements, Roots, Side, appraise};
use cocoon_link::{Identity, inspect};
use cocoon_web::clock::unix_now;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use self::report::Report;
use self::rules::Rules;
use super::bundle::{Base64, Bundle, MAX_BUNDLE, StatementBundle};
use super::read_file;
use crate::exit::{FAILED, Hinted};
use crate::text::say;

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// A TDX quote (version 4 or 5), an SEV-SNP report, a certificate or a bundle in a file; or the address of a proxy
    #[arg(value_name = "FILE|HOST:PORT")]
    target: String,
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
    /// What is allowed, in TOML: images, platform, tcb_statuses, advisories, tier (docs/attestation.md, section 13)
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// What may be said of a TDX platform (docs/attestation.md, section 3) [default: the policy's, else strict]
    #[arg(long, value_enum)]
    platform: Option<Platform>,
    /// An image hash or a launch measurement (SEV-SNP) that is allowed, in hexadecimal; may stand several times
    #[arg(long, value_name = "HEX")]
    image: Vec<String>,
    /// What the report data must be, in hexadecimal
    #[arg(long, value_name = "HEX")]
    report_data: Option<String>,
    /// Root of a development TEE, in DER; what leads to it is `simulated`, which the policy must name
    #[arg(long, value_name = "FILE")]
    development_root: Option<PathBuf>,
    /// Write what was looked at to this file, as a bundle
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Print JSON on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Platform {
    /// Nothing that Intel calls less than perfect
    #[default]
    Strict,
    /// SMT, packages that can be added, and keys that Intel keeps: nearly every machine that can be rented
    Server,
}

/// Largest file that is read beside the evidence: collateral in its JSON form.
const MAX_FILE: u64 = 262_144;

/// From the name to the certificate: proof of work of the usual difficulty takes a second or two.
const DIAL_DEADLINE: Duration = Duration::from_secs(30);

/// Most bits of proof of work, as a client's default.
const MAX_WORK: u8 = 28;

/// How everything is judged.
struct Judge {
    rules: Rules,
    roots: Roots,
    development_root: Option<Vec<u8>>,
    now: u64,
}

pub(super) async fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let rules = Rules::of(args.policy.as_deref(), args.platform, &args.image)?;
    let development_root = args.development_root.as_deref().map(read).transpose()?;
    let roots = match &development_root {
        None => Roots::makers(),
        Some(root) => Roots::development(root)
            .map_err(|error| Hinted::usage(error.to_string(), "--development-root FILE, in DER"))?,
    };
    let (evidence, is_live) = presented(args).await?;
    let judge = Judge {
        rules,
        roots,
        development_root,
        now: args.at.unwrap_or_else(unix_now),
    };
    let mut report = judge.judge(&evidence)?;
    if is_live {
        report.fact("held_by", "whoever answered, who proved to hold its key");
    }
    report.expect_image(&judge.rules.images);
    report.expect("report_data", args.report_data.as_slice());
    report.expect_tier(judge.rules.tier);
    if let Some(path) = &args.bundle {
        evidence.write(path)?;
        say!("saved to {}", path.display());
    }
    report.print(args.json);
    Ok(if report.holds() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    })
}

/// What was given or shown, as a bundle; and whether somebody showed it right now.
async fn presented(args: &VerifyArgs) -> anyhow::Result<(Bundle, bool)> {
    let path = Path::new(&args.target);
    let is_address = is_address(&args.target) && !path.exists();
    let mut bundle = if is_address {
        let nobody = Identity::without_evidence(unix_now())?;
        let seen = inspect(&args.target, nobody, MAX_WORK, DIAL_DEADLINE);
        let seen = seen.await.map_err(|error| {
            Hinted::failed(
                format!("{}: {}", args.target, cocoon_types::error_line(&error)),
                "give the address of a proxy's port for clients or workers",
            )
        })?;
        Bundle {
            certificate: Base64(seen.certificate),
            ..Bundle::new()
        }
    } else {
        let bytes = read_file(path, MAX_BUNDLE)?;
        match bytes.first() {
            Some(b'{') => Bundle::parse(&bytes)?,
            Some(0x30) => Bundle {
                certificate: Base64(bytes),
                ..Bundle::new()
            },
            _ => Bundle {
                quote: Base64(bytes),
                ..Bundle::new()
            },
        }
    };
    if let Some(given) = given_endorsements(args)? {
        bundle.endorsements = Base64(given.to_compact().context("the collateral cannot be packed")?);
    }
    Ok((bundle, is_address))
}

/// What `--collateral` or `--certificate` gave: it counts before what came with the evidence.
fn given_endorsements(args: &VerifyArgs) -> anyhow::Result<Option<OwnedEndorsements>> {
    if let Some(path) = &args.collateral {
        let collateral = Collateral::from_json(&read(path)?)
            .with_context(|| format!("{} is no collateral", path.display()))?;
        return Ok(Some(OwnedEndorsements::Tdx(collateral)));
    }
    let (leaf, intermediate) = match args.certificate.as_slice() {
        [] => return Ok(None),
        [leaf, intermediate] => (leaf, intermediate),
        _ => {
            return Err(Hinted::usage(
                "an SEV-SNP report needs exactly two certificates",
                "--certificate vcek.der --certificate ask.der",
            ));
        }
    };
    let lists: anyhow::Result<Vec<Vec<u8>>> = args.revocation_list.iter().map(|path| read(path)).collect();
    Ok(Some(OwnedEndorsements::Snp(SnpChain {
        leaf: read(leaf)?,
        intermediate: read(intermediate)?,
        revocation_lists: lists?,
    })))
}

// === impl Judge ===

impl Judge {
    fn judge(&self, bundle: &Bundle) -> anyhow::Result<Report> {
        let endorsements = bundle.endorsements()?;
        let endorsements = endorsements.as_ref().map(OwnedEndorsements::as_ref);
        if !bundle.certificate.is_empty() {
            return self.certificate(bundle, endorsements);
        }
        let quote = &bundle.quote.0;
        match endorsements {
            Some(Endorsements::Snp(chain)) => Ok(Self::snp(quote, chain, self.now)),
            Some(Endorsements::Tdx(collateral)) => Ok(self.tdx(quote, collateral)),
            _ if quote.len() == SNP_REPORT_BYTES => Err(Hinted::usage(
                "an SEV-SNP report proves nothing without its two certificates",
                "--certificate vcek.der --certificate ask.der, from AMD's key distribution service or the host",
            )),
            _ => Err(Hinted::usage(
                "a TDX quote proves nothing without Intel's collateral",
                "--collateral FILE",
            )),
        }
    }

    /// A bare quote, up to Intel's root or to the development root that was given, and to no other beside it.
    fn tdx(&self, quote: &[u8], collateral: &Collateral) -> Report {
        let (root, kind) = match &self.development_root {
            None => (self.roots.intel(), "Intel TDX quote"),
            Some(root) => (
                root.as_slice(),
                "TDX quote of a development TEE, which proves nothing",
            ),
        };
        match tdx::verify(quote, collateral, root, &self.rules.tdx, self.now) {
            Ok(claims) => Report::of_tdx(kind, &claims),
            Err(refusal) => Report::refused(kind, &refusal),
        }
    }

    fn snp(report: &[u8], chain: &SnpChain, now: u64) -> Report {
        match snp::verify(report, chain, &AMD_ROOTS, &Rules::snp(), now) {
            Ok(claims) => Report::of_snp(&claims),
            Err(refusal) => Report::refused("AMD SEV-SNP report", &refusal),
        }
    }

    /// The certificate of a link, by the very lines that a node uses.
    fn certificate(&self, bundle: &Bundle, endorsements: Option<Endorsements<'_>>) -> anyhow::Result<Report> {
        const KIND: &str = "certificate of a link";
        let policy = self.rules.policy();
        let evidence = |side| Evidence {
            certificate: &bundle.certificate.0,
            side,
            accelerators: Accelerators::NotAttested,
        };
        // An image that is not listed is a policy that does not hold, not evidence that is not genuine.
        let mut any = policy.clone();
        any.image_hashes = cocoon_attest::ImageRule::Any;
        let peer = match appraise(
            evidence(Side::Acceptor),
            endorsements,
            &any,
            &self.roots,
            self.now,
        ) {
            Ok(peer) => peer,
            Err(refusal) => return Ok(Report::refused(KIND, &refusal)),
        };
        let listed = appraise(
            evidence(Side::Acceptor),
            endorsements,
            &policy,
            &self.roots,
            self.now,
        );
        let mut report = Report::of_peer(KIND, &peer);
        let judged = listed.as_ref().unwrap_or(&peer);
        match &bundle.statement {
            None => report.tier(judged.tier()),
            Some(statement) => {
                self.statement(statement, judged, &policy, endorsements, &mut report)?;
            }
        }
        Ok(report)
    }

    /// Whether its block is on the chain is not judged: no chain is asked here.
    fn statement(
        &self,
        bundle: &StatementBundle,
        peer: &cocoon_attest::VerifiedPeer,
        policy: &cocoon_attest::Policy,
        endorsements: Option<Endorsements<'_>>,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let own = bundle.endorsements.endorsements()?;
        let own = own.as_ref().map(OwnedEndorsements::as_ref);
        let block = match Statement::decode(&bundle.statement.0) {
            Ok(statement) => statement.block,
            Err(refusal) => {
                report.refuse(&refusal);
                return Ok(());
            }
        };
        let presented = Presented {
            statement: &bundle.statement.0,
            quote: &bundle.quote.0,
            gpu_evidence: &bundle.gpu_evidence.0,
            endorsements: own.or(endorsements),
        };
        let on_trust = ChainView {
            head: block,
            named: Some(block),
        };
        match verify_statement(presented, peer, policy, &self.roots, &on_trust, self.now) {
            Ok(verified) => report.of_statement(&verified),
            Err(refusal) => report.refuse(&refusal),
        }
        Ok(())
    }
}

fn is_address(text: &str) -> bool {
    let port = |text: &str| text.parse::<u16>().is_ok();
    text.parse::<SocketAddr>().is_ok()
        || text
            .rsplit_once(':')
            .is_some_and(|(host, number)| !host.is_empty() && !host.contains(['/', ':']) && port(number))
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    read_file(path, MAX_FILE)
}

/// Unix seconds.
pub(crate) fn moment(text: &str) -> Result<u64, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let parsed = OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| "neither Unix seconds nor a moment as 2026-11-22T12:00:00Z".to_owned())?;
    u64::try_from(parsed.unix_timestamp()).map_err(|_| "before 1970".to_owned())
}

#[cfg(test)]
mod tests {
    use super::is_address;

    #[test]
    fn addresses_are_told_from_files() {
        for address in [
            "proxy.example:11002",
            "127.0.0.1:1",
            "[::1]:11002",
            "localhost:80",
        ] {
            assert!(is_address(address), "{address}");
        }
        for file in [
            "quote.bin",
            "/tmp/a:1/b",
            "C:quote",
            "a/b:80",
            ":80",
            "host:99999",
        ] {
            assert!(!is_address(file), "{file}");
        }
    }
}
