//! NVIDIA's JSON form of evidence: a list of objects with `evidence` (base64 of the report) and `certificate` (base64 of
//! the chain in PEM). Their `arch` and `nonce` are nobody's word and are not read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::chain::MAX_CERTIFICATES;
use super::{GpuEvidence, GpuMode, GpuRefusal};
use crate::x509::{Between, pem_certificates};

/// One GPU takes 12 KiB.
pub const MAX_JSON_BYTES: usize = 512 * 1024;
/// The largest machines have eight GPUs, and four switches beside them.
pub const MAX_GPUS: usize = 16;

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    evidence: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    certificate: std::borrow::Cow<'a, str>,
}

/// Reads evidence in NVIDIA's JSON form. The mode is [`GpuMode::Unknown`]: the form has no place for it.
///
/// # Errors
/// It is too large, or not of that form.
pub fn parse_json(text: &[u8]) -> Result<Vec<GpuEvidence>, GpuRefusal> {
    if text.len() > MAX_JSON_BYTES {
        return Err(GpuRefusal::JsonTooLarge);
    }
    let entries: Vec<Entry<'_>> =
        serde_json::from_slice(text).map_err(|_| GpuRefusal::Json("it is not a list of evidence"))?;
    if entries.len() > MAX_GPUS {
        return Err(GpuRefusal::JsonTooLarge);
    }
    entries.iter().map(Entry::read).collect()
}

// === impl Entry ===

impl Entry<'_> {
    fn read(&self) -> Result<GpuEvidence, GpuRefusal> {
        let decode = |text: &str| STANDARD.decode(text).ok();
        let report = decode(&self.evidence).ok_or(GpuRefusal::Json("evidence"))?;
        let chain = decode(&self.certificate)
            .and_then(|pem| {
                pem_certificates(std::str::from_utf8(&pem).ok()?, MAX_CERTIFICATES, Between::Text)
            })
            .ok_or(GpuRefusal::Json("certificate"))?;
        Ok(GpuEvidence {
            report,
            chain,
            revocation_lists: Vec::new(),
            mode: GpuMode::Unknown,
        })
    }
}
