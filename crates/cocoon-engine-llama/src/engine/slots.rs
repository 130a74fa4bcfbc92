//! Which slot serves a new prompt: the one that still holds most of it, else the one that rested longest. And whether
//! another slot's memory is worth copying into it.

use super::Token;

/// A slot as the choice sees it.
pub(crate) struct Candidate<'a> {
    pub(crate) slot: usize,
    pub(crate) held: &'a [Token],
    pub(crate) last_used: u64,
}

/// Part of a prompt that a slot must hold to be preferred for it; below that the oldest slot is taken, so that short
/// common beginnings (a template's system line) do not push one conversation out of its slot again and again.
const WORTHWHILE: usize = 10;

/// The free slot to use, if any, and how many tokens of the prompt it holds already.
///
/// The last token of a prompt is always computed: its result is where the answer begins.
pub(crate) fn choose<'a>(
    prompt: &[Token],
    free: impl Iterator<Item = Candidate<'a>>,
) -> Option<(usize, usize)> {
    let candidates: Vec<(usize, usize, u64)> = free
        .map(|candidate| {
            let common = common_prefix(prompt, candidate.held).min(prompt.len().saturating_sub(1));
            (candidate.slot, common, candidate.last_used)
        })
        .collect();
    let best = candidates
        .iter()
        .max_by_key(|(_, common, last_used)| (*common, std::cmp::Reverse(*last_used)))?;
    let oldest = candidates.iter().min_by_key(|(_, _, last_used)| *last_used)?;
    let (slot, common, _) = if best.1 * WORTHWHILE >= prompt.len() {
        best
    } else {
        oldest
    };
    Some((*slot, *common))
}

/// Tokens at the beginning that both have.
pub(super) fn common_prefix(left: &[Token], right: &[Token]) -> usize {
    left.iter().zip(right).take_while(|(a, b)| a == b).count()
}

/// Tokens that a copy must save. It copies a slot's whole memory, which takes about as long as computing 1/64 of what fits
/// it (measured on a CPU with a small model; less with larger ones).
pub(crate) fn worth_copying(context_length: usize) -> usize {
    (context_length / 64).max(64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(prompt: &[Token], slots: &[(&[Token], u64)]) -> Option<(usize, usize)> {
        let free = slots
            .iter()
            .enumerate()
            .map(|(slot, (held, last_used))| Candidate {
                slot,
                held,
                last_used: *last_used,
            });
        choose(prompt, free)
    }

    #[test]
    fn the_slot_that_holds_most_wins() {
        assert_eq!(
            pick(&[1, 2, 3, 4], &[(&[], 0), (&[1, 2, 9], 5), (&[1, 2, 3], 9)]),
            Some((2, 3))
        );
        assert_eq!(pick(&[7], &[]), None);
    }

    #[test]
    fn the_last_token_is_always_computed() {
        assert_eq!(pick(&[1, 2, 3], &[(&[1, 2, 3, 4, 5], 0)]), Some((0, 2)));
        assert_eq!(pick(&[1], &[(&[1], 0)]), Some((0, 0)));
    }

    #[test]
    fn a_short_common_beginning_does_not_push_out_a_conversation() {
        let prompt: Vec<Token> = (0..100).collect();
        let mut busy: Vec<Token> = (0..9).collect();
        busy.extend([500; 80]);
        assert_eq!(pick(&prompt, &[(&busy, 9), (&[500], 3)]), Some((1, 0)));
        // From a tenth on it counts.
        busy[9] = 9;
        assert_eq!(pick(&prompt, &[(&busy, 9), (&[500], 3)]), Some((0, 10)));
    }

    #[test]
    fn equals_go_to_the_oldest() {
        assert_eq!(pick(&[1, 2], &[(&[5], 3), (&[6], 1), (&[7], 2)]), Some((1, 0)));
    }
}
