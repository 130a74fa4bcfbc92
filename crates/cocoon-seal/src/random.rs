//! Randomness, brought by the caller.

use std::convert::Infallible;

use hpke::rand_core::{TryCryptoRng, TryRng};
use zeroize::Zeroizing;

use crate::{digest, domain};

/// A secure source of randomness, such as `aws_lc_rs::rand::fill`; vectors and tests bring a fixed one.
pub trait Random {
    /// Fills all of `out` with bytes that nobody can guess.
    ///
    /// # Errors
    /// [`NoRandomness`] when there are none; nothing is sealed then.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoRandomness>;
}

/// The source of randomness failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the source of randomness failed")]
pub struct NoRandomness;

impl<F: FnMut(&mut [u8]) -> Result<(), NoRandomness>> Random for F {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoRandomness> {
        self(out)
    }
}

/// So many random bytes.
pub(crate) fn draw<const N: usize>(random: &mut dyn Random) -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    random.fill(&mut bytes)?;
    Ok(bytes)
}

/// 32 random bytes on the heap, where nothing copies them about.
pub(crate) fn secret(random: &mut dyn Random) -> Result<Box<Zeroizing<[u8; 32]>>, NoRandomness> {
    let mut bytes = Box::new(Zeroizing::new([0; 32]));
    random.fill(&mut **bytes)?;
    Ok(bytes)
}

/// What `hpke` wants: a source that cannot fail, stretched from a seed of the caller's.
pub(crate) struct Stream {
    seed: Zeroizing<[u8; 32]>,
    counter: u64,
}

impl Stream {
    pub(crate) fn new(random: &mut dyn Random) -> Result<Self, NoRandomness> {
        let seed = Zeroizing::new(draw(random)?);
        Ok(Self { seed, counter: 0 })
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(32) {
            let counter = self.counter.to_be_bytes();
            let block = Zeroizing::new(digest::hash(domain::ENCAPSULATION, &[&*self.seed, &counter]).0);
            self.counter = self.counter.wrapping_add(1);
            for (to, from) in chunk.iter_mut().zip(block.iter()) {
                *to = *from;
            }
        }
        Ok(())
    }
}

impl TryCryptoRng for Stream {}
