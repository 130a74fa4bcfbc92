//! Our form of the evidence of a machine's GPUs: certificates and lists once, then each GPU with the numbers of its own.
//! Eight Hopper GPUs share three of five certificates and so fit into a message of 64 KiB. One encoding for each value.

use aws_lc_rs::digest::{Context, SHA256};

use super::chain::MAX_CERTIFICATES;
use super::{GpuEvidence, GpuMode, MAX_GPU_REPORT_BYTES, MAX_GPUS};
use crate::image::fixed;
use crate::x509::MAX_X509_BYTES;

/// Stands in front of everything that [`evidence_digest`] hashes.
pub const GPU_EVIDENCE_DOMAIN: &[u8; 28] = b"cocoon gpu evidence list v1\0";

/// Most bytes of the encoded evidence of a machine: what is left of a message of 64 KiB beside a quote and a statement.
pub const MAX_GPU_EVIDENCE_BYTES: usize = 56 * 1024;

/// The first byte.
const VERSION: u8 = 1;

/// Most distinct certificates, and most distinct revocation lists: sixteen GPUs with three of their own and three shared.
const MAX_PARTS: usize = 64;

/// Largest revocation list, as of every other maker.
const MAX_LIST_BYTES: usize = 49_152;

/// Evidence cannot be written, or bytes are not the form of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the GPU evidence is malformed: {0}")]
pub struct GpuEvidenceError(&'static str);

/// Certificates or lists, each once, in the order in which they are first named.
#[derive(Default)]
struct Parts<'a> {
    parts: Vec<&'a [u8]>,
}

struct Fields<'a> {
    rest: &'a [u8],
}

/// SHA-256([`GPU_EVIDENCE_DOMAIN`] ‖ encoded evidence): what a statement names.
pub fn evidence_digest(encoded: &[u8]) -> [u8; 32] {
    let mut hash = Context::new(&SHA256);
    hash.update(GPU_EVIDENCE_DOMAIN);
    hash.update(encoded);
    fixed(hash.finish().as_ref())
}

/// Encodes the evidence of one GPU at least.
///
/// # Errors
/// It is over a limit.
pub fn encode_evidence(gpus: &[GpuEvidence]) -> Result<Vec<u8>, GpuEvidenceError> {
    let (mut certificates, mut lists) = (Parts::default(), Parts::default());
    let mut tail = vec![count(gpus.len(), 1..=MAX_GPUS, "number of GPUs")?];
    for gpu in gpus {
        tail.push(match gpu.mode {
            GpuMode::Unknown => 0,
            GpuMode::Off => 1,
            GpuMode::DevTools => 2,
            GpuMode::Confidential => 3,
        });
        put(&mut tail, &gpu.report, MAX_GPU_REPORT_BYTES, "report")?;
        certificates.put_all(&mut tail, &gpu.chain)?;
        lists.put_all(&mut tail, &gpu.revocation_lists)?;
    }
    let mut out = vec![VERSION];
    for (parts, limit) in [(certificates, MAX_X509_BYTES), (lists, MAX_LIST_BYTES)] {
        out.push(count(parts.parts.len(), 0..=MAX_PARTS, "number of certificates")?);
        for part in parts.parts {
            put(&mut out, part, limit, "certificate")?;
        }
    }
    out.extend(tail);
    if out.len() > MAX_GPU_EVIDENCE_BYTES {
        return Err(GpuEvidenceError("it is too long"));
    }
    Ok(out)
}

/// Reads what [`encode_evidence`] wrote, and nothing else. Nothing in it is verified.
///
/// # Errors
/// It is over a limit, or not of that form.
pub fn decode_evidence(bytes: &[u8]) -> Result<Vec<GpuEvidence>, GpuEvidenceError> {
    if bytes.len() > MAX_GPU_EVIDENCE_BYTES {
        return Err(GpuEvidenceError("it is too long"));
    }
    let mut fields = Fields { rest: bytes };
    if fields.byte("version")? != VERSION {
        return Err(GpuEvidenceError("version"));
    }
    let certificates = fields.parts(MAX_X509_BYTES)?;
    let lists = fields.parts(MAX_LIST_BYTES)?;
    let (mut named_certificates, mut named_lists) = (0, 0);
    let mut gpus = Vec::new();
    for _ in 0..fields.counted(1..=MAX_GPUS, "number of GPUs")? {
        let mode = match fields.byte("mode")? {
            0 => GpuMode::Unknown,
            1 => GpuMode::Off,
            2 => GpuMode::DevTools,
            3 => GpuMode::Confidential,
            _ => return Err(GpuEvidenceError("mode")),
        };
        gpus.push(GpuEvidence {
            mode,
            report: fields.part(MAX_GPU_REPORT_BYTES, "report")?.to_vec(),
            chain: fields.named(&certificates, &mut named_certificates)?,
            revocation_lists: fields.named(&lists, &mut named_lists)?,
        });
    }
    // Parts that no GPU names would be a second encoding of the same evidence.
    if !fields.rest.is_empty() || named_certificates != certificates.len() || named_lists != lists.len() {
        return Err(GpuEvidenceError("end"));
    }
    Ok(gpus)
}

fn count(
    number: usize,
    allowed: std::ops::RangeInclusive<usize>,
    part: &'static str,
) -> Result<u8, GpuEvidenceError> {
    let number = Some(number).filter(|number| allowed.contains(number));
    number
        .and_then(|number| u8::try_from(number).ok())
        .ok_or(GpuEvidenceError(part))
}

fn put(out: &mut Vec<u8>, bytes: &[u8], limit: usize, part: &'static str) -> Result<(), GpuEvidenceError> {
    let length = Some(bytes.len()).filter(|length| *length <= limit);
    let length = length.and_then(|length| u16::try_from(length).ok());
    out.extend(length.ok_or(GpuEvidenceError(part))?.to_be_bytes());
    out.extend(bytes);
    Ok(())
}

// === impl Parts ===

impl<'a> Parts<'a> {
    fn put_all(&mut self, out: &mut Vec<u8>, all: &'a [Vec<u8>]) -> Result<(), GpuEvidenceError> {
        out.push(count(all.len(), 0..=MAX_CERTIFICATES, "number of certificates")?);
        for part in all {
            let known = self.parts.iter().position(|other| other == part);
            let number = known.unwrap_or(self.parts.len());
            if known.is_none() {
                self.parts.push(part);
            }
            out.push(count(number, 0..=MAX_PARTS, "number of certificates")?);
        }
        Ok(())
    }
}

// === impl Fields ===

impl<'a> Fields<'a> {
    fn byte(&mut self, part: &'static str) -> Result<u8, GpuEvidenceError> {
        let (&byte, rest) = self.rest.split_first().ok_or(GpuEvidenceError(part))?;
        self.rest = rest;
        Ok(byte)
    }

    fn counted(
        &mut self,
        allowed: std::ops::RangeInclusive<usize>,
        part: &'static str,
    ) -> Result<usize, GpuEvidenceError> {
        let number = usize::from(self.byte(part)?);
        if allowed.contains(&number) {
            Ok(number)
        } else {
            Err(GpuEvidenceError(part))
        }
    }

    fn part(&mut self, limit: usize, part: &'static str) -> Result<&'a [u8], GpuEvidenceError> {
        let (length, rest) = self.rest.split_first_chunk().ok_or(GpuEvidenceError(part))?;
        let length = usize::from(u16::from_be_bytes(*length));
        if length > limit {
            return Err(GpuEvidenceError(part));
        }
        let (taken, rest) = rest.split_at_checked(length).ok_or(GpuEvidenceError(part))?;
        self.rest = rest;
        Ok(taken)
    }

    /// Distinct certificates or lists.
    fn parts(&mut self, limit: usize) -> Result<Vec<&'a [u8]>, GpuEvidenceError> {
        let mut parts: Vec<&[u8]> = Vec::new();
        for _ in 0..self.counted(0..=MAX_PARTS, "number of certificates")? {
            let part = self.part(limit, "certificate")?;
            if parts.contains(&part) {
                return Err(GpuEvidenceError("a certificate is there twice"));
            }
            parts.push(part);
        }
        Ok(parts)
    }

    /// The parts that a GPU names. Each new number is the next one: the order is that of first use.
    fn named(&mut self, parts: &[&[u8]], next: &mut usize) -> Result<Vec<Vec<u8>>, GpuEvidenceError> {
        let mut found = Vec::new();
        for _ in 0..self.counted(0..=MAX_CERTIFICATES, "number of certificates")? {
            let number = usize::from(self.byte("certificate's number")?);
            if number > *next {
                return Err(GpuEvidenceError("order of certificates"));
            }
            let part = parts.get(number);
            let part = part.ok_or(GpuEvidenceError("certificate's number"))?;
            if number == *next {
                *next = next.saturating_add(1);
            }
            found.push(part.to_vec());
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
