//! Proof of work before TLS (spec/network.md 2): makes opening connections cost the dialler something.
//!
//! Pure: bytes and numbers only. The exchange over TCP is in `secure.rs`, the choice of the difficulty in [`load`].

use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::digest::{SHA256, digest};

pub mod load;

/// First bytes of a challenge: 0x418e1291, little-endian.
const CHALLENGE_ID: [u8; 4] = [0x91, 0x12, 0x8e, 0x41];
/// First bytes of a solution: 0x01827319, little-endian.
const SOLUTION_ID: [u8; 4] = [0x19, 0x73, 0x82, 0x01];

/// Nonces tried between two looks at the stop flag: well below a millisecond.
const BATCH: u64 = 1024;

/// What the acceptor asks: a nonce whose hash with the salt ends in zero bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Zero bits that are wanted. The wire has room for nonsense: what is 0 or less asks for nothing, what is above 64
    /// cannot be met.
    pub difficulty: i32,
    /// Random, so that work cannot be done ahead.
    pub salt: [u8; 16],
}

/// What the dialler answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Solution {
    /// The nonce that was found.
    pub nonce: u64,
}

/// The bytes are not the message that has this place in the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the peer sent something else than its part of the proof of work")]
pub struct NotPow;

// === impl Challenge ===

impl Challenge {
    /// Length on the wire.
    pub const BYTES: usize = 24;

    /// A challenge with a salt from the secure source; `None` when that fails.
    pub fn random(difficulty: u8) -> Option<Self> {
        let mut salt = [0; 16];
        aws_lc_rs::rand::fill(&mut salt).ok()?;
        Some(Self {
            difficulty: i32::from(difficulty),
            salt,
        })
    }

    /// The bytes on the wire.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&CHALLENGE_ID);
        bytes[4..8].copy_from_slice(&self.difficulty.to_le_bytes());
        bytes[8..].copy_from_slice(&self.salt);
        bytes
    }

    /// The challenge in these bytes.
    ///
    /// # Errors
    /// [`NotPow`] when they are something else.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Result<Self, NotPow> {
        let (id, rest) = bytes.split_first_chunk::<4>().ok_or(NotPow)?;
        let (difficulty, salt) = rest.split_first_chunk::<4>().ok_or(NotPow)?;
        if *id != CHALLENGE_ID {
            return Err(NotPow);
        }
        Ok(Self {
            difficulty: i32::from_le_bytes(*difficulty),
            salt: salt.try_into().map_err(|_| NotPow)?,
        })
    }

    /// Whether the solution is one.
    pub fn is_solved_by(&self, solution: Solution) -> bool {
        // u32 to i64 and i32 to i64 lose nothing; the original compares with sign, too.
        i64::from(self.zero_bits(solution.nonce)) >= i64::from(self.difficulty)
    }

    /// Searches from nonce 0 upwards, as the original; `None` when `stop` was set first. Blocks: run it off the runtime.
    pub fn search(&self, stop: &AtomicBool) -> Option<Solution> {
        let mut nonce = 0_u64;
        loop {
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            for _ in 0..BATCH {
                let solution = Solution { nonce };
                if self.is_solved_by(solution) {
                    return Some(solution);
                }
                nonce = nonce.wrapping_add(1);
            }
        }
    }

    /// Leading zero bits of the first eight hash bytes read as a little-endian number: the eighth byte counts first.
    fn zero_bits(&self, nonce: u64) -> u32 {
        let mut preimage = [0; 24];
        preimage[..16].copy_from_slice(&self.salt);
        preimage[16..].copy_from_slice(&nonce.to_le_bytes());
        let hash = digest(&SHA256, &preimage);
        hash.as_ref()
            .first_chunk::<8>()
            .map_or(0, |head| u64::from_le_bytes(*head).leading_zeros())
    }
}

// === impl Solution ===

impl Solution {
    /// Length on the wire.
    pub const BYTES: usize = 12;

    /// The bytes on the wire.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&SOLUTION_ID);
        bytes[4..].copy_from_slice(&self.nonce.to_le_bytes());
        bytes
    }

    /// The solution in these bytes; whether it solves anything is [`Challenge::is_solved_by`].
    ///
    /// # Errors
    /// [`NotPow`] when they are something else.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Result<Self, NotPow> {
        let (id, nonce) = bytes.split_first_chunk::<4>().ok_or(NotPow)?;
        if *id != SOLUTION_ID {
            return Err(NotPow);
        }
        Ok(Self {
            nonce: u64::from_le_bytes(nonce.try_into().map_err(|_| NotPow)?),
        })
    }
}

#[cfg(test)]
mod tests;
