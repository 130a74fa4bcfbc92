use std::collections::HashMap;

use aws_lc_rs::digest::{Context, SHA256};
use cocoon_attest::{Side, VerifiedPeer};

/// Certificates that are remembered: more peers than most nodes have with evidence, at about a kilobyte each.
const MAX_ENTRIES: usize = 4096;

/// Successful appraisals under one generation of rules.
///
/// Nobody can fill it with what others pay for: only evidence that took signatures of a maker to verify is kept, and when it
/// is full, what was asked for longest ago makes room. Losing an entry costs one verification.
pub(super) struct Cache {
    generation: u64,
    entries: HashMap<Digest, Entry>,
    /// Counts questions, to tell what was asked for last.
    turn: u64,
    most: usize,
}

/// SHA-256 of a certificate, and on which side its owner is: purposes and names differ.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Digest([u8; 32], Side);

struct Entry {
    peer: VerifiedPeer,
    /// First second at which this holds for sure: when it was appraised.
    since: u64,
    asked: u64,
}

// === impl Digest ===

impl Digest {
    pub(super) fn of(certificate: &[u8], side: Side) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(certificate);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        Self(bytes, side)
    }
}

// === impl Cache ===

impl Cache {
    pub(super) fn new() -> Self {
        Self::with_room_for(MAX_ENTRIES)
    }

    pub(super) fn with_room_for(most: usize) -> Self {
        Self {
            generation: 0,
            entries: HashMap::new(),
            turn: 0,
            most,
        }
    }

    /// What was found under these rules and holds at this second. A clock that went back finds nothing.
    pub(super) fn find(&mut self, digest: &Digest, generation: u64, now: u64) -> Option<VerifiedPeer> {
        if generation != self.generation {
            return None;
        }
        let entry = self.entries.get_mut(digest)?;
        if now > entry.peer.expires_at() {
            self.entries.remove(digest);
            return None;
        }
        if now < entry.since {
            return None;
        }
        self.turn += 1;
        entry.asked = self.turn;
        Some(entry.peer.clone())
    }

    /// Keeps a success, unless the rules have changed since they were asked, or it cost next to nothing.
    pub(super) fn keep(&mut self, digest: Digest, generation: u64, now: u64, peer: &VerifiedPeer) {
        if generation != self.generation || (peer.tdx().is_none() && peer.snp().is_none()) {
            return;
        }
        if self.entries.len() >= self.most && !self.entries.contains_key(&digest) {
            self.make_room(now);
        }
        self.turn += 1;
        let entry = Entry {
            peer: peer.clone(),
            since: now,
            asked: self.turn,
        };
        self.entries.insert(digest, entry);
    }

    /// Forgets everything: other rules count.
    pub(super) fn clear(&mut self, generation: u64) {
        self.entries.clear();
        self.generation = generation.max(self.generation);
    }

    /// Drops what has ended, or else the quarter that was asked for longest ago, so that not every newcomer looks at all.
    fn make_room(&mut self, now: u64) {
        self.entries.retain(|_, entry| now <= entry.peer.expires_at());
        if self.entries.len() < self.most {
            return;
        }
        let mut asked: Vec<u64> = self.entries.values().map(|entry| entry.asked).collect();
        let place = asked.len() / 4;
        let (_, oldest, _) = asked.select_nth_unstable(place);
        let oldest = *oldest;
        self.entries.retain(|_, entry| entry.asked > oldest);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
