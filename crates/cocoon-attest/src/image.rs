use aws_lc_rs::digest::{Context, SHA256, SHA512, digest};

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

/// A digest as an array. The lengths agree by the algorithm; were they not to, zeros would match no evidence.
fn fixed<const N: usize>(digest: &[u8]) -> [u8; N] {
    digest.try_into().unwrap_or([0; N])
}

#[cfg(test)]
mod tests;
