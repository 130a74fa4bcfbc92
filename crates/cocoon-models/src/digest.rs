//! SHA-256 of a file: the one thing that decides whether bytes are a model.

use std::fmt;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aws_lc_rs::digest;

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sha256([u8; 32]);

/// The text is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 digest is 64 hexadecimal digits")]
pub struct Sha256Error;

/// Work on a blocking thread, seen from outside: how far it is, and the word to stop.
///
/// Whoever waits holds it; dropping it stops the work at its next piece.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
pub(crate) struct Shared {
    done: AtomicU64,
    stop: AtomicBool,
}

/// Bytes that are read at once: large enough that hashing, not the system call, is the cost.
pub(crate) const PIECE: usize = 256 * 1024;

// === impl Sha256 ===

impl Sha256 {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(bytes);
        Self::finish(context)
    }

    /// The first twelve digits, as they stand in the names of files.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(12);
        text
    }

    /// Reads the whole file. Blocking.
    pub(crate) fn of_file(path: &Path, gauge: &Shared) -> std::io::Result<Self> {
        let mut file = std::fs::File::open(path)?;
        let mut context = digest::Context::new(&digest::SHA256);
        let mut piece = vec![0; PIECE];
        loop {
            let read = file.read(&mut piece)?;
            if read == 0 {
                return Ok(Self::finish(context));
            }
            context.update(piece.get(..read).unwrap_or_default());
            gauge.advance(read)?;
        }
    }

    fn finish(context: digest::Context) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        Self(bytes)
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256({self})")
    }
}

impl FromStr for Sha256 {
    type Err = Sha256Error;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| Sha256Error)?;
        Ok(Self(bytes))
    }
}

// === impl Gauge ===

impl Gauge {
    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Bytes done so far.
    pub(crate) fn done(&self) -> u64 {
        self.shared.done.load(Ordering::Relaxed)
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    /// Counts, and ends the work when nobody waits for it any more.
    pub(crate) fn advance(&self, bytes: usize) -> std::io::Result<()> {
        self.done.fetch_add(bytes as u64, Ordering::Relaxed);
        if self.stop.load(Ordering::Relaxed) {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Sha256::of(b"").to_string(), empty);
        assert_eq!(empty.to_uppercase().parse(), Ok(Sha256::of(b"")));
        assert_eq!(Sha256::of(b"").short(), "e3b0c44298fc");
        assert_eq!("e3".parse::<Sha256>(), Err(Sha256Error));
        assert_eq!("é".repeat(32).parse::<Sha256>(), Err(Sha256Error));
    }

    #[test]
    fn an_abandoned_gauge_stops_the_work() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![7; PIECE * 3]).unwrap();
        let gauge = Gauge::default();
        let shared = gauge.shared();
        assert_eq!(
            Sha256::of_file(file.path(), &shared).unwrap(),
            Sha256::of(&vec![7; PIECE * 3])
        );
        assert_eq!(gauge.done(), 3 * PIECE as u64);
        drop(gauge);
        assert!(Sha256::of_file(file.path(), &shared).is_err());
    }
}
