//! A bundle: everything that somebody needs to verify one piece of evidence, in one file.
//!
//! JSON, because people pass it around: bytes in base64, every member but the version may be absent. Nothing in it is
//! trusted; it is as good as what it proves.

use std::path::Path;

use anyhow::Context as _;
use cocoon_attest::OwnedEndorsements;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::exit::Hinted;

/// Largest file: certificate, quote, collateral and a statement with GPU evidence at their limits, in base64.
pub(super) const MAX_BUNDLE: u64 = 512 * 1024;

/// The version that is written and read.
const VERSION: u32 = 1;

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bundle {
    /// Says what the file is, and its version.
    pub(super) cocoon_evidence: u32,
    /// The certificate of a link, in DER.
    #[serde(default, skip_serializing_if = "Base64::is_empty")]
    pub(super) certificate: Base64,
    /// A bare quote or report.
    #[serde(default, skip_serializing_if = "Base64::is_empty")]
    pub(super) quote: Base64,
    /// What its maker vouches for it, in the compact form of docs/attestation.md, section 8.
    #[serde(default, skip_serializing_if = "Base64::is_empty")]
    pub(super) endorsements: Base64,
    /// The statement of the certificate's holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) statement: Option<StatementBundle>,
}

/// A statement with what proves it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatementBundle {
    pub(super) statement: Base64,
    pub(super) quote: Base64,
    /// Empty: the same as for the certificate.
    #[serde(default, skip_serializing_if = "Base64::is_empty")]
    pub(super) endorsements: Base64,
    #[serde(default, skip_serializing_if = "Base64::is_empty")]
    pub(super) gpu_evidence: Base64,
}

/// Bytes, in base64 in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Base64(pub(super) Vec<u8>);

// === impl Bundle ===

impl Bundle {
    pub(super) fn new() -> Self {
        Self {
            cocoon_evidence: VERSION,
            ..Self::default()
        }
    }

    pub(super) fn parse(json: &[u8]) -> anyhow::Result<Self> {
        let bundle: Self = serde_json::from_slice(json).map_err(|error| {
            Hinted::usage(
                format!("this JSON is no bundle of evidence: {error}"),
                "`cocoon attest show --bundle FILE` and `cocoon attest verify HOST:PORT --bundle FILE` write one; collateral goes to \
                 --collateral",
            )
        })?;
        if bundle.cocoon_evidence != VERSION {
            return Err(Hinted::usage(
                format!("the bundle has version {}", bundle.cocoon_evidence),
                "this build reads version 1",
            ));
        }
        Ok(bundle)
    }

    pub(super) fn endorsements(&self) -> anyhow::Result<Option<OwnedEndorsements>> {
        self.endorsements.endorsements()
    }

    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let json = serde_json::to_string_pretty(self)?;
        std::fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))
    }
}

// === impl Base64 ===

impl Base64 {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn endorsements(&self) -> anyhow::Result<Option<OwnedEndorsements>> {
        if self.is_empty() {
            return Ok(None);
        }
        OwnedEndorsements::from_compact(&self.0)
            .map(Some)
            .context("the bundle's endorsements cannot be read")
    }
}

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        decode(&text)
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("a member is not base64"))
    }
}

fn encode(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_and_names_what_it_is() {
        let bundle = Bundle {
            certificate: Base64(vec![0x30, 0x82]),
            statement: Some(StatementBundle {
                statement: Base64(vec![1]),
                quote: Base64(vec![4, 0]),
                endorsements: Base64::default(),
                gpu_evidence: Base64::default(),
            }),
            ..Bundle::new()
        };
        let json = serde_json::to_string(&bundle).expect("text and numbers");
        assert_eq!(
            json,
            r#"{"cocoon_evidence":1,"certificate":"MII=","statement":{"statement":"AQ==","quote":"BAA="}}"#
        );
        assert_eq!(Bundle::parse(json.as_bytes()).expect("our own"), bundle);
    }

    #[test]
    fn what_is_none_is_refused() {
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"cocoon_evidence":2}"#,
            r#"{"cocoon_evidence":1,"certificate":"%"}"#,
            r#"{"cocoon_evidence":1,"certificates":""}"#,
            r#"{"cocoon_evidence":1,"statement":{}}"#,
        ] {
            assert!(Bundle::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
