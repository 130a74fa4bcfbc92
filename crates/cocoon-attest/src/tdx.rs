//! Intel TDX: a quote and its collateral go in, [`TdxClaims`] or a named [`TdxRefusal`] come out.
//!
//! The steps are numbered as in docs/attestation.md. Form and dates are checked here, signatures and TCB levels by the
//! library `dcap-qvl`, the policy here again. The library's types and errors go no further than `library`; which root is
//! trusted and what the time is are arguments, so the development TEE of `cocoon-tee` runs through the same lines.

mod claims;
mod collateral;
mod compact;
mod diagnosis;
mod library;
mod pem;
mod policy;
mod quote;
mod refusal;
mod window;
mod x509;

pub use claims::TdxClaims;
pub use collateral::{Collateral, CollateralError, CollateralParts};
pub use compact::MAX_COMPACT_BYTES;
pub use policy::{Advisories, TcbStatus, TcbStatuses, TdxPolicy};
pub use quote::TdxReport;
pub use refusal::{AdvisoryId, Item, TdxRefusal};

pub(crate) use quote::{Quote, looks_like_tdx};
use window::{Chains, Dated};

/// Verifies a quote with its collateral up to this root, at the Unix second `now`, and judges it by the policy.
///
/// # Errors
/// The [`TdxRefusal`] of the first check that fails.
pub fn verify(
    quote: &[u8],
    collateral: &Collateral,
    root_der: &[u8],
    policy: &TdxPolicy,
    now: u64,
) -> Result<TdxClaims, TdxRefusal> {
    // Step 1: form of the quote.
    let quote = Quote::parse(quote)?;
    // Step 2: form and dates of everything else.
    let chains = Chains::read(Some(quote.pck_chain), collateral)?;
    let dated = Dated::read(&chains, collateral, root_der)?;
    let until = dated.check(now)?;
    // Steps 3 to 10: signatures, QE identity, TCB level, attributes.
    let found =
        library::verify(&quote, collateral, root_der, policy, now).map_err(|verdict| match verdict {
            library::Verdict::Is(refusal) => refusal,
            library::Verdict::Chain => diagnosis::of(&dated),
        })?;
    let mut claims =
        library::claims(&quote, &found, (until, dated.root_key_id())).ok_or(TdxRefusal::Unverified)?;
    // Step 11: policy.
    judge(&claims, policy, now)?;
    if claims.tcb_status.is_out_of_date() {
        // What is accepted for a while only must not be remembered for longer.
        claims.expires_at = claims.expires_at.min(grace_ends(&claims, policy));
    }
    Ok(claims)
}

/// The measurements and the report data that a quote names, and nothing verified about them: for whoever shows a quote.
///
/// # Errors
/// The quote is malformed.
pub fn unverified_report_data(quote: &[u8]) -> Result<[u8; 64], TdxRefusal> {
    Quote::parse(quote).map(|quote| quote.report_data())
}

/// Whether this collateral is genuine and made for this quote's platform, at the Unix second `now`; what it says of the
/// platform does not matter. For whoever keeps collateral: news that a platform is revoked is worth keeping too.
///
/// # Errors
/// The [`TdxRefusal`] of the first check of form, dates, signatures or FMSPC that fails.
pub fn verify_collateral(
    quote: &[u8],
    collateral: &Collateral,
    root_der: &[u8],
    now: u64,
) -> Result<(), TdxRefusal> {
    match verify(quote, collateral, root_der, &TdxPolicy::default(), now) {
        Err(refusal) if !refusal.is_about_platform() => Err(refusal),
        _ => Ok(()),
    }
}

/// Which collateral a quote needs, as far as it says: nothing is verified.
///
/// # Errors
/// The quote is malformed, or its PCK certificate says neither.
pub fn platform_of(quote: &[u8]) -> Result<PlatformId, TdxRefusal> {
    /// 1.2.840.113741.1.13.1.4 with its tag and length, then tag and length of six bytes.
    const FMSPC: [u8; 14] = [
        0x06, 0x0a, 0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01, 0x04, 0x04, 0x06,
    ];
    let malformed = TdxRefusal::Malformed(Item::Pck);
    let quote = Quote::parse(quote)?;
    let chain = pem::read(quote.pck_chain).map_err(|pem::NotPem| malformed)?;
    let leaf = chain.first().ok_or(malformed)?;
    let issuer = x509::Certificate::parse(leaf)
        .map_err(|_| malformed)?
        .signed
        .issuer;
    let place = leaf.windows(FMSPC.len()).position(|part| part == FMSPC);
    let fmspc = place
        .and_then(|place| leaf.get(place.saturating_add(FMSPC.len())..)?.first_chunk())
        .ok_or(malformed)?;
    let says = |word: &[u8]| issuer.windows(word.len()).any(|part| part == word);
    let ca = match (says(b"Platform CA"), says(b"Processor CA")) {
        (true, false) => PckCa::Platform,
        (false, true) => PckCa::Processor,
        _ => return Err(malformed),
    };
    Ok(PlatformId { fmspc: *fmspc, ca })
}

/// What collateral is asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PlatformId {
    /// Kind of processor and package configuration.
    pub fmspc: [u8; 6],
    /// Who issued its PCK certificate.
    pub ca: PckCa,
}

/// Intel's two authorities for PCK certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PckCa {
    /// For platforms of several packages, by registration.
    Platform,
    /// For single packages.
    Processor,
}

impl PckCa {
    /// Its name in Intel's interface.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Processor => "processor",
        }
    }
}

impl Collateral {
    /// When its parts were made, Unix seconds, as far as they say: root's list, PCK list, TCB info, QE identity.
    ///
    /// # Errors
    /// A part of it cannot be read.
    pub fn issued_at(&self) -> Result<[u64; 4], TdxRefusal> {
        let chains = Chains::read(None, self)?;
        let root = chains.any_certificate();
        Ok(Dated::read(&chains, self, root)?.issued())
    }

    /// Last Unix second at which everything in it holds, as far as it says: nothing is verified.
    ///
    /// # Errors
    /// A part of it cannot be read.
    pub fn expires_at(&self) -> Result<u64, TdxRefusal> {
        let chains = Chains::read(None, self)?;
        // The root is not part of collateral, and outlives it.
        let root = chains.any_certificate();
        Ok(Dated::read(&chains, self, root)?.until())
    }
}

/// Whose evidence a quote claims to be: the name of the root that its PCK CA names as issuer.
pub(crate) fn names_root(quote: &[u8], collateral: &Collateral, root_der: &[u8]) -> Result<bool, TdxRefusal> {
    let quote = Quote::parse(quote)?;
    let chains = Chains::read(Some(quote.pck_chain), collateral)?;
    let root = x509::Certificate::parse(root_der).map_err(|_| TdxRefusal::Malformed(Item::Root))?;
    Ok(chains.pck_root_name()? == root.subject)
}

/// The subject of a root that can verify quotes, in DER; `None` when it is none.
pub(crate) fn trusted_name(root_der: &[u8]) -> Option<&[u8]> {
    x509::Certificate::parse(root_der).ok().map(|root| root.subject)
}

/// Last second at which a platform that is out of date is still accepted.
const fn grace_ends(claims: &TdxClaims, policy: &TdxPolicy) -> u64 {
    claims.tcb_date.saturating_add(policy.out_of_date_grace)
}

/// Step 11: what the policy says to claims that are true.
fn judge(claims: &TdxClaims, policy: &TdxPolicy, now: u64) -> Result<(), TdxRefusal> {
    /// SEPT_VE_DISABLE must be set, the flags of debug, profiling and service domains have fields of their own.
    const JUDGED_BEFORE: u64 = (1 << 28) | 0xff | (1 << 17);
    if claims.attributes & !(policy.attributes | JUDGED_BEFORE) != 0 {
        return Err(TdxRefusal::Attributes(claims.attributes));
    }
    let status = claims.tcb_status;
    if !policy.tcb_statuses.contains(status) {
        return Err(TdxRefusal::TcbStatus(status));
    }
    if status.is_out_of_date() && now > grace_ends(claims, policy) {
        return Err(TdxRefusal::OutOfDate {
            since: claims.tcb_date,
        });
    }
    if let Some(name) = claims
        .advisories
        .iter()
        .find(|name| !policy.advisories.accept(name))
    {
        return Err(TdxRefusal::Advisory(AdvisoryId::new(name)));
    }
    if claims.tcb_evaluation < policy.min_tcb_evaluation {
        return Err(TdxRefusal::TcbEvaluation {
            found: claims.tcb_evaluation,
            least: policy.min_tcb_evaluation,
        });
    }
    for (set, allowed, refusal) in [
        (claims.smt, policy.allow_smt, TdxRefusal::Smt),
        (
            claims.dynamic_platform,
            policy.allow_dynamic_platform,
            TdxRefusal::DynamicPlatform,
        ),
        (
            claims.cached_keys,
            policy.allow_cached_keys,
            TdxRefusal::CachedKeys,
        ),
    ] {
        // A certificate of the processor CA does not say: a single package, registered with its maker.
        if set == Some(true) && !allowed {
            return Err(refusal);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
