//! Stand-ins for what `attest` delivers (`identity`, `options`, `error`, `cocoon_attest::VerifiedPeer`), so that roles compile.

use cocoon_types::Tier;

#[derive(Clone, Debug)]
pub struct VerifiedPeer {
    key: [u8; 32],
}

impl VerifiedPeer {
    pub fn key(&self) -> &[u8; 32] {
        &self.key
    }
    pub fn tier(&self) -> Tier {
        Tier::Open
    }
    pub fn image_hash(&self) -> &[u8; 32] {
        &self.key
    }
    pub fn expires_at(&self) -> u64 {
        0
    }
}

#[derive(Debug)]
pub struct Identity {
    key: [u8; 32],
}

#[derive(Debug, thiserror::Error)]
#[error("no identity")]
pub struct IdentityError;

impl Identity {
    pub fn simulated(_now: u64) -> Result<Self, IdentityError> {
        Ok(Self { key: [0; 32] })
    }
    pub fn without_evidence(_now: u64) -> Result<Self, IdentityError> {
        Ok(Self { key: [0; 32] })
    }
    pub fn public_key(&self) -> &[u8; 32] {
        &self.key
    }
}

#[derive(Clone, Copy, Debug)]
pub struct PowOptions {
    pub difficulty: u8,
    pub max_difficulty: u8,
}

impl Default for PowOptions {
    fn default() -> Self {
        Self {
            difficulty: 20,
            max_difficulty: 28,
        }
    }
}

#[derive(Debug)]
pub struct LinkOptions {
    pub identity: std::sync::Arc<Identity>,
    pub pow: PowOptions,
    pub clock: fn() -> u64,
}

#[derive(Debug, thiserror::Error)]
#[error("the address cannot be listened on")]
pub struct ListenError(#[source] pub std::io::Error);

#[derive(Debug, thiserror::Error)]
#[error("no link")]
pub struct DialError;
