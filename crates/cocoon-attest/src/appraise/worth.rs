//! Step 9: what evidence is worth under a policy.

use std::sync::Arc;

use cocoon_types::Tier;

use crate::image::{Measurements, SnpImage};
use crate::policy::{Accelerators, EvidenceRule, ImageRule, Policy, Simulated};
use crate::refusal::Refusal;
use crate::roots::Roots;
use crate::snp::{self, SnpChain, SnpClaims};
use crate::tdx::{self, Collateral, TdxClaims};

/// What the evidence came to.
pub(crate) struct Worth {
    pub(crate) tier: Tier,
    pub(crate) image_hash: [u8; 32],
    pub(crate) expires_at: u64,
    pub(crate) tdx: Option<Arc<TdxClaims>>,
    pub(crate) snp: Option<Arc<SnpClaims>>,
}

/// What hardware evidence is judged by.
pub(super) struct Judge<'a> {
    pub(super) accelerators: Accelerators,
    pub(super) policy: &'a Policy,
    pub(super) roots: &'a Roots,
    pub(super) now: u64,
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
            snp: None,
        }),
    }
}

/// Step 9 with the original's simulated quote, which is the report data and nothing else.
pub(super) fn simulated(quote: &[u8], report_data: &[u8; 64], policy: &Policy) -> Result<Worth, Refusal> {
    if policy.evidence.simulated() == Simulated::Refuse {
        return Err(Refusal::SimulatedEvidence);
    }
    if quote != report_data {
        return Err(Refusal::ReportData);
    }
    let image_hash = Measurements::ZERO.image_hash();
    check_image(&image_hash, policy)?;
    Ok(Worth {
        tier: Tier::Simulated,
        image_hash,
        expires_at: u64::MAX,
        tdx: None,
        snp: None,
    })
}

// === impl Judge ===

impl Judge<'_> {
    /// Step 9 with a TDX quote. Which root it leads to decides between simulated evidence and any other, and nothing else
    /// does.
    pub(super) fn trust_domain(
        &self,
        quote: &[u8],
        report_data: &[u8; 64],
        collateral: &Collateral,
    ) -> Result<Worth, Refusal> {
        // (e) before (c): it costs nothing, and a quote about somebody else need not be verified.
        if tdx::unverified_report_data(quote)? != *report_data {
            return Err(Refusal::ReportData);
        }
        let development = match self.roots.development_der() {
            Some(root) if tdx::names_root(quote, collateral, root)? => Some(root),
            _ => None,
        };
        self.check_simulated(development.is_some())?;
        let root = development.unwrap_or(self.roots.intel());
        let claims = tdx::verify(quote, collateral, root, &self.policy.tdx, self.now)?;
        let image_hash = claims.measurements.image_hash();
        check_image(&image_hash, self.policy)?;
        Ok(Worth {
            tier: self.tier(development.is_some()),
            image_hash,
            expires_at: claims.expires_at,
            tdx: Some(Arc::new(claims)),
            snp: None,
        })
    }

    /// Step 9 with an SEV-SNP report; the same rule for its roots.
    pub(super) fn snp_guest(
        &self,
        report: &[u8],
        report_data: &[u8; 64],
        chain: &SnpChain,
    ) -> Result<Worth, Refusal> {
        if snp::unverified_report_data(report)? != *report_data {
            return Err(Refusal::ReportData);
        }
        let development = match self.roots.development_amd() {
            Some(root) if snp::names_root(chain, root)? => Some(root),
            _ => None,
        };
        self.check_simulated(development.is_some())?;
        let claims = match development {
            Some(root) => snp::verify(report, chain, &[root], &self.policy.snp, self.now),
            None => snp::verify(report, chain, self.roots.amd(), &self.policy.snp, self.now),
        }?;
        let image_hash = SnpImage::of(&claims).image_hash();
        check_image(&image_hash, self.policy)?;
        Ok(Worth {
            tier: self.tier(development.is_some()),
            image_hash,
            expires_at: claims.expires_at,
            tdx: None,
            snp: Some(Arc::new(claims)),
        })
    }

    fn check_simulated(&self, under_development_root: bool) -> Result<(), Refusal> {
        if under_development_root && self.policy.evidence.simulated() == Simulated::Refuse {
            Err(Refusal::SimulatedEvidence)
        } else {
            Ok(())
        }
    }

    const fn tier(&self, under_development_root: bool) -> Tier {
        tier(
            under_development_root,
            &self.policy.image_hashes,
            self.accelerators,
        )
    }
}

fn check_image(image_hash: &[u8; 32], policy: &Policy) -> Result<(), Refusal> {
    match &policy.image_hashes {
        ImageRule::Any => Ok(()),
        ImageRule::Listed(hashes) if hashes.contains(image_hash) => Ok(()),
        ImageRule::Listed(_) => Err(Refusal::ImageNotListed),
    }
}

/// The tier of a trust domain or SNP guest whose quote verified and whose image is allowed (DESIGN section 2).
pub(crate) const fn tier(
    under_development_root: bool,
    images: &ImageRule,
    accelerators: Accelerators,
) -> Tier {
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
