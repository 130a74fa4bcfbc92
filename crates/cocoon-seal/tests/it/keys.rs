//! Sealing keys: life, overlap, end.

use bytes::Bytes;
use cocoon_seal::*;

use crate::support::*;

fn arrival<'a>(sealed: &'a SealedRequest, at: usize, key_id: Digest, now: u64) -> Arrival<'a> {
    Arrival {
        head: sealed.head.bytes(),
        key_id,
        wrap: &sealed.wraps[at],
        clear: None,
        now,
    }
}

#[test]
fn a_key_every_five_minutes_each_for_ten() {
    let mut random = fixed(3);
    let mut keys = SealingKeys::new([5; 32], Limits::default());
    assert_eq!(keys.next_change(), None);
    let mut made = Vec::new();
    for now in NOW..NOW + 3600 {
        let due = keys.next_change().is_none_or(|change| change <= now);
        let new = keys.advance(now, &mut random).unwrap();
        assert!(due || new.is_none(), "next_change says when");
        if let Some(public) = new {
            assert_eq!(public.not_after() - public.not_before(), SealingPublic::MAX_LIFE);
            assert_eq!(public.receipt_key(), &[5; 32]);
            made.push(public);
        }
        let living: Vec<_> = keys.living().map(SealingPublic::id).collect();
        assert!((1..=2).contains(&living.len()), "one overlap");
        assert!(keys.living().all(|key| key.lives_at(now)));
        assert_eq!(
            keys.newest().map(SealingPublic::id),
            made.last().map(SealingPublic::id)
        );
    }
    assert_eq!(made.len(), 12);
    let mut ids: Vec<_> = made.iter().map(SealingPublic::id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 12);
}

#[test]
fn the_key_before_is_accepted_until_its_end() {
    let mut world = world();
    let old = world.workers[0].public.clone();
    let keys = &mut world.workers[0].keys;
    let new = keys.advance(NOW + 300, &mut fixed(8)).unwrap().unwrap();
    let mut spec = world.spec();
    spec.deadline = NOW + 700;
    let mut sealed = |key: &SealingPublic, now| {
        seal_request(
            &spec,
            &[cold(key)],
            Bytes::from_static(BODY),
            now,
            &mut world.random,
        )
        .unwrap()
    };
    let (to_old, late_to_old, to_new) = (
        sealed(&old, NOW + 400),
        sealed(&old, NOW + 599),
        sealed(&new, NOW + 400),
    );
    let keys = &mut world.workers[0].keys;
    keys.open(&arrival(&to_old, 0, old.id(), NOW + 599)).unwrap();
    keys.open(&arrival(&to_new, 0, new.id(), NOW + 600)).unwrap();
    let late = keys.open(&arrival(&late_to_old, 0, old.id(), NOW + 600));
    assert_eq!(late.unwrap_err(), Reason::UnknownKey);
    // A wrap for one key does not open under the other.
    let keys = &mut world.workers[0].keys;
    assert_eq!(
        keys.open(&arrival(&to_old, 0, new.id(), NOW + 500)).unwrap_err(),
        Reason::NotACandidate
    );
}

#[test]
fn without_randomness_there_is_no_key() {
    let mut none = |_: &mut [u8]| Err(NoRandomness);
    let mut keys = SealingKeys::new([5; 32], Limits::default());
    assert_eq!(keys.advance(NOW, &mut none), Err(SealingKeysError::NoRandomness));
    assert!(keys.newest().is_none());
}

#[test]
fn what_is_no_sealing_key() {
    let world = world();
    let right = world.workers[0].public.bytes();
    assert_eq!(right.len(), SealingPublic::BYTES);
    assert!(right.len() <= 2048, "what a statement carries");
    assert_eq!(
        SealingPublic::decode(right.clone()).unwrap().id(),
        world.workers[0].public.id()
    );
    for length in 0..right.len() {
        assert!(SealingPublic::decode(right.slice(..length)).is_err());
    }
    assert!(SealingPublic::decode([right, &b"x"[..]].concat().into()).is_err());
    // Suite, and a life that is too long or none.
    let suite = right.len() - 1216 - 32 - 16 - 2;
    for (at, byte) in [(suite + 1, 2), (suite + 2, 0x7f), (suite + 10, 0x7f)] {
        let mut changed = right.to_vec();
        changed[at] = byte;
        assert!(SealingPublic::decode(changed.into()).is_err(), "byte {at}");
    }
}

/// The seed of a key is in this process's memory while the key lives, and nowhere after it.
#[test]
#[cfg(target_os = "linux")]
fn a_key_that_is_over_is_gone_from_memory() {
    // What the ring will draw, masked, so that the test itself does not keep it.
    let mut masked = [0_u8; 32];
    fixed(4242).fill(&mut masked).unwrap();
    masked.iter_mut().for_each(|byte| *byte ^= 0x5a);

    let mut world = world();
    let mut keys = SealingKeys::new(*world.workers[0].signing.public(), Limits::default());
    let public = keys.advance(NOW, &mut fixed(4242)).unwrap().unwrap();
    let spec = world.spec();
    let sealed = seal_request(
        &spec,
        &[cold(&public)],
        Bytes::from_static(BODY),
        NOW,
        &mut world.random,
    )
    .unwrap();
    keys.open(&arrival(&sealed, 0, public.id(), NOW)).unwrap();
    assert!(copies_in_memory(&masked) > 0, "the search finds what is there");
    keys.erase(public.not_after());
    assert_eq!(copies_in_memory(&masked), 0);
}

#[cfg(target_os = "linux")]
fn copies_in_memory(masked: &[u8; 32]) -> usize {
    use std::io::{Read, Seek, SeekFrom};
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut memory = std::fs::File::open("/proc/self/mem").unwrap();
    let mut block = vec![0_u8; 1 << 16];
    let mut found = 0;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, rest) = line.split_once('-').unwrap();
        let to = rest.split(' ').next().unwrap();
        let (mut at, to) = (
            u64::from_str_radix(from, 16).unwrap(),
            u64::from_str_radix(to, 16).unwrap(),
        );
        // Blocks overlap by 31 bytes, so that nothing hides on an edge.
        while at + 32 <= to {
            let length = usize::try_from((to - at).min(1 << 16)).unwrap();
            memory.seek(SeekFrom::Start(at)).unwrap();
            if memory.read_exact(&mut block[..length]).is_err() {
                break;
            }
            let same = |window: &&[u8]| window.iter().zip(masked).all(|(a, b)| *a == *b ^ 0x5a);
            found += block[..length].windows(32).filter(same).count();
            at += (length - 31) as u64;
        }
        block.fill(0);
    }
    found
}
