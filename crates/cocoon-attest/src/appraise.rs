use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use cocoon_types::Tier;

use crate::certificate::{Certificate, MAX_QUOTE_BYTES};
use crate::image::report_data;
use crate::oid;
use crate::policy::{Accelerators, Policy, Side};
use crate::refusal::Refusal;
use crate::roots::Roots;
use crate::snp::{self, SNP_REPORT_BYTES, SnpClaims};
use crate::tdx::{self, MAX_COMPACT_BYTES, TdxClaims};

mod endorsements;
mod worth;

pub use endorsements::{Endorsements, OwnedEndorsements};
pub(crate) use worth::{Worth, tier};

/// What the acceptor's certificate must name: the original dials its proxies under this literal (spec/network.md 3.1, 3.7).
const ACCEPTOR_NAME: &[u8] = b"127.0.0.1";

/// A simulated quote is exactly the report data (spec/network.md 3.4).
const SIMULATED_QUOTE_BYTES: usize = 64;

/// The proof that a peer's evidence was appraised. Only [`appraise`] makes one; code that hands a prompt on asks for it.
///
/// Nobody else can, not even by naming every field:
///
/// ```compile_fail,E0451
/// let forged = cocoon_attest::VerifiedPeer {
///     key: [0; 32],
///     tier: cocoon_types::Tier::Confidential,
///     image_hash: [0; 32],
///     expires_at: u64::MAX,
///     tdx: None,
///     snp: None,
/// };
/// ```
///
/// nor out of another one, nor out of nothing:
///
/// ```compile_fail,E0277
/// fn needs_default<T: Default>() {}
/// needs_default::<cocoon_attest::VerifiedPeer>();
/// ```
///
/// The fields can be read, never set:
///
/// ```compile_fail,E0616
/// fn raise(mut peer: cocoon_attest::VerifiedPeer) {
///     peer.tier = cocoon_types::Tier::Confidential;
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedPeer {
    key: [u8; 32],
    tier: Tier,
    image_hash: [u8; 32],
    expires_at: u64,
    tdx: Option<Arc<TdxClaims>>,
    snp: Option<Arc<SnpClaims>>,
}

/// What a peer presents.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// Its certificate in DER; a quote is an extension of it.
    pub certificate: &'a [u8],
    /// On which side of the connection it is.
    pub side: Side,
    /// Which accelerators its work uses. Only from a verified statement, never from the peer's word.
    pub accelerators: Accelerators,
}

/// A quote, and what it is to be about: 64 bytes that tie it to a key.
#[derive(Clone, Copy)]
pub(crate) struct Quoted<'a> {
    pub(crate) quote: &'a [u8],
    pub(crate) report_data: [u8; 64],
    pub(crate) endorsements: Option<Endorsements<'a>>,
}

/// Appraises a peer's certificate with the collateral in it, up to the makers' roots.
///
/// # Errors
/// As [`appraise`].
pub fn appraise_certificate(
    certificate_der: &[u8],
    peer: Side,
    policy: &Policy,
    now: u64,
) -> Result<VerifiedPeer, Refusal> {
    let evidence = Evidence {
        certificate: certificate_der,
        side: peer,
        accelerators: Accelerators::NotAttested,
    };
    appraise(evidence, None, policy, &Roots::makers(), now)
}

/// Appraises what a peer presents, at the Unix second `now`.
///
/// The caller still has to see the peer's TLS CertificateVerify succeed (see the crate's header).
///
/// # Errors
/// The [`Refusal`] of the first check that fails, in the order of spec/network.md 3.7.
pub fn appraise(
    evidence: Evidence<'_>,
    endorsements: Option<Endorsements<'_>>,
    policy: &Policy,
    roots: &Roots,
    now: u64,
) -> Result<VerifiedPeer, Refusal> {
    let Evidence {
        certificate: certificate_der,
        side: peer,
        accelerators,
    } = evidence;
    let certificate = Certificate::parse(certificate_der)?;
    // Step 1: no chains.
    if certificate.issuer != certificate.subject || !certificate.extensions.key_ids_agree()? {
        return Err(Refusal::NotSelfIssued);
    }
    // Step 2: purpose.
    check_purpose(&certificate, peer)?;
    // Step 3: the dialler checks the acceptor's name.
    if peer == Side::Acceptor {
        check_acceptor_name(&certificate)?;
    }
    // Step 4: time.
    check_validity(&certificate, now)?;
    // Step 6: critical extensions. (Step 5 says what is not checked there; we check it below, once the key is known.)
    if certificate.extensions.unknown_critical {
        return Err(Refusal::UnknownCriticalExtension);
    }
    // Step 7: size of the quote.
    if certificate
        .extensions
        .quote
        .is_some_and(|quote| quote.len() > MAX_QUOTE_BYTES)
    {
        return Err(Refusal::QuoteTooLong);
    }
    // The same for ours, before anything reads it.
    if certificate
        .extensions
        .collateral
        .is_some_and(|compact| compact.len() > MAX_COMPACT_BYTES)
    {
        return Err(Refusal::CollateralTooLong);
    }
    // Step 8: the key, and with it the self-signature.
    let key = certificate.key.ok_or(Refusal::KeyNotEd25519)?;
    check_self_signature(&certificate, &key)?;
    // Who asks may have better collateral than who is asked.
    let carried = match endorsements {
        None => carried_endorsements(&certificate, &key)?,
        Some(_) => None,
    };
    let endorsements = endorsements.or(carried.as_ref().map(OwnedEndorsements::as_ref));
    // Step 9: policy.
    let worth = match certificate.extensions.quote {
        None => worth::without_evidence(policy)?,
        Some(quote) => Quoted {
            quote,
            report_data: report_data(&key),
            endorsements,
        }
        .appraise(accelerators, policy, roots, now)?,
    };
    Ok(VerifiedPeer {
        key,
        tier: worth.tier,
        image_hash: worth.image_hash,
        expires_at: worth.expires_at.min(certificate.not_after),
        tdx: worth.tdx,
        snp: worth.snp,
    })
}

/// The Ed25519 key of a certificate, for TLS to verify CertificateVerify with. This is no appraisal.
///
/// # Errors
/// The certificate is malformed, or its key is of another kind.
pub fn public_key(certificate_der: &[u8]) -> Result<[u8; 32], Refusal> {
    Certificate::parse(certificate_der)?
        .key
        .ok_or(Refusal::KeyNotEd25519)
}

// === impl Quoted ===

impl Quoted<'_> {
    /// Step 9 with evidence, for a certificate's quote and for a statement's. What kind it is shows in its bytes: a simulated
    /// quote has the size of report data, an SEV-SNP report has its own, and no TDX quote is as short as either.
    pub(crate) fn appraise(
        &self,
        accelerators: Accelerators,
        policy: &Policy,
        roots: &Roots,
        now: u64,
    ) -> Result<Worth, Refusal> {
        let judge = worth::Judge {
            accelerators,
            policy,
            roots,
            now,
        };
        match (self.quote, self.endorsements) {
            (quote, _) if quote.len() > MAX_QUOTE_BYTES => Err(Refusal::QuoteTooLong),
            (quote, _) if quote.len() == SIMULATED_QUOTE_BYTES => {
                worth::simulated(quote, &self.report_data, policy)
            }
            (report, Some(Endorsements::Snp(chain))) if report.len() == SNP_REPORT_BYTES => {
                judge.snp_guest(report, &self.report_data, chain)
            }
            (report, _) if report.len() == SNP_REPORT_BYTES => Err(Refusal::CollateralMissing),
            (quote, Some(Endorsements::Tdx(collateral))) if tdx::looks_like_tdx(quote) => {
                judge.trust_domain(quote, &self.report_data, collateral)
            }
            (quote, _) if tdx::looks_like_tdx(quote) => Err(Refusal::CollateralMissing),
            _ => Err(Refusal::HardwareEvidence),
        }
    }
}

// === impl VerifiedPeer ===

impl VerifiedPeer {
    /// The peer's Ed25519 key.
    pub const fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// The tier that the evidence earns.
    pub const fn tier(&self) -> Tier {
        self.tier
    }

    /// The image hash, zero without evidence (spec/network.md 3.6).
    pub const fn image_hash(&self) -> &[u8; 32] {
        &self.image_hash
    }

    /// Last Unix second at which the evidence holds.
    pub const fn expires_at(&self) -> u64 {
        self.expires_at
    }

    /// What its TDX quote says, if it has one: for whoever shows or records it.
    pub fn tdx(&self) -> Option<&TdxClaims> {
        self.tdx.as_deref()
    }

    /// What its SEV-SNP report says, if it has one.
    pub fn snp(&self) -> Option<&SnpClaims> {
        self.snp.as_deref()
    }

    /// The same peer with what its verified statement makes of it: another tier, and no longer than both hold.
    pub(crate) fn stated(&self, tier: Tier, expires_at: u64) -> Self {
        Self {
            tier,
            expires_at: expires_at.min(self.expires_at),
            ..self.clone()
        }
    }
}

impl fmt::Debug for VerifiedPeer {
    /// Short enough for a log line; eight bytes tell keys and images apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |bytes: &[u8; 32]| u64::from_be_bytes(*bytes.first_chunk().unwrap_or(&[0; 8]));
        f.debug_struct("VerifiedPeer")
            .field("key", &format_args!("{:016x}…", short(&self.key)))
            .field("tier", &self.tier)
            .field("image_hash", &format_args!("{:016x}…", short(&self.image_hash)))
            .field("expires_at", &self.expires_at)
            .finish()
    }
}

fn check_purpose(certificate: &Certificate<'_>, peer: Side) -> Result<(), Refusal> {
    if !certificate.extensions.allows_signatures()? {
        return Err(Refusal::KeyUsage);
    }
    let purpose = match peer {
        Side::Dialler => oid::CLIENT_AUTH,
        Side::Acceptor => oid::SERVER_AUTH,
    };
    if certificate.extensions.has_purpose(purpose)? {
        Ok(())
    } else {
        Err(Refusal::ExtendedKeyUsage)
    }
}

/// The DNS names decide; the common name does only where there is none. An IP address does not count.
fn check_acceptor_name(certificate: &Certificate<'_>) -> Result<(), Refusal> {
    let named = match certificate.extensions.has_dns_name(ACCEPTOR_NAME)? {
        Some(found) => found,
        None => certificate.has_common_name(ACCEPTOR_NAME)?,
    };
    if named { Ok(()) } else { Err(Refusal::Name) }
}

const fn check_validity(certificate: &Certificate<'_>, now: u64) -> Result<(), Refusal> {
    let (not_before, not_after) = (certificate.not_before, certificate.not_after);
    if now < not_before {
        Err(Refusal::NotYetValid { not_before })
    } else if now > not_after {
        Err(Refusal::Expired { not_after })
    } else {
        Ok(())
    }
}

/// The collateral in a certificate, where its quote needs some. It is read for a quote about this key only: seeing that costs
/// nothing.
fn carried_endorsements(
    certificate: &Certificate<'_>,
    key: &[u8; 32],
) -> Result<Option<OwnedEndorsements>, Refusal> {
    let extensions = &certificate.extensions;
    let (Some(quote), Some(compact)) = (extensions.quote, extensions.collateral) else {
        return Ok(None);
    };
    let about = if quote.len() == SNP_REPORT_BYTES {
        snp::unverified_report_data(quote)?
    } else if tdx::looks_like_tdx(quote) {
        tdx::unverified_report_data(quote)?
    } else {
        return Ok(None);
    };
    if about != report_data(key) {
        return Err(Refusal::ReportData);
    }
    OwnedEndorsements::from_compact(compact)
        .map(Some)
        .map_err(|_| Refusal::CollateralMalformed)
}

fn check_self_signature(certificate: &Certificate<'_>, key: &[u8; 32]) -> Result<(), Refusal> {
    if !certificate.signed_with_ed25519 {
        return Err(Refusal::SelfSignature);
    }
    UnparsedPublicKey::new(&ED25519, key)
        .verify(certificate.to_be_signed, certificate.signature)
        .map_err(|_| Refusal::SelfSignature)
}

#[cfg(test)]
mod tests;
