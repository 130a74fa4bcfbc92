use aws_lc_rs::digest::{Context, SHA256, SHA512, digest};

use crate::snp::SnpClaims;

/// The registers of a TDX report that name an image, 48 bytes each (spec/network.md 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measurements {
    /// Initial contents of the trust domain.
    pub mrtd: [u8; 48],
    /// Configuration, set by the host and readable by the guest.
    pub mr_config_id: [u8; 48],
    /// Owner, set by the host.
    pub mr_owner: [u8; 48],
    /// Configuration of the owner, set by the host.
    pub mr_owner_config: [u8; 48],
    /// What the guest measured while it ran.
    pub rtmr: [[u8; 48]; 4],
}

/// What names an image in an SEV-SNP report: how the guest was launched, and by whom.
///
/// There are no runtime registers: what the guest loads after its launch is in here only as far as the launched part
/// checks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnpImage {
    /// Launch measurement: initial memory and registers of the guest.
    pub measurement: [u8; 48],
    /// Configuration, set by the host and readable by the guest; the part of TDX's `mr_config_id`.
    pub host_data: [u8; 32],
    /// SHA-384 of the key that signed the ID block; zero without one.
    pub id_key_digest: [u8; 48],
    /// SHA-384 of the key that certified the ID key; zero without one.
    pub author_key_digest: [u8; 48],
    /// Family of the guest, by its owner.
    pub family_id: [u8; 16],
    /// Image of the guest, by its owner.
    pub image_id: [u8; 16],
}

/// Stands in front of what an SEV-SNP image hash covers. A TDX image hash covers 448 bytes, this one 232: no hash is
/// ever both.
pub const SNP_IMAGE_DOMAIN: &[u8; 24] = b"cocoon sev-snp image v1\0";

/// The 64 quoted bytes that tie evidence to a key: SHA-512 of the serialised claims, which are the raw key
/// (spec/network.md 3.3; the format leaves no room for a domain-separation constant).
pub fn report_data(public_key: &[u8; 32]) -> [u8; 64] {
    fixed(digest(&SHA512, public_key).as_ref())
}

// === impl Measurements ===

impl Measurements {
    /// All zero: what every simulated quote stands for.
    pub const ZERO: Self = Self {
        mrtd: [0; 48],
        mr_config_id: [0; 48],
        mr_owner: [0; 48],
        mr_owner_config: [0; 48],
        rtmr: [[0; 48]; 4],
    };

    /// SHA-256 over the registers with zero report data: what the root contract lists (spec/network.md 3.6).
    pub fn image_hash(&self) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        for register in [
            &self.mrtd,
            &self.mr_config_id,
            &self.mr_owner,
            &self.mr_owner_config,
        ]
        .into_iter()
        .chain(&self.rtmr)
        {
            context.update(register);
        }
        context.update(&[0; 64]);
        fixed(context.finish().as_ref())
    }
}

// === impl SnpImage ===

impl SnpImage {
    /// What these claims name.
    pub const fn of(claims: &SnpClaims) -> Self {
        Self {
            measurement: claims.measurement,
            host_data: claims.host_data,
            id_key_digest: claims.id_key_digest,
            author_key_digest: claims.author_key_digest,
            family_id: claims.family_id,
            image_id: claims.image_id,
        }
    }

    /// SHA-256 over [`SNP_IMAGE_DOMAIN`] and the fields in their order: what a list of images holds. Ours: the original
    /// knows no SEV-SNP.
    pub fn image_hash(&self) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        for part in [
            &SNP_IMAGE_DOMAIN[..],
            &self.measurement,
            &self.host_data,
            &self.id_key_digest,
            &self.author_key_digest,
            &self.family_id,
            &self.image_id,
        ] {
            context.update(part);
        }
        fixed(context.finish().as_ref())
    }
}

/// A digest as an array. The lengths agree by the algorithm; were they not to, zeros would match no evidence.
pub(crate) fn fixed<const N: usize>(digest: &[u8]) -> [u8; N] {
    digest.try_into().unwrap_or([0; N])
}

#[cfg(test)]
mod tests;
