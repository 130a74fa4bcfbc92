//! NVIDIA GPU evidence: an SPDM measurement report that the GPU signs (DMTF DSP0274 1.1, GET_MEASUREMENTS), with the chain
//! of its key up to NVIDIA's device root.
//!
//! Steps of [`verify`], in this order; a refusal names the step:
//! 1. sizes and form of the report: request, response, measurement blocks, vendor's fields;
//! 2. the chain: exactly up to the given root, signatures, who may issue what, validity at `now`;
//! 3. the report's signature (ECDSA P-384 with SHA-384 over request and response);
//! 4. the nonce, which must be the one of this statement: see [`nonce`];
//! 5. the firmware id: the one in the report must be the one that the key is certified for;
//! 6. revocation lists, as far as they came;
//! 7. the [`GpuVerdict`]: driver, firmware, their reference values, mode.
//!
//! Steps 1 to 6 end in a [`GpuRefusal`]: the evidence is not genuine, or not for us. Step 7 judges a genuine GPU. What is not
//! allowed there is still a claim worth showing, so it is a verdict, [`GpuVerdict::NotAttested`], under which the tier of
//! its machine is at most `attested`.
//!
//! # What the report does not say
//! * **Whether confidential mode is on.** The report of a Hopper GPU has no such field, and NVIDIA's own verifier asks the
//!   driver. So do we: [`GpuMode`] is what the driver said *inside the guest*. The GPU does not sign it; it is worth what
//!   the guest's image is worth, and the caller takes it from the statement that the CPU's quote covers. Newer GPUs sign a
//!   feature flag, and all sign whether protected PCIe (which is less) is on: these are read here.
//! * **Which GPU the guest really uses.** The nonce ties the report to a statement, not the device to the bus: the driver
//!   of the measured image sets up the encrypted session with the GPU that answers.
//! * **When.** The nonce names a block of the chain; the statement's age is the caller's check.
//! * **Good values.** A genuine signature says what was measured. What is good is in NVIDIA's signed reference manifests
//!   (RIM, XML); they are not read here. Whoever builds a network checks them with NVIDIA's tool and lists their digests as
//!   [`GpuPolicy::drivers`] and [`GpuPolicy::firmwares`].
//!
//! Revocation is judged from revocation lists and not from OCSP: NVIDIA's authorities publish both, a list is signed, dated and
//! needs no question to a server.

mod chain;
mod json;
mod policy;
mod refusal;
mod report;
mod wire;

pub use json::{MAX_GPUS, MAX_JSON_BYTES, parse_json};
pub use policy::{GpuPolicy, GpuReference, GpuReferenceValue, GpuShortfall, GpuVerdict};
pub use refusal::{GpuLink, GpuRefusal};
pub use report::{GpuFeature, MAX_GPU_REPORT_BYTES};
pub use wire::{
    GPU_EVIDENCE_DOMAIN, GpuEvidenceError, MAX_GPU_EVIDENCE_BYTES, decode_evidence, encode_evidence,
    evidence_digest,
};

use aws_lc_rs::digest::{Context, SHA256};

use crate::policy::Accelerators;
use report::Report;

/// NVIDIA's root of device identities, as certificate in DER. A public key that NVIDIA publishes; source in NOTICE.
pub const NVIDIA_DEVICE_ROOT: &[u8] = include_bytes!("gpu/roots/nvidia-device.der");

/// Stands in front of everything that [`nonce`] hashes.
pub const GPU_NONCE_DOMAIN: &[u8; 24] = b"cocoon gpu evidence v1\0\0";

/// Evidence of one GPU, as the driver's library gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GpuEvidence {
    /// SPDM request and response, one behind the other.
    pub report: Vec<u8>,
    /// Certificates in DER: the key's first, the root last.
    pub chain: Vec<Vec<u8>>,
    /// Revocation lists in DER, at most one for each authority of the chain. None is allowed.
    pub revocation_lists: Vec<Vec<u8>>,
    /// What the driver inside the guest says. The GPU does not sign it (see the module's header).
    pub mode: GpuMode,
}

/// What a driver says about the confidential mode of its GPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum GpuMode {
    /// Nobody asked.
    #[default]
    Unknown,
    /// Off: the bus carries plaintext.
    Off,
    /// On, with the debugging of the developer tools: the host may look in.
    DevTools,
    /// On.
    Confidential,
}

/// What verified evidence says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GpuClaims {
    /// Whether the GPU counts, under the policy.
    pub verdict: GpuVerdict,
    /// Model, as the certificate above the key's names it: `GH100 A01 GSP BROM`.
    pub model: String,
    /// Version of the driver.
    pub driver: String,
    /// Version of the VBIOS in NVIDIA's form: `96.00.9f.00.01`.
    pub firmware: String,
    /// The signed feature flag, on GPUs that have it.
    pub feature: Option<GpuFeature>,
    /// Whether the signed report says that protected PCIe is on.
    pub protected_pcie: bool,
    /// What the driver says about the mode.
    pub mode: GpuMode,
    /// The measured values by index, from 0 as in NVIDIA's manifests.
    pub measurements: Vec<Vec<u8>>,
    /// SHA-256 of the certificate of the GPU's key: tells GPUs apart. The same GPU has the same for life.
    pub device: [u8; 32],
    /// What the revocation lists say.
    pub revocation: GpuRevocation,
    /// Last Unix second at which all of this holds: the earliest end of any certificate and list.
    pub expires_at: u64,
}

/// What is known about revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GpuRevocation {
    /// No list came: nothing is known.
    NotJudged,
    /// Lists came, but not for every certificate that says where its issuer publishes one.
    Partly,
    /// Every certificate that says where its issuer publishes a list was looked up in a current one, and is not on it.
    Judged,
}

/// The nonce for the evidence of a statement: SHA-256([`GPU_NONCE_DOMAIN`] ‖ key ‖ block id). It ties the GPU's report to the
/// statement of one peer and to the age of one block.
pub fn nonce(statement_key: &[u8; 32], block_id: &[u8]) -> [u8; 32] {
    let mut hash = Context::new(&SHA256);
    hash.update(GPU_NONCE_DOMAIN);
    hash.update(statement_key);
    hash.update(block_id);
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(hash.finish().as_ref()) {
        *to = *from;
    }
    out
}

/// What the GPUs of one machine earn together: attested when every one is, and no two are the same one. Whether these are
/// all that the machine uses, the measured image answers for; without any, that is [`Accelerators::NotAttested`] too,
/// because a machine that uses none says so itself.
pub fn accelerators(claims: &[GpuClaims]) -> Accelerators {
    let is_new = |(place, one): (usize, &GpuClaims)| {
        let mut before = claims.iter().take(place);
        one.verdict == GpuVerdict::Attested && before.all(|other| other.device != one.device)
    };
    if !claims.is_empty() && claims.len() <= MAX_GPUS && claims.iter().enumerate().all(is_new) {
        Accelerators::Attested
    } else {
        Accelerators::NotAttested
    }
}

/// The nonce in a report, for showing evidence whose statement is not at hand. It says nothing until it is compared.
pub fn nonce_in(report: &[u8]) -> Option<[u8; 32]> {
    Report::parse(report).ok().map(|report| *report.nonce)
}

/// Verifies evidence of `now` (Unix seconds) for `nonce` against the root ([`NVIDIA_DEVICE_ROOT`] in production).
///
/// # Errors
/// The [`GpuRefusal`] of the first check that fails, in the order of this module's header.
pub fn verify(
    evidence: &GpuEvidence,
    nonce: &[u8; 32],
    root: &[u8],
    policy: &GpuPolicy,
    now: u64,
) -> Result<GpuClaims, GpuRefusal> {
    // Step 1.
    let report = Report::parse(&evidence.report)?;
    // Step 2.
    let chain = chain::Chain::verify(&evidence.chain, root, now)?;
    // Step 3.
    chain
        .leaf()
        .key
        .verify_fixed(report.signed, report.signature)
        .map_err(|_| GpuRefusal::ReportSignature)?;
    // Step 4.
    if report.nonce != nonce {
        return Err(GpuRefusal::Nonce);
    }
    // Step 5.
    chain.check_firmware_id(report.firmware_id)?;
    // Step 6.
    let (revocation, lists_end) = chain.check_revocation(&evidence.revocation_lists, now)?;
    // Step 7.
    let verdict = policy.judge(&report, evidence.mode, revocation);
    Ok(GpuClaims {
        verdict,
        model: chain.model().to_owned(),
        driver: report.driver.to_owned(),
        firmware: report.firmware.clone(),
        feature: report.feature,
        protected_pcie: report.protected_pcie,
        mode: evidence.mode,
        measurements: report.measurements.iter().map(|value| value.to_vec()).collect(),
        device: chain.device(),
        revocation,
        expires_at: chain.end().min(lists_end),
    })
}

#[cfg(test)]
mod tests;
