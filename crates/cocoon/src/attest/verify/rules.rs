//! What a person allows: from flags, from a file, or nothing, which is then printed as not judged.

use std::path::Path;

use anyhow::Context as _;
use cocoon_attest::snp::{SnpMeasurements, SnpPolicy};
use cocoon_attest::tdx::{Advisories, TcbStatus, TcbStatuses, TdxPolicy};
use cocoon_attest::{EvidenceRule, ImageRule, Policy, Simulated};
use cocoon_types::{Tier, TierPolicy};
use serde::Deserialize;

use super::{Platform, read};
use crate::exit::Hinted;

/// The file behind `--policy`. Every key may be left out; unknown keys are refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    /// Image hashes (64 hexadecimal digits) or launch measurements (96).
    images: Option<Vec<String>>,
    /// `strict` or `server`.
    platform: Option<String>,
    /// TCB statuses in Intel's words. Default: `UpToDate`.
    tcb_statuses: Option<Vec<String>>,
    /// Advisories that may be open at such a status, as `INTEL-SA-00837`.
    advisories: Option<Vec<String>>,
    /// Lowest tier: `confidential`, `attested`, `open`, or with `+simulated`.
    tier: Option<String>,
}

/// What is asked of the evidence.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) images: Vec<String>,
    pub(crate) tdx: TdxPolicy,
    pub(crate) tier: Option<TierPolicy>,
}

const STATUSES: [TcbStatus; 8] = [
    TcbStatus::UpToDate,
    TcbStatus::SwHardeningNeeded,
    TcbStatus::ConfigurationNeeded,
    TcbStatus::ConfigurationAndSwHardeningNeeded,
    TcbStatus::OutOfDate,
    TcbStatus::OutOfDateConfigurationNeeded,
    TcbStatus::RelaunchAdvised,
    TcbStatus::RelaunchAdvisedConfigurationNeeded,
];

// === impl Rules ===

impl Rules {
    /// Flags count before the file; images of both are allowed.
    pub(crate) fn of(
        policy: Option<&Path>,
        platform: Option<Platform>,
        images: &[String],
    ) -> anyhow::Result<Self> {
        let file = match policy {
            None => PolicyFile::default(),
            Some(path) => PolicyFile::read(path)?,
        };
        let platform = match (platform, file.platform.as_deref()) {
            (Some(platform), _) => platform,
            (None, None | Some("strict")) => Platform::Strict,
            (None, Some("server")) => Platform::Server,
            (None, Some(_)) => return Err(wrong("platform", "strict or server")),
        };
        let mut tdx = match platform {
            Platform::Strict => TdxPolicy::default(),
            Platform::Server => TdxPolicy::server(),
        };
        if let Some(names) = file.tcb_statuses {
            tdx.tcb_statuses = statuses(&names)?;
        }
        if let Some(names) = file.advisories {
            tdx.advisories = Advisories::Only(names);
        }
        let tier = file.tier.as_deref().map(str::parse::<TierPolicy>);
        let tier = tier
            .transpose()
            .map_err(|error| wrong("tier", &error.to_string()))?;
        let mut images = images.to_vec();
        if let Some(listed) = file.images {
            // Said aloud, an empty list allows nothing, and must not read as "not judged".
            if listed.is_empty() && images.is_empty() {
                return Err(wrong("images", "at least one image hash, or leave the key out"));
            }
            images.extend(listed);
        }
        if let Some(bad) = images.iter().find(|image| !is_image(image)) {
            return Err(Hinted::usage(
                format!("{bad:?} is neither an image hash nor a launch measurement"),
                "64 hexadecimal digits, or 96",
            ));
        }
        Ok(Self { images, tdx, tier })
    }

    /// The verifier's policy for a certificate or a statement.
    pub(crate) fn policy(&self) -> Policy {
        let hashes: Vec<[u8; 32]> = self.images.iter().filter_map(|image| image_hash(image)).collect();
        // Which image it is, is compared beside the verification, so that the report can name another one. Only a list that
        // holds makes a tier.
        let image_hashes = if hashes.is_empty() {
            ImageRule::Any
        } else {
            ImageRule::Listed(hashes)
        };
        let accepts = |tier| self.tier.is_some_and(|policy| policy.accepts(tier));
        let simulated = if accepts(Tier::Simulated) {
            Simulated::AcceptOnTestNetwork
        } else {
            Simulated::Refuse
        };
        Policy {
            evidence: if accepts(Tier::Open) {
                EvidenceRule::Optional { simulated }
            } else {
                EvidenceRule::Required { simulated }
            },
            image_hashes,
            tdx: self.tdx.clone(),
            ..Policy::default()
        }
    }

    /// For a bare SEV-SNP report: which measurement is allowed is compared beside it.
    pub(super) fn snp() -> SnpPolicy {
        SnpPolicy {
            measurements: SnpMeasurements::ByCaller,
            ..SnpPolicy::default()
        }
    }
}

// === impl PolicyFile ===

impl PolicyFile {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let text = String::from_utf8(read(path)?).context("the policy is not text")?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> anyhow::Result<Self> {
        toml::from_str(text).map_err(|error| {
            Hinted::usage(
                format!("{}: {}", path.display(), error.message()),
                "the keys are images, platform, tcb_statuses, advisories and tier (docs/attestation.md, section 13)",
            )
        })
    }
}

fn statuses(names: &[String]) -> anyhow::Result<TcbStatuses> {
    let mut set = TcbStatuses::NONE;
    for name in names {
        let known = STATUSES.iter().find(|status| status.as_str() == name);
        let status = known.ok_or_else(|| wrong("tcb_statuses", "Intel's words, as UpToDate"))?;
        set = set.and(*status);
    }
    Ok(set)
}

fn wrong(key: &str, expected: &str) -> anyhow::Error {
    Hinted::usage(format!("the policy's {key} is not understood"), expected)
}

fn is_image(text: &str) -> bool {
    matches!(text.len(), 64 | 96) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn image_hash(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).ok().map(|()| hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> anyhow::Result<PolicyFile> {
        PolicyFile::parse(text, Path::new("policy.toml"))
    }

    #[test]
    fn unknown_keys_and_other_kinds_of_value_are_refused() {
        assert!(parse("").is_ok());
        assert!(parse("images = []\nplatform = \"server\"\ntier = \"open\"").is_ok());
        for bad in [
            "imgaes = []",
            "images = \"aa\"",
            "tier = 3",
            "[images]",
            "images = [1]",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn statuses_are_intels_words() {
        let all: Vec<String> = STATUSES.iter().map(ToString::to_string).collect();
        let set = statuses(&all).expect("its own words");
        assert!(STATUSES.iter().all(|status| set.contains(*status)));
        assert!(statuses(&["uptodate".to_owned()]).is_err());
        assert!(statuses(&["Revoked".to_owned()]).is_err());
        assert_eq!(statuses(&[]).expect("none"), TcbStatuses::NONE);
    }
}
