//! What a verification showed, for a person and for a script.

use std::error::Error;

use cocoon_attest::snp::SnpClaims;
use cocoon_attest::tdx::TdxClaims;
use cocoon_types::error_line;
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

    pub(super) fn of_tdx(claims: &TdxClaims) -> Self {
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
        Self::genuine("Intel TDX quote", facts)
    }

    pub(super) fn of_snp(claims: &SnpClaims) -> Self {
        let firmware = claims.firmware;
        let facts = vec![
            ("image", hex::encode(claims.measurement)),
            ("report_data", hex::encode(claims.report_data)),
            ("platform", format!("{:?}", claims.product)),
            ("key", format!("{:?}", claims.key_kind)),
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
            data!("  NOT ALLOWED: the {} is another one", name.replace('_', " "));
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
