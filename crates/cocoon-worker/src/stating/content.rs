//! What a worker can say of its engine: as far as it started it itself, from files that it has read.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{Context, SHA256};
use cocoon_link::EnginePlace;
use cocoon_trust::{StatedContent, StatedEngine, accelerators};

use crate::options::EngineChoice;

/// Bytes that are read at once.
const PIECE: usize = 256 * 1024;

/// As many accelerators as a statement can name.
const MAX_ACCELERATORS: u8 = 16;

/// What was found out when the worker started. The files are those that the engine was started from: in a measured image nobody
/// changes them.
#[derive(Clone, Debug)]
pub(super) struct Known {
    accelerators: u8,
    model: Option<[u8; 32]>,
    engine_digest: Option<[u8; 32]>,
}

// === impl Known ===

impl Known {
    /// Looks at the machine, and reads the files of an engine that this worker starts; a large model takes seconds.
    pub(super) async fn of(engine: &EngineChoice) -> Self {
        let files = match engine {
            EngineChoice::BuiltIn {
                binary, model_file, ..
            } => Some((binary.clone(), model_file.clone())),
            EngineChoice::Auto | EngineChoice::Url { .. } => None,
        };
        let known = tokio::task::spawn_blocking(move || Self::read(files)).await;
        // The runtime is going down, or a defect; then nothing is claimed but the worst.
        known.unwrap_or(Self {
            accelerators: MAX_ACCELERATORS,
            model: None,
            engine_digest: None,
        })
    }

    fn read(files: Option<(PathBuf, PathBuf)>) -> Self {
        let (binary, model_file) = files.unzip();
        Self {
            accelerators: counted(),
            model: model_file.as_deref().and_then(digest),
            // A bare name is looked up in PATH by the system; which file that is, nobody says.
            engine_digest: binary
                .as_deref()
                .filter(|binary| binary.components().count() > 1)
                .and_then(digest),
        }
    }

    /// Looks at the machine again: what is plugged in may be another thing by now.
    pub(super) async fn look_again(&mut self) {
        let counted = tokio::task::spawn_blocking(counted).await;
        self.accelerators = counted.unwrap_or(MAX_ACCELERATORS);
    }

    /// Where an engine in this place comes from, in the words of a statement.
    pub(super) const fn place(&self, place: EnginePlace) -> StatedEngine {
        match place {
            EnginePlace::StartedByWorker => StatedEngine::OfImage,
            EnginePlace::Outside => StatedEngine::Outside,
            EnginePlace::None => StatedEngine::None,
        }
    }

    /// What is stated with an engine in this place.
    pub(super) fn content(&mut self, place: EnginePlace, sealing_key: Vec<u8>) -> StatedContent {
        let engine = self.place(place);
        let own = engine == StatedEngine::OfImage;
        StatedContent {
            accelerators: self.accelerators,
            engine,
            model: self.model.filter(|_| own),
            engine_digest: self.engine_digest.filter(|_| own),
            sealing_key,
        }
    }
}

/// All that there are: which of them the engine uses, nothing here can see.
fn counted() -> u8 {
    u8::try_from(accelerators()).map_or(MAX_ACCELERATORS, |found| found.min(MAX_ACCELERATORS))
}

/// SHA-256 of a file; nothing (which is said) where it cannot be read.
fn digest(path: &Path) -> Option<[u8; 32]> {
    match sha256_of(path) {
        Ok(digest) => Some(digest),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "its digest is not stated, it cannot be read");
            None
        }
    }
}

fn sha256_of(path: &Path) -> std::io::Result<[u8; 32]> {
    let mut file = File::open(path)?;
    let mut hash = Context::new(&SHA256);
    let mut piece = vec![0; PIECE];
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            let mut digest = [0; 32];
            digest.copy_from_slice(hash.finish().as_ref());
            return Ok(digest);
        }
        hash.update(piece.get(..read).unwrap_or_default());
    }
}
