//! Step 9: what evidence is worth under a policy.

use std::sync::Arc;

use cocoon_types::Tier;

use crate::image::{Measurements, report_data};
use crate::policy::{Accelerators, EvidenceRule, ImageRule, Policy, Simulated};
use crate::refusal::Refusal;
use crate::roots::Roots;
use crate::tdx::{self, Collateral, TdxClaims};

/// What the evidence came to.
pub(super) struct Worth {
    pub(super) tier: Tier,
    pub(super) image_hash: [u8; 32],
    pub(super) expires_at: u64,
    pub(super) tdx: Option<Arc<TdxClaims>>,
}

/// Step 9 without a quote.
pub(super) fn without_evidence(policy: &Policy) -> Result<Worth, Refusal> {
    match (policy.evidence, &policy.image_hashes) {
        (EvidenceRule::Required { .. }, _) => Err(Refusal::EvidenceMissing),
        // No evidence names no image, so it is on no list, not even on one that holds the zero hash.
        (EvidenceRule::Optional { .. }, ImageRule::Listed(_)) => Err(Refusal::ImageNotListed),
        (EvidenceRule::Optional { .. }, ImageRule::Any) => Ok(Worth {
            tier: Tier::Open,
            image_hash: [0; 32],
            expires_at: u64::MAX,
            tdx: None,
        }),
    }
}

/// Step 9 with the original's simulated quote, which is the report data and nothing else.
pub(super) fn simulated(quote: &[u8], key: &[u8; 32], policy: &Policy) -> Result<Worth, Refusal> {
    if policy.evidence.simulated() == Simulated::Refuse {
        return Err(Refusal::SimulatedEvidence);
    }
    if quote != report_data(key) {
        return Err(Refusal::ReportData);
    }
    let image_hash = Measurements::ZERO.image_hash();
    check_image(&image_hash, policy)?;
    Ok(Worth {
        tier: Tier::Simulated,
        image_hash,
        expires_at: u64::MAX,
        tdx: None,
    })
}

/// Step 9 with a TDX quote. Which root it leads to decides between simulated evidence and any other, and nothing else does.
pub(super) fn trust_domain(
    quote: &[u8],
    key: &[u8; 32],
    collateral: &Collateral,
    accelerators: Accelerators,
    policy: &Policy,
    roots: &Roots,
    now: u64,
) -> Result<Worth, Refusal> {
    // (e) before (c): it costs nothing, and a quote about somebody else need not be verified.
    if tdx::unverified_report_data(quote)? != report_data(key) {
        return Err(Refusal::ReportData);
    }
    let development = match roots.development_der() {
        Some(root) if tdx::names_root(quote, collateral, root)? => Some(root),
        _ => None,
    };
    if development.is_some() && policy.evidence.simulated() == Simulated::Refuse {
        return Err(Refusal::SimulatedEvidence);
    }
    let root = development.unwrap_or(roots.intel());
    let claims = tdx::verify(quote, collateral, root, &policy.tdx, now)?;
    let image_hash = claims.measurements.image_hash();
    check_image(&image_hash, policy)?;
    let tier = tier(development.is_some(), &policy.image_hashes, accelerators);
    Ok(Worth {
        tier,
        image_hash,
        expires_at: claims.expires_at,
        tdx: Some(Arc::new(claims)),
    })
}

fn check_image(image_hash: &[u8; 32], policy: &Policy) -> Result<(), Refusal> {
    match &policy.image_hashes {
        ImageRule::Any => Ok(()),
        ImageRule::Listed(hashes) if hashes.contains(image_hash) => Ok(()),
        ImageRule::Listed(_) => Err(Refusal::ImageNotListed),
    }
}

/// The tier of a trust domain whose quote verified and whose image is allowed (DESIGN section 2).
const fn tier(under_development_root: bool, images: &ImageRule, accelerators: Accelerators) -> Tier {
    match (under_development_root, images, accelerators) {
        (true, _, _) => Tier::Simulated,
        // A genuine domain in which anything at all may run: nobody vouches for what it does with a prompt.
        (false, ImageRule::Any, _) => Tier::Open,
        (false, ImageRule::Listed(_), Accelerators::None | Accelerators::Attested) => Tier::Confidential,
        (false, ImageRule::Listed(_), Accelerators::NotAttested) => Tier::Attested,
    }
}

#[cfg(test)]
mod tests;
