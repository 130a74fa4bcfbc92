use std::array;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

fn vector(difficulty: i32) -> Challenge {
    Challenge {
        difficulty,
        salt: array::from_fn(|index| u8::try_from(index).unwrap()),
    }
}

fn solves(difficulty: i32, nonce: u64) -> bool {
    vector(difficulty).is_solved_by(Solution { nonce })
}

/// The vectors of spec/network.md 2 and 11.
#[test]
fn the_search_finds_the_smallest_nonce() {
    let go = AtomicBool::new(false);
    for (bits, nonce) in [(16, 84_956), (20, 303_607)] {
        assert_eq!(vector(bits).search(&go), Some(Solution { nonce }), "{bits} bits");
    }
}

#[test]
fn the_eighth_byte_counts_first() {
    // 42 22 12 36 5d cb 00 00: 16 zero bits from the end, none from the beginning.
    assert!(solves(16, 84_956));
    assert!(!solves(17, 84_956));
    // 54 37 8a d1 21 06 00 00: the sixth byte gives five more.
    assert!(solves(21, 303_607));
    assert!(!solves(22, 303_607));
}

#[test]
fn absurd_difficulties() {
    for difficulty in [0, -1, i32::MIN] {
        assert!(solves(difficulty, 0), "{difficulty}");
    }
    for difficulty in [65, 256, i32::MAX] {
        assert!(!solves(difficulty, 84_956), "{difficulty}");
    }
}

#[test]
fn the_bytes_of_the_wire() {
    let challenge = vector(20);
    let bytes = hex::encode(challenge.to_bytes());
    assert_eq!(bytes, "91128e4114000000000102030405060708090a0b0c0d0e0f");
    assert_eq!(Challenge::from_bytes(&challenge.to_bytes()), Ok(challenge));
    let solution = Solution { nonce: 303_607 };
    assert_eq!(hex::encode(solution.to_bytes()), "19738201f7a1040000000000");
    assert_eq!(Solution::from_bytes(&solution.to_bytes()), Ok(solution));
}

#[test]
fn another_message_is_refused() {
    for byte in 0..4 {
        let mut bytes = vector(1).to_bytes();
        bytes[byte] ^= 1;
        assert_eq!(Challenge::from_bytes(&bytes), Err(NotPow));
        let mut bytes = Solution { nonce: 1 }.to_bytes();
        bytes[byte] ^= 1;
        assert_eq!(Solution::from_bytes(&bytes), Err(NotPow));
    }
}

#[test]
fn challenges_are_never_the_same() {
    let (one, two) = (Challenge::random(20).unwrap(), Challenge::random(20).unwrap());
    assert_ne!(one.salt, two.salt);
    assert_eq!(one.difficulty, 20);
}

#[test]
fn a_search_without_hope_can_be_stopped() {
    let stop = AtomicBool::new(false);
    let began = Instant::now();
    std::thread::scope(|scope| {
        let search = scope.spawn(|| vector(64).search(&stop));
        while began.elapsed() < Duration::from_millis(20) {
            std::hint::spin_loop();
        }
        stop.store(true, Ordering::Relaxed);
        assert_eq!(search.join().unwrap(), None);
    });
    assert!(began.elapsed() < Duration::from_secs(5));
}

proptest! {
    #[test]
    fn what_is_found_is_a_solution(salt: [u8; 16], difficulty in -2_i32..9) {
        let challenge = Challenge { difficulty, salt };
        let solution = challenge.search(&AtomicBool::new(false)).unwrap();
        prop_assert!(challenge.is_solved_by(solution));
        prop_assert_eq!(Challenge::from_bytes(&challenge.to_bytes()), Ok(challenge));
        prop_assert_eq!(Solution::from_bytes(&solution.to_bytes()), Ok(solution));
    }
}
