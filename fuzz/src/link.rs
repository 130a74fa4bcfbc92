//! `cocoon-link`: the proof of work, which is read before anything is known about the peer.

use cocoon_link::pow::{Challenge, Solution};

/// The name of a target and of its corpus directory, and its entry function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of this module.
pub const TARGETS: &[Target] = &[("link_pow", pow)];

/// A challenge, then a solution.
pub fn pow(data: &[u8]) {
    let Some((first, rest)) = data.split_first_chunk() else {
        return;
    };
    let Ok(challenge) = Challenge::from_bytes(first) else {
        return;
    };
    assert_eq!(challenge.to_bytes(), *first);
    let Some((second, _)) = rest.split_first_chunk() else {
        return;
    };
    let Ok(solution) = Solution::from_bytes(second) else {
        return;
    };
    assert_eq!(solution.to_bytes(), *second);
    let solved = challenge.is_solved_by(solution);
    // What is easier is solved, too; nothing more than 64 bits ever is.
    for (difficulty, expected) in [(i32::MIN, true), (0, true), (65, false), (i32::MAX, false)] {
        let other = Challenge {
            difficulty,
            ..challenge
        };
        assert_eq!(other.is_solved_by(solution), expected);
    }
    assert!(solved || challenge.difficulty > 0);
    assert!(!solved || challenge.difficulty <= 64);
}
