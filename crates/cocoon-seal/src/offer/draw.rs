//! The client's draw: an ordered list, weighted by score.

use crate::MAX_CANDIDATES;
use crate::random::{NoRandomness, Random, draw as random_bytes};

/// Draws min(`k`, those with a score) of the entries with these scores, in order, none twice: each time one of those left,
/// with a probability of its share in their sum. `k` is held to [`MAX_CANDIDATES`].
///
/// # Errors
/// [`NoRandomness`].
pub fn draw(scores: &[u32], k: usize, random: &mut dyn Random) -> Result<Vec<usize>, NoRandomness> {
    let mut left: Vec<(usize, u32)> = scores.iter().copied().enumerate().collect();
    left.retain(|(_, score)| *score > 0);
    let mut drawn = Vec::with_capacity(k.min(MAX_CANDIDATES));
    while drawn.len() < k.min(MAX_CANDIDATES) && !left.is_empty() {
        let sum: u64 = left.iter().map(|(_, score)| u64::from(*score)).sum();
        let r = u128::from_be_bytes(random_bytes(random)?);
        let mut point = scale(r, sum);
        let mut at = 0;
        for (index, (_, score)) in left.iter().enumerate() {
            at = index;
            match point.checked_sub(u64::from(*score)) {
                Some(rest) => point = rest,
                None => break,
            }
        }
        drawn.push(left.remove(at).0);
    }
    Ok(drawn)
}

/// floor(r × sum / 2^128), without a bias that anybody could measure.
fn scale(r: u128, sum: u64) -> u64 {
    let (high, low) = (r >> 64, r & u128::from(u64::MAX));
    let carried = (low * u128::from(sum)) >> 64;
    let scaled = (high * u128::from(sum) + carried) >> 64;
    // Below `sum`, so it fits.
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
