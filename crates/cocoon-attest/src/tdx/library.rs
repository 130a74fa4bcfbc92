//! The one place that knows the verifier library: its cryptography is aws-lc-rs, its types and its words end here.

use aws_lc_rs::digest::{SHA256, SHA384, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use dcap_qvl::config::{Config, CryptoProvider};
use dcap_qvl::signature::DerSigEncoder;
use dcap_qvl::verify::QuoteVerifier;
use dcap_qvl::x509::X509CertBackend;
use dcap_qvl::{PckCertFlag, QuoteClaims, QuoteCollateralV3, QuotePolicy};
use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};

use super::claims::TdxClaims;
use super::collateral::Collateral;
use super::policy::{TcbStatus, TdxPolicy};
use super::quote::Quote;
use super::refusal::{Item, TdxRefusal};
use crate::image::Measurements;

/// Why the library refused, as far as its words tell.
pub(super) enum Verdict {
    /// This.
    Is(TdxRefusal),
    /// Something about certificates or lists; `diagnosis` finds out what.
    Chain,
}

/// Steps 3 to 10: signatures up to the root, QE identity, TCB level, attributes of the domain.
pub(super) fn verify(
    quote: &Quote<'_>,
    collateral: &Collateral,
    root_der: &[u8],
    policy: &TdxPolicy,
    now: u64,
) -> Result<QuoteClaims, Verdict> {
    let parts = collateral.parts();
    let collateral = QuoteCollateralV3 {
        pck_crl_issuer_chain: parts.pck_crl_issuer_chain.clone(),
        root_ca_crl: parts.root_ca_crl.clone(),
        pck_crl: parts.pck_crl.clone(),
        tcb_info_issuer_chain: parts.tcb_info_issuer_chain.clone(),
        tcb_info: parts.tcb_info.clone(),
        tcb_info_signature: parts.tcb_info_signature.clone(),
        qe_identity_issuer_chain: parts.qe_identity_issuer_chain.clone(),
        qe_identity: parts.qe_identity.clone(),
        qe_identity_signature: parts.qe_identity_signature.clone(),
        // The library would prefer this one to the quote's.
        pck_certificate_chain: None,
    };
    QuoteVerifier::<AwsLc>::new_with_config(root_der.to_vec())
        .allow_debug(policy.allow_debug)
        .allow_service_td(policy.allow_service_td)
        // Its policy judges nothing; ours does, with a refusal for each decision.
        .verify_with_policy(quote.bytes, collateral, now, &QuotePolicy::claims_only(now))
        .map_err(|error| verdict(&format!("{error:#}")))
}

/// The library's claims in our words.
pub(super) fn claims(quote: &Quote<'_>, found: &QuoteClaims, own: (u64, [u8; 48])) -> Option<TdxClaims> {
    let (until, root_key_id) = own;
    let report = found.report.as_td10()?;
    Some(TdxClaims {
        quote_version: quote.version,
        report: quote.report,
        measurements: Measurements {
            mrtd: report.mr_td,
            mr_config_id: report.mr_config_id,
            mr_owner: report.mr_owner,
            mr_owner_config: report.mr_owner_config,
            rtmr: [report.rt_mr0, report.rt_mr1, report.rt_mr2, report.rt_mr3],
        },
        report_data: report.report_data,
        attributes: u64::from_le_bytes(report.td_attributes),
        xfam: u64::from_le_bytes(report.xfam),
        mr_seam: report.mr_seam,
        mr_service_td: found.report.as_td15().map(|report| report.mr_service_td),
        tee_tcb_svn: report.tee_tcb_svn,
        cpu_svn: found.platform.pck.cpu_svn,
        pce_svn: found.platform.pck.pce_svn,
        qe_svn: found.qe.report.isv_svn,
        fmspc: found.platform.pck.fmspc,
        tcb_status: status(found.tcb.status)?,
        tcb_date: tcb_date(found)?,
        advisories: advisories(found),
        tcb_evaluation: found.tcb.eval_data_number,
        smt: flag(found.platform.pck.smt_enabled),
        dynamic_platform: flag(found.platform.pck.dynamic_platform),
        cached_keys: flag(found.platform.pck.cached_keys),
        root_key_id,
        expires_at: until.min(found.earliest_expiration_date),
    })
}

/// Of the platform; of the QE if it is the one that is out of date, and longer.
fn tcb_date(found: &QuoteClaims) -> Option<u64> {
    let platform = found.platform.tcb_date_tag;
    if found.qe.tcb_level.tcb_status == dcap_qvl::TcbStatus::OutOfDate {
        super::window::date(&found.qe.tcb_level.tcb_date).map(|qe| qe.min(platform))
    } else {
        Some(platform)
    }
}

/// Of the platform as it was at the domain's start, of the QE, and of the platform as it is now (TDX 1.5).
fn advisories(found: &QuoteClaims) -> Vec<String> {
    let mut names = found.tcb.advisory_ids.clone();
    let current = found.platform.current_tcb_level.iter();
    for name in current.flat_map(|level| &level.advisory_ids) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

const fn status(found: dcap_qvl::TcbStatus) -> Option<TcbStatus> {
    Some(match found {
        dcap_qvl::TcbStatus::UpToDate => TcbStatus::UpToDate,
        dcap_qvl::TcbStatus::SWHardeningNeeded => TcbStatus::SwHardeningNeeded,
        dcap_qvl::TcbStatus::ConfigurationNeeded => TcbStatus::ConfigurationNeeded,
        dcap_qvl::TcbStatus::ConfigurationAndSWHardeningNeeded => {
            TcbStatus::ConfigurationAndSwHardeningNeeded
        }
        dcap_qvl::TcbStatus::OutOfDate => TcbStatus::OutOfDate,
        dcap_qvl::TcbStatus::OutOfDateConfigurationNeeded => TcbStatus::OutOfDateConfigurationNeeded,
        dcap_qvl::TcbStatus::TDRelaunchAdvised => TcbStatus::RelaunchAdvised,
        dcap_qvl::TcbStatus::TDRelaunchAdvisedConfigurationNeeded => {
            TcbStatus::RelaunchAdvisedConfigurationNeeded
        }
        dcap_qvl::TcbStatus::Revoked => return None,
    })
}

const fn flag(found: PckCertFlag) -> Option<bool> {
    match found {
        PckCertFlag::True => Some(true),
        PckCertFlag::False => Some(false),
        PckCertFlag::Undefined => None,
    }
}

/// What the library's words mean. A word that is not here is never an acceptance, only a refusal without a name.
///
/// WHEN CHANGING the library's version: the tables of tests in `cocoon-tee` show every word that moved.
fn verdict(words: &str) -> Verdict {
    const WORDS: &[(&str, TdxRefusal)] = &[
        // Holds the words of the domain's own debug mode, so it comes first.
        (
            "QE report validation failed",
            TdxRefusal::QeIdentity("attributes"),
        ),
        ("Failed to decode TcbInfo", TdxRefusal::Malformed(Item::TcbInfo)),
        (
            "Failed to decode QeIdentity",
            TdxRefusal::Malformed(Item::QeIdentity),
        ),
        (
            "Signature is invalid for tcb_info",
            TdxRefusal::Signature(Item::TcbInfo),
        ),
        (
            "Signature is invalid for qe_identity",
            TdxRefusal::Signature(Item::QeIdentity),
        ),
        (
            "Signature is invalid for qe_report",
            TdxRefusal::Signature(Item::QeReport),
        ),
        (
            "ISV enclave report signature is invalid",
            TdxRefusal::Signature(Item::Quote),
        ),
        ("TDX quote with non-TDX TCB info", TdxRefusal::TcbInfoKind),
        ("Unsupported QE Identity id/version", TdxRefusal::QeIdentityKind),
        ("QE report hash mismatch", TdxRefusal::QeReportData),
        ("Fmspc mismatch", TdxRefusal::Fmspc),
        ("No matching TCB level found", TdxRefusal::TcbLevel),
        ("No TDX module identity", TdxRefusal::TcbLevel),
        ("below minimum required from TDX module", TdxRefusal::TcbLevel),
        ("TDX module MRSIGNER", TdxRefusal::TdxModule("signer")),
        ("TDX module SEAMATTRIBUTES", TdxRefusal::TdxModule("attributes")),
        ("status is invalid: Revoked", TdxRefusal::TcbRevoked),
        ("Debug mode is enabled", TdxRefusal::Debug),
        ("TD profiling is enabled", TdxRefusal::Debug),
        ("Reserved bits in TD attributes", TdxRefusal::ReservedAttributes),
        ("TD migration is enabled", TdxRefusal::Migratable),
        ("SEPT_VE_DISABLE is not enabled", TdxRefusal::SeptVeDisable),
        ("SERVTD_EXT is enabled", TdxRefusal::ServiceTd),
        ("Invalid MR service TD", TdxRefusal::ServiceTd),
        ("Intel extension", TdxRefusal::Malformed(Item::Pck)),
    ];
    /// Of the QE's own checks.
    const QE: &[(&str, &str)] = &[
        ("MRSIGNER", "signer"),
        ("ISVPRODID", "product id"),
        ("MISCSELECT", "miscellaneous selection"),
        ("ATTRIBUTES", "attributes"),
        ("ISVSVN", "security version"),
    ];
    if let Some((_, refusal)) = WORDS.iter().find(|(word, _)| words.contains(word)) {
        return Verdict::Is(*refusal);
    }
    if let Some((_, field)) = QE
        .iter()
        .find(|(word, _)| words.contains("QE") && words.contains(word))
    {
        return Verdict::Is(TdxRefusal::QeIdentity(field));
    }
    Verdict::Chain
}

/// The library with our cryptography.
struct AwsLc;

impl Config for AwsLc {
    type X509 = X509CertBackend;
    type SigEncoder = DerSigEncoder;
    type Crypto = Self;
}

impl CryptoProvider for AwsLc {
    fn sig_algo() -> &'static dyn SignatureVerificationAlgorithm {
        &EcdsaP256
    }

    fn sha256(data: &[u8]) -> [u8; 32] {
        // Zeros, were the length another, match no hash.
        digest(&SHA256, data).as_ref().try_into().unwrap_or([0; 32])
    }

    fn sha384(data: &[u8]) -> [u8; 48] {
        digest(&SHA384, data).as_ref().try_into().unwrap_or([0; 48])
    }
}

/// ECDSA on P-256 with SHA-256, the one algorithm of Intel's PKI.
#[derive(Debug)]
struct EcdsaP256;

impl SignatureVerificationAlgorithm for EcdsaP256 {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, public_key)
            .verify(message, signature)
            .map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P256
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_SHA256
    }
}
