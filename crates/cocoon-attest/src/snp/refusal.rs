use super::report::SnpFirmware;
use super::tcb::{SnpTcbKind, SnpTcbPart};
use crate::x509::CertificateFault;

/// Which certificate or list of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnpLink {
    /// AMD's root key (ARK), which is given as trust root.
    Root,
    /// AMD's signing key (ASK, or ASVK for loaded keys).
    Intermediate,
    /// The endorsement key of the chip or the provider (VCEK, VLEK).
    Leaf,
    /// A revocation list.
    RevocationList,
}

/// Why an SEV-SNP report is refused: one variant for each check, in the order in which they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnpRefusal {
    /// Step 1: not 1184 bytes.
    #[error("an SEV-SNP report has 1184 bytes, this one has {got}")]
    ReportSize {
        /// Bytes that came.
        got: usize,
    },
    /// Step 1: not a version that is read here (2 to 5).
    #[error("the report has version {got}; versions 2 to 5 are read")]
    ReportVersion {
        /// The version that came.
        got: u32,
    },
    /// Step 1: not ECDSA P-384 with SHA-384.
    #[error("the report has signature algorithm {got}, not 1 (ECDSA P-384 with SHA-384)")]
    SignatureAlgorithm {
        /// The algorithm that came.
        got: u32,
    },
    /// Step 1: the host asked for it, so the guest has put nothing into the report data.
    #[error("the report was asked for by the host, not by the guest")]
    AskedByHost,
    /// Step 1: MASK_CHIP_KEY is on, or the signing key is "none".
    #[error("the platform does not sign its reports (MASK_CHIP_KEY is on)")]
    Unsigned,
    /// Step 1: neither VCEK nor VLEK.
    #[error("the report is signed with a key of unknown kind {got}")]
    SigningKey {
        /// SIGNING_KEY of the report.
        got: u32,
    },
    /// Step 1: a scalar is too large, or there are bytes beside the two scalars.
    #[error("the report's signature is malformed")]
    SignatureForm,
    /// Steps 2 to 5.
    #[error("{of:?}: {fault}")]
    Certificate {
        /// Which one.
        of: SnpLink,
        /// What is wrong with it.
        fault: CertificateFault,
    },
    /// Step 2: the intermediate does not name an AMD product line that is known.
    #[error("the intermediate certificate names no known product line")]
    ProductLine,
    /// Step 2: a VCEK under the authority for VLEKs, the other way round, or another one than the report says.
    #[error("the kind of the signing key differs between the report, its certificate and its authority")]
    KeyKind,
    /// Step 3: no trust root has the name of the intermediate's issuer.
    #[error("the chain ends at a root that is not trusted here")]
    UnknownRoot,
    /// Step 5: the policy demands one.
    #[error("the revocation list of AMD's root is missing")]
    RevocationListMissing,
    /// Step 5: more lists than there are authorities.
    #[error("there are more than two revocation lists")]
    RevocationLists,
    /// Step 6: the key is certified for another product.
    #[error("the signing key is certified for another product than its authority's")]
    ProductName,
    /// Step 6: the report does not say which chip it comes from.
    #[error("the platform hides its chip id (MASK_CHIP_ID is on)")]
    ChipIdMasked,
    /// Step 6: the key is certified for another chip.
    #[error("the signing key is certified for another chip than the report's")]
    HardwareId,
    /// Step 6: the key is certified for another TCB version.
    #[error("the signing key is certified for another TCB version than the reported one")]
    CertifiedTcb,
    /// Step 7: not signed by the chain's key.
    #[error("the report is not signed by the key of its chain")]
    ReportSignature,
    /// Step 8: CPUID family and model are of another product.
    #[error("the report comes from a processor of another product line than its chain")]
    Processor,
    /// Step 8: a TCB version or firmware is newer than what runs.
    #[error("the report is inconsistent: its {0:?} TCB version is newer than what runs")]
    Inconsistent(SnpTcbKind),
    /// Step 8: AUTHOR_KEY_EN and the digest of the author key do not fit, or the reserved one-bit of the policy is zero.
    #[error("the report is inconsistent: {0}")]
    Reserved(&'static str),
    /// Step 9.
    #[error("product line {0:?} is not allowed")]
    Product(super::product::SnpProduct),
    /// Step 9: no microcode is listed for this kind of processor, or the report (version 2) does not say which it is.
    #[error("no minimum is known for this kind of processor: {0:?}")]
    ProcessorNotListed(Option<super::product::SnpCpu>),
    /// Step 9: a provider's key, not a chip's.
    #[error("a loaded key (VLEK) is not allowed")]
    LoadedKey,
    /// Step 9.
    #[error("the {kind:?} TCB version is too old: {part:?} is {got}, at least {least} is needed")]
    Tcb {
        /// Which of the four.
        kind: SnpTcbKind,
        /// The first part that is too old.
        part: SnpTcbPart,
        /// What it is.
        got: u8,
        /// What it has to be at least.
        least: u8,
    },
    /// Step 9: the firmware that runs can still be rolled back.
    #[error("the platform runs provisional firmware: what runs is not committed")]
    ProvisionalFirmware,
    /// Step 9.
    #[error("the firmware is {got:?}, at least {least:?} is needed")]
    Firmware {
        /// What runs.
        got: SnpFirmware,
        /// What has to run at least.
        least: SnpFirmware,
    },
    /// Step 10: the guest was launched in a way that the policy does not allow.
    #[error("the guest policy {0}")]
    Guest(&'static str),
    /// Step 11: the platform is set up in a way that the policy does not allow.
    #[error("the platform {0}")]
    Platform(&'static str),
    /// Step 12.
    #[error("the report was asked for at VMPL {got}, at most {most} is allowed")]
    Vmpl {
        /// Level of the asker; 0 is the most privileged.
        got: u32,
        /// Highest number allowed.
        most: u32,
    },
    /// Step 12.
    #[error("the guest has security version {got}, at least {least} is needed")]
    GuestSvn {
        /// What it has.
        got: u32,
        /// What it has to have at least.
        least: u32,
    },
    /// Step 12.
    #[error("the guest's ID key is not allowed")]
    IdKey,
    /// Step 12.
    #[error("the guest's author key is not allowed")]
    AuthorKey,
    /// Step 13.
    #[error("the launch measurement is not allowed")]
    Measurement,
    /// Step 13.
    #[error("the host data is not the expected one")]
    HostData,
    /// Step 13.
    #[error("the report data is not the expected one")]
    ReportData,
}
