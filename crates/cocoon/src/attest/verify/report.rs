//! What a verification showed, for a person and for a script.

use std::error::Error;

use cocoon_attest::gpu::GpuVerdict;
use cocoon_attest::snp::SnpClaims;
use cocoon_attest::statement::{StatedEngine, VerifiedStatement};
use cocoon_attest::tdx::TdxClaims;
use cocoon_attest::{SnpImage, VerifiedPeer};
use cocoon_types::{Tier, TierPolicy, error_line};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::text::{data, table};

/// What was found. Every value that a policy was given for is compared; the others are named as not judged.
pub(super) struct Report {
    kind: &'static str,
    /// Why it is not genuine.
    refusal: Option<String>,
    /// Name and value, in the order in which they are shown.
    facts: Vec<(&'static str, String)>,
    /// What a policy was given for, and does not hold.
    broken: Vec<&'static str>,
    /// What no policy was given for.
    not_judged: Vec<&'static str>,
}

impl Report {
    pub(super) fn refused(kind: &'static str, refusal: &dyn Error) -> Self {
        Self {
            kind,
            refusal: Some(error_line(refusal)),
            facts: Vec::new(),
            broken: Vec::new(),
            not_judged: Vec::new(),
        }
    }

    /// Refused after all, with what was found so far.
    pub(super) fn refuse(&mut self, refusal: &dyn Error) {
        self.refusal = Some(error_line(refusal));
    }

    pub(super) fn of_peer(kind: &'static str, peer: &VerifiedPeer) -> Self {
        let mut report = match (peer.tdx(), peer.snp()) {
            (Some(claims), _) => Self::of_tdx(kind, claims),
            (None, Some(claims)) => Self::of_snp(claims),
            (None, None) => Self::genuine("", Vec::new()),
        };
        report.kind = kind;
        report.fact("key", hex::encode(peer.key()));
        match (peer.tdx().is_some() || peer.snp().is_some(), peer.tier()) {
            (false, Tier::Simulated) => {
                report.fact("evidence", "simulated: proves nothing");
                report.fact("image", hex::encode(peer.image_hash()));
            }
            (false, _) => report.fact("evidence", "none"),
            (true, Tier::Simulated) => report.fact("evidence", "of a development TEE: proves nothing"),
            (true, _) => report.fact("evidence", "of a maker's"),
        }
        report.facts.retain(|(name, _)| *name != "holds_until");
        report.fact("holds_until", date(peer.expires_at()));
        report
    }

    /// What a verified statement adds. Its block was taken at its word.
    pub(super) fn of_statement(&mut self, verified: &VerifiedStatement) {
        let statement = verified.statement();
        let digest = |value: Option<[u8; 32]>| value.map_or_else(|| "none".to_owned(), hex::encode);
        let engine = match statement.engine {
            StatedEngine::None => "none",
            StatedEngine::OfImage => "started by the image",
            StatedEngine::Outside => "outside of the image: its digests are claims",
        };
        self.fact(
            "block",
            format!("{} of {}", statement.block.seqno, date(statement.block.time)),
        );
        self.fact("engine", engine);
        self.fact("engine_digest", digest(statement.engine_digest));
        self.fact("model", digest(statement.model));
        self.fact("accelerators", statement.accelerators.to_string());
        for (name, gpu) in [
            "gpu_0", "gpu_1", "gpu_2", "gpu_3", "gpu_4", "gpu_5", "gpu_6", "gpu_7",
        ]
        .into_iter()
        .zip(verified.gpus())
        {
            let verdict = match gpu.verdict {
                GpuVerdict::Attested => "attested".to_owned(),
                GpuVerdict::NotAttested(why) => format!("not attested: {why}"),
            };
            self.fact(name, format!("{}, driver {}, {verdict}", gpu.model, gpu.driver));
        }
        self.facts.retain(|(name, _)| *name != "holds_until");
        self.fact("holds_until", date(verified.expires_at()));
        self.not_judged.retain(|name| *name != "freshness");
        self.not_judged.push("block");
        self.tier(verified.tier());
    }

    pub(super) fn fact(&mut self, name: &'static str, value: impl Into<String>) {
        self.facts.push((name, value.into()));
    }

    pub(super) fn tier(&mut self, tier: Tier) {
        self.fact("tier", tier.to_string());
    }

    pub(super) fn of_tdx(kind: &'static str, claims: &TdxClaims) -> Self {
        let image = &claims.measurements;
        let mut facts = vec![
            ("image", hex::encode(image.image_hash())),
            ("report_data", hex::encode(claims.report_data)),
            (
                "form",
                format!("quote version {}, {:?}", claims.quote_version, claims.report),
            ),
            ("platform", format!("FMSPC {}", hex::encode(claims.fmspc))),
            ("tcb_status", claims.tcb_status.to_string()),
            ("tcb_date", date(claims.tcb_date)),
            ("advisories", claims.advisories.join(" ")),
            ("tcb_evaluation", claims.tcb_evaluation.to_string()),
            ("smt", said(claims.smt)),
            ("dynamic_platform", said(claims.dynamic_platform)),
            ("cached_keys", said(claims.cached_keys)),
            ("mrtd", hex::encode(image.mrtd)),
            ("mr_config_id", hex::encode(image.mr_config_id)),
            ("mr_owner", hex::encode(image.mr_owner)),
        ];
        let names = ["rtmr0", "rtmr1", "rtmr2", "rtmr3"];
        facts.extend(names.into_iter().zip(image.rtmr.iter().map(hex::encode)));
        facts.push(("tdx_module", hex::encode(claims.mr_seam)));
        facts.push(("holds_until", date(claims.expires_at)));
        Self::genuine(kind, facts)
    }

    pub(super) fn of_snp(claims: &SnpClaims) -> Self {
        let firmware = claims.firmware;
        let facts = vec![
            ("image", hex::encode(SnpImage::of(claims).image_hash())),
            ("measurement", hex::encode(claims.measurement)),
            ("report_data", hex::encode(claims.report_data)),
            ("platform", format!("{:?}", claims.product)),
            ("signed_with", format!("{:?}", claims.key_kind)),
            (
                "firmware",
                format!("{}.{}.{}", firmware.major, firmware.minor, firmware.build),
            ),
            ("tcb", format!("{:?}", claims.tcbs.reported)),
            ("vmpl", claims.vmpl.to_string()),
            ("guest_policy", format!("{:#x}", claims.guest_policy.0)),
            ("platform_info", format!("{:#x}", claims.platform.0)),
            ("host_data", hex::encode(claims.host_data)),
            ("revocation_judged", claims.revocation_judged.to_string()),
            ("holds_until", date(claims.expires_at)),
        ];
        Self::genuine("AMD SEV-SNP report", facts)
    }

    fn genuine(kind: &'static str, facts: Vec<(&'static str, String)>) -> Self {
        Self {
            kind,
            refusal: None,
            facts,
            broken: Vec::new(),
            // A quote has no time in it: only a statement over a block says when it was made.
            not_judged: vec!["freshness"],
        }
    }

    /// Holds a fact against what is allowed; nothing allowed means that it is not judged.
    pub(super) fn expect(&mut self, name: &'static str, allowed: &[String]) {
        let fact = self.facts.iter().find(|(fact, _)| *fact == name);
        let Some((_, found)) = fact else {
            return;
        };
        if allowed.is_empty() {
            self.not_judged.push(name);
        } else if !allowed.iter().any(|one| one.eq_ignore_ascii_case(found)) {
            self.broken.push(name);
        }
    }

    /// The image must be one of these: its hash, or for SEV-SNP its launch measurement.
    pub(super) fn expect_image(&mut self, allowed: &[String]) {
        let names = ["image", "measurement"];
        let mut facts = self.facts.iter().filter(|(name, _)| names.contains(name));
        if allowed.is_empty() {
            if facts.next().is_some() {
                self.not_judged.push("image");
            }
        } else if !facts.any(|(_, found)| allowed.iter().any(|one| one.eq_ignore_ascii_case(found))) {
            self.broken.push("image");
        }
    }

    /// The tier must be this or a better one. Without a list of images there is none to speak of.
    pub(super) fn expect_tier(&mut self, wanted: Option<TierPolicy>) {
        let found = self.facts.iter().find(|(name, _)| *name == "tier");
        let found = found.and_then(|(_, tier)| tier.parse::<Tier>().ok());
        match (wanted, found) {
            (None, Some(_)) => self.not_judged.push("tier"),
            (None, None) => {}
            (Some(wanted), Some(tier)) if wanted.accepts(tier) => {}
            (Some(_), _) => self.broken.push("tier"),
        }
    }

    /// Whether it is genuine and every policy that was given holds.
    pub(super) fn holds(&self) -> bool {
        self.refusal.is_none() && self.broken.is_empty()
    }

    pub(super) fn print(&self, as_json: bool) {
        if as_json {
            let facts: Map<String, Value> = self
                .facts
                .iter()
                .map(|(name, value)| ((*name).to_owned(), json!(value)))
                .collect();
            data!(
                "{}",
                json!({
                    "kind": self.kind,
                    "genuine": self.refusal.is_none(),
                    "holds": self.holds(),
                    "refusal": self.refusal,
                    "facts": facts,
                    "broken": self.broken,
                    "not_judged": self.not_judged,
                })
            );
            return;
        }
        if let Some(refusal) = &self.refusal {
            data!("{}: refused: {refusal}", self.kind);
            return;
        }
        data!("{}: genuine", self.kind);
        let rows: Vec<Vec<String>> = self
            .facts
            .iter()
            .map(|(name, value)| vec![name.replace('_', " "), value.clone()])
            .collect();
        data!("{}", table(&rows));
        for name in &self.broken {
            data!(
                "  NOT ALLOWED: the {} is not one that is allowed",
                name.replace('_', " ")
            );
        }
        data!("  not judged: {}", self.not_judged.join(", ").replace('_', " "));
    }
}

fn said(flag: Option<bool>) -> String {
    match flag {
        Some(true) => "yes",
        Some(false) => "no",
        None => "not said",
    }
    .to_owned()
}

fn date(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|moment| moment.format(&Rfc3339).ok())
        .unwrap_or_else(|| seconds.to_string())
}
