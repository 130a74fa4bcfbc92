//! The header of a model file: which architecture, how long a context, is there a chat template.
//!
//! Reads GGUF 2 and 3 and only the key-value part, with bounds on everything a file may claim; a hostile file costs
//! at most [`MAX_HEADER`] bytes of reading and some kilobytes of memory. Tensors are the engine's business.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// What the header of a GGUF file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// `general.architecture`, such as `llama`.
    pub architecture: String,
    /// `general.name`.
    pub name: Option<String>,
    /// `general.license`.
    pub licence: Option<String>,
    /// `<architecture>.context_length` in tokens.
    pub context_length: Option<u64>,
    /// Whether `tokenizer.chat_template` is there.
    pub chat_template: bool,
}

/// The file is not a GGUF that can be read.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    #[error("the file cannot be read")]
    Read(#[from] io::Error),
    #[error("it is not a GGUF file")]
    Magic,
    #[error("GGUF version {0} is not known")]
    Version(u32),
    #[error("the header ends too early or is longer than {MAX_HEADER} bytes")]
    Cut,
    #[error("the header is damaged: {0}")]
    Damaged(&'static str),
}

/// Largest header in bytes: vocabularies of 250,000 words with their merges take some 15 MB.
pub const MAX_HEADER: u64 = 64 * 1024 * 1024;
/// Most key-value pairs; real files have some forty.
const MAX_PAIRS: u64 = 4096;
/// Longest key in bytes (the format's own limit is 65,535).
const MAX_KEY: u64 = 65_535;
/// Longest text that is kept, in bytes; longer ones are passed over.
const MAX_KEPT: u64 = 1024;
/// Deepest array of arrays.
const MAX_DEPTH: u32 = 4;
/// Most different `*.context_length` that are remembered until the architecture is known.
const MAX_CONTEXTS: usize = 16;

const STRING: u32 = 8;
const ARRAY: u32 = 9;

// === impl Header ===

impl Header {
    /// Reads the header of a file. Blocking.
    ///
    /// # Errors
    /// [`GgufError`] says what is wrong with it.
    pub fn of_file(path: &Path) -> Result<Self, GgufError> {
        Self::read(BufReader::new(File::open(path)?))
    }

    /// Reads a header.
    ///
    /// # Errors
    /// [`GgufError`] as above.
    pub fn read(from: impl Read) -> Result<Self, GgufError> {
        Self::read_at_most(from, MAX_HEADER)
    }

    fn read_at_most(from: impl Read, limit: u64) -> Result<Self, GgufError> {
        let mut input = Input(from.take(limit));
        if input.bytes::<4>().map_err(|_| GgufError::Magic)? != *b"GGUF" {
            return Err(GgufError::Magic);
        }
        let version = input.u32()?;
        if !(2..=3).contains(&version) {
            return Err(GgufError::Version(version));
        }
        let _tensors = input.u64()?;
        let pairs = input.u64()?;
        if pairs > MAX_PAIRS {
            return Err(GgufError::Damaged("too many keys"));
        }
        let mut header = Self::default();
        let mut contexts: Vec<(String, u64)> = Vec::new();
        for _ in 0..pairs {
            let length = input.u64()?;
            if length > MAX_KEY {
                return Err(GgufError::Damaged("a key is too long"));
            }
            let key = input.text(length)?;
            let kind = input.u32()?;
            match key.as_str() {
                "general.architecture" => header.architecture = input.string(kind)?.unwrap_or_default(),
                "general.name" => header.name = input.string(kind)?,
                "general.license" => header.licence = input.string(kind)?,
                "tokenizer.chat_template" => {
                    header.chat_template = kind == STRING;
                    input.skip(kind, 0)?;
                }
                other => match (other.strip_suffix(".context_length"), input.number(kind)?) {
                    (Some(of), Some(tokens)) if contexts.len() < MAX_CONTEXTS => {
                        contexts.push((of.into(), tokens))
                    }
                    _ => {}
                },
            }
        }
        let ours = contexts.iter().find(|(of, _)| *of == header.architecture);
        header.context_length = ours.map(|(_, tokens)| *tokens);
        Ok(header)
    }
}

/// The bytes of a header, of which there are at most [`MAX_HEADER`].
struct Input<R>(io::Take<R>);

// === impl Input ===

impl<R: Read> Input<R> {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        let mut bytes = [0; N];
        self.0
            .read_exact(&mut bytes)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => GgufError::Cut,
                _ => GgufError::Read(error),
            })?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, GgufError> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    fn u64(&mut self) -> Result<u64, GgufError> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }

    /// Text of a length that the caller has bounded.
    fn text(&mut self, length: u64) -> Result<String, GgufError> {
        let mut bytes = Vec::new();
        (&mut self.0).take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Err(GgufError::Cut);
        }
        String::from_utf8(bytes).map_err(|_| GgufError::Damaged("a text is not UTF-8"))
    }

    /// A text worth keeping, or `None` and the value passed over.
    fn string(&mut self, kind: u32) -> Result<Option<String>, GgufError> {
        if kind != STRING {
            self.skip(kind, 0)?;
            return Ok(None);
        }
        let length = self.u64()?;
        if length > MAX_KEPT {
            self.pass(length)?;
            return Ok(None);
        }
        self.text(length).map(Some)
    }

    /// An unsigned number, or `None` and the value passed over.
    fn number(&mut self, kind: u32) -> Result<Option<u64>, GgufError> {
        match kind {
            4 => self.u32().map(|number| Some(number.into())),
            10 => self.u64().map(Some),
            other => self.skip(other, 0).map(|()| None),
        }
    }

    fn skip(&mut self, kind: u32, depth: u32) -> Result<(), GgufError> {
        match kind {
            STRING => {
                let length = self.u64()?;
                self.pass(length)
            }
            ARRAY if depth < MAX_DEPTH => {
                let (kind, count) = (self.u32()?, self.u64()?);
                if let Some(width) = width(kind) {
                    return self.pass(count.checked_mul(width).ok_or(GgufError::Cut)?);
                }
                // Each round reads eight bytes at least, so the header's length bounds the rounds.
                for _ in 0..count {
                    self.skip(kind, depth + 1)?;
                }
                Ok(())
            }
            ARRAY => Err(GgufError::Damaged("arrays are too deep")),
            other => self.pass(width(other).ok_or(GgufError::Damaged("a value has an unknown type"))?),
        }
    }

    fn pass(&mut self, bytes: u64) -> Result<(), GgufError> {
        if bytes > self.0.limit() {
            return Err(GgufError::Cut);
        }
        if bytes == 0 {
            return Ok(());
        }
        let passed = io::copy(&mut (&mut self.0).take(bytes), &mut io::sink())?;
        if passed == bytes {
            Ok(())
        } else {
            Err(GgufError::Cut)
        }
    }
}

/// Bytes of a value of a plain type.
fn width(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod tests;
