use serde::{Deserialize, Serialize};

/// Largest chain of certificates, in bytes of PEM. Intel's have 1900, with a PCK certificate 3700.
const MAX_CHAIN: usize = 12_288;
/// Largest revocation list. Intel's longest has 3400 bytes; the DER reader stops at 64 KiB.
const MAX_CRL: usize = 49_152;
/// Largest TCB info. Intel's have up to 6000 bytes, and grow by a level with every recovery.
const MAX_TCB_INFO: usize = 49_152;
/// Largest QE identity. Intel's have 500 bytes.
const MAX_QE_IDENTITY: usize = 8192;
/// ECDSA on P-256, as two numbers of 32 bytes.
const SIGNATURE: usize = 64;
/// All of it together; it travels with evidence.
const MAX_TOTAL: usize = 98_304;
/// Largest JSON form: hexadecimal doubles the lists, escapes the texts.
const MAX_JSON: usize = 262_144;

/// What Intel vouches for a platform: TCB info, QE identity, revocation lists and the chains of who signed them.
///
/// Signed and dated by Intel, so it may come from anybody: a cache, the peer itself, a file. It is within its size limits;
/// nothing else about it is checked before [`super::verify`].
#[derive(Clone, PartialEq, Eq)]
pub struct Collateral(CollateralParts);

/// The fields of [`Collateral`], named as in the JSON form that verifier libraries and their samples share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollateralParts {
    /// PEM: who signed the PCK revocation list, up to the root.
    pub pck_crl_issuer_chain: String,
    /// DER: what the root has revoked.
    #[serde(with = "hex")]
    pub root_ca_crl: Vec<u8>,
    /// DER: what the PCK CA has revoked.
    #[serde(with = "hex")]
    pub pck_crl: Vec<u8>,
    /// PEM: who signed the TCB info, up to the root.
    pub tcb_info_issuer_chain: String,
    /// JSON, byte for byte as it was signed.
    pub tcb_info: String,
    /// Two numbers of 32 bytes.
    #[serde(with = "hex")]
    pub tcb_info_signature: Vec<u8>,
    /// PEM: who signed the QE identity, up to the root.
    pub qe_identity_issuer_chain: String,
    /// JSON, byte for byte as it was signed.
    pub qe_identity: String,
    /// Two numbers of 32 bytes.
    #[serde(with = "hex")]
    pub qe_identity_signature: Vec<u8>,
    /// PEM of the PCK chain. Kept for other tools; we take the one in the quote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pck_certificate_chain: Option<String>,
}

/// Bytes are not collateral.
#[derive(Debug, thiserror::Error)]
pub enum CollateralError {
    /// This part is over its limit.
    #[error("the collateral's {part} is larger than {limit} bytes")]
    TooLarge {
        /// Name of the field.
        part: &'static str,
        /// Its limit.
        limit: usize,
    },
    /// A signature has another length than 64 bytes.
    #[error("the collateral's {0} does not have 64 bytes")]
    Signature(&'static str),
    /// Not the JSON form.
    #[error("the collateral is not in its JSON form")]
    Json(#[source] serde_json::Error),
    /// Not the compact form, or not the one way to write it.
    #[error("the collateral is not in its compact form")]
    Compact,
}

// === impl Collateral ===

impl Collateral {
    /// Takes the parts if they are within their limits.
    ///
    /// # Errors
    /// [`CollateralError::TooLarge`] or [`CollateralError::Signature`].
    pub fn new(parts: CollateralParts) -> Result<Self, CollateralError> {
        let pck_chain = parts.pck_certificate_chain.as_ref().map_or(0, String::len);
        let sizes = [
            (
                "pck_crl_issuer_chain",
                parts.pck_crl_issuer_chain.len(),
                MAX_CHAIN,
            ),
            ("root_ca_crl", parts.root_ca_crl.len(), MAX_CRL),
            ("pck_crl", parts.pck_crl.len(), MAX_CRL),
            (
                "tcb_info_issuer_chain",
                parts.tcb_info_issuer_chain.len(),
                MAX_CHAIN,
            ),
            ("tcb_info", parts.tcb_info.len(), MAX_TCB_INFO),
            (
                "qe_identity_issuer_chain",
                parts.qe_identity_issuer_chain.len(),
                MAX_CHAIN,
            ),
            ("qe_identity", parts.qe_identity.len(), MAX_QE_IDENTITY),
            ("pck_certificate_chain", pck_chain, MAX_CHAIN),
        ];
        let mut total = 0_usize;
        for (part, size, limit) in sizes {
            if size > limit {
                return Err(CollateralError::TooLarge { part, limit });
            }
            total = total.saturating_add(size);
        }
        if total > MAX_TOTAL {
            return Err(CollateralError::TooLarge {
                part: "whole",
                limit: MAX_TOTAL,
            });
        }
        for (part, signature) in [
            ("tcb_info_signature", &parts.tcb_info_signature),
            ("qe_identity_signature", &parts.qe_identity_signature),
        ] {
            if signature.len() != SIGNATURE {
                return Err(CollateralError::Signature(part));
            }
        }
        Ok(Self(parts))
    }

    /// Reads the JSON form: an object with the fields of [`CollateralParts`], bytes in hexadecimal.
    ///
    /// # Errors
    /// [`CollateralError`] when it is too large or not that form.
    pub fn from_json(json: &[u8]) -> Result<Self, CollateralError> {
        if json.len() > MAX_JSON {
            return Err(CollateralError::TooLarge {
                part: "JSON form",
                limit: MAX_JSON,
            });
        }
        Self::new(serde_json::from_slice(json).map_err(CollateralError::Json)?)
    }

    /// The JSON form.
    pub fn to_json(&self) -> String {
        // Strings and bytes only: nothing that JSON cannot hold.
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// The fields.
    pub const fn parts(&self) -> &CollateralParts {
        &self.0
    }

    /// The fields, to change them.
    pub fn into_parts(self) -> CollateralParts {
        self.0
    }
}

impl std::fmt::Debug for Collateral {
    /// Sizes only: it is public, and long.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collateral")
            .field("tcb_info_bytes", &self.0.tcb_info.len())
            .field("pck_crl_bytes", &self.0.pck_crl.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
