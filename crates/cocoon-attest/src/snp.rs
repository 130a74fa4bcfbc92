//! AMD SEV-SNP attestation reports (SEV-SNP ABI 56860; keys and certificates: 57230).
//!
//! A report is signed with the chip's endorsement key (VCEK), or a provider's (VLEK), which AMD certifies:
//! key <- ASK <- ARK. Verification is ours and not the `sev` crate's: that one checks the signatures alone, with pure Rust RSA
//! and P-384 (50 packages more, a second set of cryptography beside aws-lc-rs), while the report is one struct of
//! 1184 bytes and the certificates need no more than the DER reader of this crate. Everything else (times, revocation,
//! certified TCB and chip, policy) would have to be written in any case.
//!
//! Steps of [`verify`], in this order; a refusal names the step:
//! 1. the report's form: size, version, algorithm, who asked, which key;
//! 2. the chain's form: kinds of certificates, product line;
//! 3. the chain's signatures up to a given root, and who may issue what;
//! 4. validity of each certificate at `now`;
//! 5. revocation lists;
//! 6. what AMD certified about the key: product, chip, TCB version;
//! 7. the report's signature;
//! 8. the report's consistency;
//! 9. to 13. the policy: machine, guest's launch, platform, guest, expected values.
//!
//! AMD gives every VCEK the serial number 0, so its revocation list can only name intermediates: a single chip cannot be
//! revoked by it, only by its TCB version.

mod compact;
mod endorsement;
mod policy;
mod product;
mod refusal;
mod report;
mod roots;
mod tcb;

pub use policy::{
    SnpGuestPolicy, SnpGuestRules, SnpMeasurements, SnpMicrocode, SnpPlatform, SnpPlatformRules, SnpPolicy,
    SnpProductRule,
};
pub use product::{SnpCpu, SnpProduct};
pub use refusal::{SnpLink, SnpRefusal};
pub use report::{SNP_REPORT_BYTES, SnpFirmware, SnpKeyKind};
pub use roots::AMD_ROOTS;
pub use tcb::{SnpTcb, SnpTcbKind, SnpTcbPart};

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};

use crate::x509::{CertificateFault, Crl, Key, X509};
use report::Report;

/// What is sent along with a report, in DER. The root is not: the verifier has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnpChain {
    /// VCEK or VLEK.
    pub leaf: Vec<u8>,
    /// ASK, or ASVK for a VLEK.
    pub intermediate: Vec<u8>,
    /// The root's revocation list, and the intermediate's if it ever issues one. At most two.
    pub revocation_lists: Vec<Vec<u8>>,
}

/// What a verified report says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnpClaims {
    /// Product line.
    pub product: SnpProduct,
    /// Which kind of processor, in reports of version 3 and later.
    pub cpu: Option<SnpCpu>,
    /// Which kind of key signed it.
    pub key_kind: SnpKeyKind,
    /// Which chip it is, when its own key signed.
    pub chip_id: Option<SnpChipId>,
    /// Launch measurement.
    pub measurement: [u8; 48],
    /// 64 bytes of the guest's choice.
    pub report_data: [u8; 64],
    /// 32 bytes of the host's choice, fixed at launch.
    pub host_data: [u8; 32],
    /// TCB versions.
    pub tcbs: SnpTcbs,
    /// Firmware that runs.
    pub firmware: SnpFirmware,
    /// How the guest was launched.
    pub guest_policy: SnpGuestPolicy,
    /// How the machine is set up.
    pub platform: SnpPlatform,
    /// Level of the asker.
    pub vmpl: u32,
    /// Security version of the guest.
    pub guest_svn: u32,
    /// Family of the guest, by its owner.
    pub family_id: [u8; 16],
    /// Image of the guest, by its owner.
    pub image_id: [u8; 16],
    /// SHA-384 of the key that signed the ID block; zero without one.
    pub id_key_digest: [u8; 48],
    /// SHA-384 of the key that certified the ID key; zero without one.
    pub author_key_digest: [u8; 48],
    /// Whether the root's revocation list was there and current.
    pub revocation_judged: bool,
    /// Last Unix second at which all of this holds: the earliest end of any certificate and list.
    pub expires_at: u64,
}

/// The four TCB versions of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnpTcbs {
    /// What runs now.
    pub current: SnpTcb,
    /// What the signing key stands for.
    pub reported: SnpTcb,
    /// What cannot be rolled back below.
    pub committed: SnpTcb,
    /// What ran at launch.
    pub launch: SnpTcb,
}

/// The id of a chip. It follows a machine for life, so `Debug` shows only a hash of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SnpChipId(pub [u8; 64]);

/// Verifies a report of `now` (Unix seconds) against the roots (ARKs in DER, [`AMD_ROOTS`] in production).
///
/// # Errors
/// The [`SnpRefusal`] of the first check that fails, in the order of this module's header.
pub fn verify(
    report: &[u8],
    chain: &SnpChain,
    roots: &[&[u8]],
    policy: &SnpPolicy,
    now: u64,
) -> Result<SnpClaims, SnpRefusal> {
    // Step 1.
    let report = Report::parse(report)?;
    // Step 2.
    let leaf = X509::parse(&chain.leaf).map_err(at(SnpLink::Leaf))?;
    let intermediate = X509::parse(&chain.intermediate).map_err(at(SnpLink::Intermediate))?;
    let (product, is_vlek) = intermediate
        .common_name()
        .and_then(SnpProduct::of_intermediate)
        .ok_or(SnpRefusal::ProductLine)?;
    if is_vlek != (report.key_kind == SnpKeyKind::Vlek) {
        return Err(SnpRefusal::KeyKind);
    }
    // Steps 3 and 4.
    let root = check_chain(&leaf, &intermediate, roots, now)?;
    // Step 5.
    let lists_end = check_revocation(
        chain,
        policy,
        [(&root, &intermediate), (&intermediate, &leaf)],
        now,
    )?;
    // Step 6.
    endorsement::check(&leaf, product, &report)?;
    // Step 7.
    leaf.key
        .verify_fixed(report.signed, &report.signature)
        .map_err(|_| SnpRefusal::ReportSignature)?;
    // Step 8.
    let tcbs = SnpTcbs::read(&report, product);
    check_consistency(&report, product, &tcbs)?;
    // Steps 9 to 13.
    policy.check(&report, product, &tcbs)?;
    let ends = [leaf.not_after, intermediate.not_after, root.not_after];
    Ok(SnpClaims {
        product,
        cpu: report.cpu,
        key_kind: report.key_kind,
        chip_id: (report.key_kind == SnpKeyKind::Vcek).then_some(SnpChipId(*report.chip_id)),
        measurement: *report.measurement,
        report_data: *report.report_data,
        host_data: *report.host_data,
        tcbs,
        firmware: report.current_firmware,
        guest_policy: report.guest_policy,
        platform: report.platform,
        vmpl: report.vmpl,
        guest_svn: report.guest_svn,
        family_id: report.family_id,
        image_id: report.image_id,
        id_key_digest: *report.id_key_digest,
        author_key_digest: *report.author_key_digest,
        revocation_judged: lists_end.is_some(),
        expires_at: ends.into_iter().chain(lists_end).min().unwrap_or(0),
    })
}

/// The report data that a report names, and nothing verified about it.
///
/// # Errors
/// The report is malformed.
pub fn unverified_report_data(report: &[u8]) -> Result<[u8; 64], SnpRefusal> {
    Report::parse(report).map(|report| *report.report_data)
}

/// Whose evidence a chain claims to be: the name that its intermediate gives for its issuer.
pub(crate) fn names_root(chain: &SnpChain, root_der: &[u8]) -> Result<bool, SnpRefusal> {
    let intermediate = X509::parse(&chain.intermediate).map_err(at(SnpLink::Intermediate))?;
    let root = X509::parse(root_der).map_err(at(SnpLink::Root))?;
    Ok(intermediate.issuer == root.subject)
}

/// The subject of a root, in DER; `None` when it is no certificate that is read here.
pub(crate) fn root_name(root_der: &[u8]) -> Option<&[u8]> {
    X509::parse(root_der).ok().map(|root| root.subject)
}

/// Steps 3 and 4; gives the root that the chain ends at.
fn check_chain<'a>(
    leaf: &X509<'_>,
    intermediate: &X509<'_>,
    roots: &[&'a [u8]],
    now: u64,
) -> Result<X509<'a>, SnpRefusal> {
    let mut trusted = None;
    for der in roots {
        let root = X509::parse(der).map_err(at(SnpLink::Root))?;
        if root.subject == intermediate.issuer {
            trusted = Some(root);
            break;
        }
    }
    let root = trusted.ok_or(SnpRefusal::UnknownRoot)?;
    let is_rsa = |certificate: &X509<'_>| matches!(certificate.key, Key::Rsa4096(_));
    for (certificate, of, wants_rsa) in [
        (&root, SnpLink::Root, true),
        (intermediate, SnpLink::Intermediate, true),
        (leaf, SnpLink::Leaf, false),
    ] {
        if is_rsa(certificate) != wants_rsa {
            return Err(at(of)(CertificateFault::Key));
        }
    }
    root.check_authority(1).map_err(at(SnpLink::Root))?;
    intermediate
        .check_authority(0)
        .and_then(|()| intermediate.check_issued_by(&root))
        .map_err(at(SnpLink::Intermediate))?;
    leaf.check_signer()
        .and_then(|()| leaf.check_issued_by(intermediate))
        .map_err(at(SnpLink::Leaf))?;
    for (certificate, of) in [
        (&root, SnpLink::Root),
        (intermediate, SnpLink::Intermediate),
        (leaf, SnpLink::Leaf),
    ] {
        certificate.check_time(now).map_err(at(of))?;
    }
    Ok(root)
}

/// Step 5; gives the earliest end of the lists when the root's is among them.
fn check_revocation(
    chain: &SnpChain,
    policy: &SnpPolicy,
    issued: [(&X509<'_>, &X509<'_>); 2],
    now: u64,
) -> Result<Option<u64>, SnpRefusal> {
    let of_list = at(SnpLink::RevocationList);
    let [(root, _), _] = &issued;
    let (mut of_root, mut end) = (false, u64::MAX);
    if chain.revocation_lists.len() > issued.len() {
        return Err(SnpRefusal::RevocationLists);
    }
    for bytes in &chain.revocation_lists {
        let list = Crl::parse(bytes).map_err(&of_list)?;
        let (issuer, certificate) = issued
            .iter()
            .find(|(issuer, _)| issuer.subject == list.issuer)
            .ok_or_else(|| of_list(CertificateFault::IssuerName))?;
        list.check(issuer, now)
            .and_then(|()| list.check_serial(certificate.serial))
            .map_err(&of_list)?;
        of_root |= issuer.subject == root.subject;
        end = end.min(list.next_update);
    }
    if policy.require_revocation_list && !of_root {
        return Err(SnpRefusal::RevocationListMissing);
    }
    Ok(of_root.then_some(end))
}

/// Step 8: what AMD's firmware never writes.
fn check_consistency(report: &Report<'_>, product: SnpProduct, tcbs: &SnpTcbs) -> Result<(), SnpRefusal> {
    if report.cpu.is_some_and(|cpu| !product.has_cpu(cpu)) {
        return Err(SnpRefusal::Processor);
    }
    for (kind, tcb) in [
        (SnpTcbKind::Reported, tcbs.reported),
        (SnpTcbKind::Committed, tcbs.committed),
    ] {
        if tcbs.current.first_below(&tcb).is_some() {
            return Err(SnpRefusal::Inconsistent(kind));
        }
    }
    if report.current_firmware < report.committed_firmware {
        return Err(SnpRefusal::Inconsistent(SnpTcbKind::Committed));
    }
    if !report.guest_policy.reserved_one() {
        return Err(SnpRefusal::Reserved("bit 17 of the guest policy is zero"));
    }
    if !report.has_author_key && *report.author_key_digest != [0; 48] {
        return Err(SnpRefusal::Reserved("an author key without AUTHOR_KEY_EN"));
    }
    Ok(())
}

fn at(of: SnpLink) -> impl Fn(CertificateFault) -> SnpRefusal {
    move |fault| SnpRefusal::Certificate { of, fault }
}

// === impl SnpTcbs ===

impl SnpTcbs {
    const fn read(report: &Report<'_>, product: SnpProduct) -> Self {
        Self {
            current: SnpTcb::read(report.current_tcb, product),
            reported: SnpTcb::read(report.reported_tcb, product),
            committed: SnpTcb::read(report.committed_tcb, product),
            launch: SnpTcb::read(report.launch_tcb, product),
        }
    }
}

// === impl SnpChipId ===

impl fmt::Debug for SnpChipId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = digest(&SHA256, &self.0);
        let short = hash.as_ref().first_chunk().copied().unwrap_or_default();
        write!(f, "SnpChipId(sha256 {:016x}…)", u64::from_be_bytes(short))
    }
}

#[cfg(test)]
mod tests;
