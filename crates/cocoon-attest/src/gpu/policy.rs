use super::report::{NO, Report, YES};
use super::{GpuFeature, GpuMode, GpuRevocation};

/// Index of the measurement of the first video decoder: it counts only while the decoder is on, because a decoder that
/// is off measures nothing.
const DECODER_MEASUREMENT: u8 = 35;

/// Which GPUs count. The default counts none, because no driver and no firmware is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GpuPolicy {
    /// Allowed drivers with their reference values (from NVIDIA's signed manifests). Empty: none is allowed.
    pub drivers: Vec<GpuReference>,
    /// Allowed firmwares (VBIOS) with their reference values. Empty: none is allowed.
    pub firmwares: Vec<GpuReference>,
    /// Whether protected PCIe is enough. Default: no; it leaves the links between GPUs in plaintext.
    pub allow_protected_pcie: bool,
    /// Whether every authority's revocation list must be there. Default: no, because a verifier without internet would lose
    /// every GPU; the claims say that it was not judged.
    pub require_revocation: bool,
}

/// A driver or firmware and what a GPU that runs it measures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuReference {
    /// `550.90.07`, or `96.00.9f.00.01`; letters in any case.
    pub version: String,
    /// The active measurements of its manifest. An empty list allows nothing.
    pub measurements: Vec<GpuReferenceValue>,
}

/// What one measurement may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuReferenceValue {
    /// From 0, as in NVIDIA's manifests.
    pub index: u8,
    /// SHA-384 digests; any of them.
    pub allowed: Vec<[u8; 48]>,
}

/// What a genuine GPU is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GpuVerdict {
    /// Allowed driver and firmware, good measurements, confidential mode on: prompts may go there.
    Attested,
    /// The first thing that is missing. The tier of its machine is at most `attested`.
    NotAttested(GpuShortfall),
}

/// What a genuine GPU lacks, in the order in which it is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GpuShortfall {
    /// The driver's version is not listed.
    #[error("the driver is not on the list of allowed drivers")]
    Driver,
    /// The firmware's version is not listed.
    #[error("the firmware is not on the list of allowed firmwares")]
    Firmware,
    /// A listed driver or firmware has no reference values: its version number alone proves nothing.
    #[error("the driver or the firmware is listed without reference values")]
    NoReferenceValues,
    /// Driver and firmware both claim this measurement.
    #[error("driver and firmware both have a reference value for measurement {0}")]
    Conflict(u8),
    /// The video decoder is neither on nor off.
    #[error("the status of the video decoder is unknown")]
    Decoder,
    /// This measurement is missing or has none of the allowed values.
    #[error("measurement {0} has none of the allowed values")]
    Measurement(u8),
    /// Nobody asked the driver for the mode.
    #[error("nothing says that confidential mode is on")]
    ModeUnknown,
    /// Confidential mode is off.
    #[error("confidential mode is off")]
    ModeOff,
    /// The developer tools may look in.
    #[error("confidential mode runs with developer tools on")]
    DevTools,
    /// Protected PCIe is on instead.
    #[error("the GPU is in protected PCIe mode")]
    ProtectedPcie,
    /// A feature flag that is not known here.
    #[error("the GPU signs an unknown feature flag")]
    Feature,
    /// The policy demands revocation lists.
    #[error("revocation was not judged")]
    Revocation,
}

// === impl GpuPolicy ===

impl GpuPolicy {
    /// Step 7.
    pub(super) fn judge(&self, report: &Report<'_>, mode: GpuMode, revocation: GpuRevocation) -> GpuVerdict {
        let checks = || {
            self.check_references(report)?;
            self.check_mode(report, mode)?;
            if self.require_revocation && revocation != GpuRevocation::Judged {
                return Err(GpuShortfall::Revocation);
            }
            Ok(())
        };
        checks().map_or_else(GpuVerdict::NotAttested, |()| GpuVerdict::Attested)
    }

    /// As NVIDIA's verifier decides: every active value of both manifests must be measured, and no index may be in both.
    fn check_references(&self, report: &Report<'_>) -> Result<(), GpuShortfall> {
        let driver = find(&self.drivers, report.driver).ok_or(GpuShortfall::Driver)?;
        let firmware = find(&self.firmwares, &report.firmware).ok_or(GpuShortfall::Firmware)?;
        if driver.measurements.is_empty() || firmware.measurements.is_empty() {
            return Err(GpuShortfall::NoReferenceValues);
        }
        let in_both = driver.measurements.iter().find(|value| {
            firmware
                .measurements
                .iter()
                .any(|other| other.index == value.index)
        });
        if let Some(value) = in_both {
            return Err(GpuShortfall::Conflict(value.index));
        }
        let decoder_is_off = match report.decoder {
            Some(NO) => true,
            Some(YES) => false,
            _ => return Err(GpuShortfall::Decoder),
        };
        for value in driver.measurements.iter().chain(&firmware.measurements) {
            if value.index == DECODER_MEASUREMENT && decoder_is_off {
                continue;
            }
            let measured = report.measurements.get(usize::from(value.index));
            let is_allowed =
                measured.is_some_and(|measured| value.allowed.iter().any(|good| good == *measured));
            if !is_allowed {
                return Err(GpuShortfall::Measurement(value.index));
            }
        }
        Ok(())
    }

    /// What the GPU signs about the mode counts first; the rest is the driver's word.
    fn check_mode(&self, report: &Report<'_>, mode: GpuMode) -> Result<(), GpuShortfall> {
        let is_protected_pcie = report.protected_pcie || report.feature == Some(GpuFeature::ProtectedPcie);
        if is_protected_pcie && !self.allow_protected_pcie {
            return Err(GpuShortfall::ProtectedPcie);
        }
        if let Some(GpuFeature::Unknown(_)) = report.feature {
            return Err(GpuShortfall::Feature);
        }
        match mode {
            GpuMode::Confidential => Ok(()),
            GpuMode::Unknown => Err(GpuShortfall::ModeUnknown),
            GpuMode::Off => Err(GpuShortfall::ModeOff),
            GpuMode::DevTools => Err(GpuShortfall::DevTools),
        }
    }
}

fn find<'a>(list: &'a [GpuReference], version: &str) -> Option<&'a GpuReference> {
    list.iter()
        .find(|reference| reference.version.eq_ignore_ascii_case(version))
}
