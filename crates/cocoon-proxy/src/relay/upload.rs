//! The request's body on its way to a worker, kept as long as it may have to go to another one.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use cocoon_link::{BodyReceiver, BodySender};

/// Bodies up to this size can go to a second worker: any text prompt, and a few small images. Larger ones are not
/// kept, since many of them at once would fill the memory.
const KEEP_LIMIT: usize = 1024 * 1024;

/// Where the body comes from, and how much has come.
#[derive(Debug)]
pub(super) struct Upload {
    body: BodyReceiver,
    received: u64,
    announced: u64,
    /// Bytes of each piece that do not count: those by which it is longer sealed.
    overhead: usize,
}

/// The pieces so far, until they are too many or no longer needed.
#[derive(Debug)]
pub(super) struct Kept(Mutex<Option<Pieces>>);

#[derive(Clone, Default)]
struct Pieces {
    pieces: Vec<Bytes>,
    bytes: usize,
}

/// Why the body did not go through.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum UploadEnd {
    /// The worker's stream has ended.
    Stream,
    /// The client's stream has ended.
    Client,
    /// The client sent another length than it announced.
    Violation,
}

// === impl Upload ===

impl Upload {
    pub(super) fn new(body: BodyReceiver, announced: u64, overhead: usize) -> Self {
        Self {
            body,
            received: 0,
            announced,
            overhead,
        }
    }

    /// Sends what was kept, then the rest as it comes.
    ///
    /// The next piece is taken from the client, and thereby paid for with credit, only when the last one has gone out.
    pub(super) async fn run(&mut self, kept: &Kept, to: &mut BodySender) -> Result<(), UploadEnd> {
        let stream = |_| UploadEnd::Stream;
        let mut sent: u64 = 0;
        for piece in kept.pieces() {
            sent += counted(&piece, self.overhead);
            to.send(piece, sent == self.announced).await.map_err(stream)?;
        }
        if self.announced == 0 {
            to.send(Bytes::new(), true).await.map_err(stream)?;
        }
        while let Some(piece) = self.body.next().await.map_err(|_| UploadEnd::Client)? {
            self.received += counted(&piece, self.overhead);
            if self.received > self.announced {
                return Err(UploadEnd::Violation);
            }
            kept.keep(&piece);
            let is_last = self.received == self.announced;
            to.send(piece, is_last).await.map_err(stream)?;
        }
        if self.received == self.announced {
            Ok(())
        } else {
            Err(UploadEnd::Violation)
        }
    }
}

fn counted(piece: &Bytes, overhead: usize) -> u64 {
    piece.len().saturating_sub(overhead) as u64
}

// === impl Kept ===

impl Kept {
    /// Whether another worker could be sent all that has come.
    pub(super) fn is_whole(&self) -> bool {
        self.lock().is_some()
    }

    /// Lets go of the pieces: nobody else will need them.
    pub(super) fn forget(&self) {
        *self.lock() = None;
    }

    fn keep(&self, piece: &Bytes) {
        let mut kept = self.lock();
        if let Some(pieces) = kept.as_mut() {
            if pieces.bytes + piece.len() > KEEP_LIMIT {
                *kept = None;
            } else {
                pieces.bytes += piece.len();
                pieces.pieces.push(piece.clone());
            }
        }
    }

    fn pieces(&self) -> Vec<Bytes> {
        self.lock()
            .as_ref()
            .map(|kept| kept.pieces.clone())
            .unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Pieces>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Kept {
    fn default() -> Self {
        Self(Mutex::new(Some(Pieces::default())))
    }
}

impl std::fmt::Debug for Pieces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes in {} pieces", self.bytes, self.pieces.len())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{KEEP_LIMIT, Kept};

    #[test]
    fn small_bodies_are_kept_until_they_are_not_needed() {
        let kept = Kept::default();
        kept.keep(&Bytes::from_static(b"ab"));
        kept.keep(&Bytes::from_static(b"c"));
        assert_eq!(kept.pieces(), ["ab", "c"]);
        assert!(kept.is_whole());
        kept.forget();
        kept.keep(&Bytes::from_static(b"d"));
        assert!(!kept.is_whole() && kept.pieces().is_empty());
    }

    #[test]
    fn large_bodies_are_not_piled_up() {
        let kept = Kept::default();
        let piece = Bytes::from(vec![0; KEEP_LIMIT / 4]);
        for _ in 0..4 {
            kept.keep(&piece);
        }
        assert!(kept.is_whole());
        kept.keep(&Bytes::from_static(b"x"));
        assert!(!kept.is_whole());
    }

    #[test]
    fn debug_shows_no_content() {
        let kept = Kept::default();
        kept.keep(&Bytes::from_static(b"planted"));
        assert!(!format!("{kept:?}").contains("planted"));
    }
}
