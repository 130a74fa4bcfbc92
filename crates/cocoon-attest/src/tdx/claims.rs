use super::policy::TcbStatus;
use super::quote::TdxReport;
use crate::image::Measurements;

/// What a verified TDX quote says. Only [`super::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TdxClaims {
    /// Version of the quote, 4 or 5.
    pub quote_version: u16,
    /// Which report it holds.
    pub report: TdxReport,
    /// The registers that name the image.
    pub measurements: Measurements,
    /// The 64 bytes that the guest chose.
    pub report_data: [u8; 64],
    /// Attributes of the trust domain (debug, migratable, …).
    pub attributes: u64,
    /// Extended processor features that the domain may use.
    pub xfam: u64,
    /// Measurement of the TDX module.
    pub mr_seam: [u8; 48],
    /// Hash of the service domains, zero without any; TDX 1.5 only.
    pub mr_service_td: Option<[u8; 48]>,
    /// Security versions of the TDX module and its loader.
    pub tee_tcb_svn: [u8; 16],
    /// Security versions of the processor's microcode and firmware.
    pub cpu_svn: [u8; 16],
    /// Security version of the provisioning enclave.
    pub pce_svn: u16,
    /// Security version of the quoting enclave.
    pub qe_svn: u16,
    /// Kind of processor and package configuration.
    pub fmspc: [u8; 6],
    /// Platform and QE together.
    pub tcb_status: TcbStatus,
    /// Date of the TCB level that the platform is at, Unix seconds.
    pub tcb_date: u64,
    /// Security advisories that are open at that level.
    pub advisories: Vec<String>,
    /// Lower one of the evaluation numbers of TCB info and QE identity.
    pub tcb_evaluation: u32,
    /// Whether the platform runs with SMT, if its certificate says.
    pub smt: Option<bool>,
    /// Whether packages can be added to the platform, if its certificate says.
    pub dynamic_platform: Option<bool>,
    /// Whether Intel keeps the platform's root keys, if its certificate says.
    pub cached_keys: Option<bool>,
    /// SHA-384 of the root's public key (spec/network.md 3.5).
    pub root_key_id: [u8; 48],
    /// Last Unix second at which everything that was used holds: certificates, revocation lists, TCB info, QE identity.
    pub expires_at: u64,
}
