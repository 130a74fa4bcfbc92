//! The directory of model files that all processes of a user share.
//!
//! `<name>-<first 12 digits of its SHA-256>.gguf` is a model; nothing gets that name before its digest was right.
//! Beside it: `.verified`, which says for which size and time of change the digest was computed, so that a start
//! does not read 5 GB again; `.lock`, held by the process that fetches; `.<source>.partial`, bytes on their way.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::digest::{Gauge, Shared};
use crate::fetch::SourceError;
use crate::settings::Settings;
use crate::{Catalogue, Event, Model, ModelEntry, Progress, Sha256};

mod pull;

/// A directory of models. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
    settings: Arc<Settings>,
}

/// How much of a model is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum State {
    /// Nothing.
    Absent,
    /// So many bytes of a download that stopped.
    Partial { bytes: u64 },
    /// A file whose digest was not computed since it last changed.
    Unchecked,
    /// Whole and right.
    Ready,
}

/// A model and how much of it is here.
#[derive(Clone, Debug)]
pub struct Listed {
    pub entry: ModelEntry,
    pub state: State,
    /// Where the file is or will be.
    pub path: PathBuf,
}

/// One source that did not deliver.
#[derive(Debug)]
pub struct Failure {
    /// From 1, as in the catalogue.
    pub number: usize,
    pub label: String,
    pub error: SourceError,
}

/// A model could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    #[error("no source delivered `{model}`:{}", lines(failures))]
    NoSource { model: String, failures: Vec<Failure> },
    #[error("`{model}` does not fit: {needed} bytes are needed in {}, {free} are free", dir.display())]
    NoRoom {
        model: String,
        dir: PathBuf,
        needed: u64,
        free: u64,
    },
    #[error("{} cannot be used", path.display())]
    Disk { path: PathBuf, source: std::io::Error },
    #[error("another process has been fetching `{model}` for too long")]
    Busy { model: String },
}

/// A file that should be a model is none.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("`{model}` is not here")]
    Absent { model: String },
    #[error("{} is not `{model}`: expected SHA-256 {expected}, found {found}", path.display())]
    WrongDigest {
        model: String,
        path: PathBuf,
        expected: Sha256,
        found: Sha256,
    },
    #[error("{} cannot be read", path.display())]
    Disk { path: PathBuf, source: std::io::Error },
}

/// For which file the digest was computed.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    schema: u32,
    size: u64,
    /// Nanoseconds of the file's time of change since 1970.
    modified: u64,
    sha256: String,
}

/// Version of the stamp's form; another one counts as none, and the digest is computed again.
const STAMP_SCHEMA: u32 = 1;
/// Largest stamp that is read, in bytes.
const MAX_STAMP: u64 = 4096;
/// How often a running digest is looked at.
const TICK: Duration = Duration::from_millis(200);

// === impl Store ===

impl Store {
    /// The store in `dir`, with this process's settings. The directory is made when something is fetched.
    pub fn open(dir: impl Into<PathBuf>) -> Self {
        Self::with_settings(dir, Settings::of_process())
    }

    /// The same with settings of the caller's own.
    pub fn with_settings(dir: impl Into<PathBuf>, settings: Settings) -> Self {
        let dir = dir.into();
        // A relative directory would wander off with the process's own.
        let dir = std::path::absolute(&dir).unwrap_or(dir);
        Self {
            dir,
            settings: Arc::new(settings),
        }
    }

    /// Where the models are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the file of this model is or will be.
    pub fn path(&self, entry: &ModelEntry) -> PathBuf {
        self.beside(entry, "gguf")
    }

    /// The file of this model, when it is whole and its digest was right and it has not changed since. Quick: reads
    /// no more than a stamp. `None` also for a file that must be checked first, which [`Store::pull`] does.
    pub fn path_if_present(&self, entry: &ModelEntry) -> Option<PathBuf> {
        let path = self.path(entry);
        let stamp = Stamp::of(&path, &entry.sha256)?;
        let fits = entry.size.is_none_or(|size| size == stamp.size);
        (fits && Stamp::load(&self.beside(entry, "verified")) == Some(stamp)).then_some(path)
    }

    /// How much of this model is here.
    pub fn state(&self, entry: &ModelEntry) -> State {
        if self.path_if_present(entry).is_some() {
            return State::Ready;
        }
        if self.path(entry).is_file() {
            return State::Unchecked;
        }
        match self
            .partials(entry)
            .iter()
            .filter_map(|path| Some(path.metadata().ok()?.len()))
            .sum()
        {
            0 => State::Absent,
            bytes => State::Partial { bytes },
        }
    }

    /// Every model of the catalogue and how much of it is here.
    pub fn list(&self, catalogue: &Catalogue) -> Vec<Listed> {
        let listed = |entry: &ModelEntry| Listed {
            entry: entry.clone(),
            state: self.state(entry),
            path: self.path(entry),
        };
        catalogue.models().iter().map(listed).collect()
    }

    /// The file of a model, fetched when it is not here.
    ///
    /// # Errors
    /// [`PullError`] as of [`Store::pull`].
    pub async fn obtain(&self, model: &Model, progress: &mut dyn Progress) -> Result<PathBuf, PullError> {
        match model {
            Model::Entry(entry) => self.pull(entry, progress).await,
            Model::File(path) => Ok(path.clone()),
        }
    }

    /// Reads the whole file and compares its digest, whatever the stamp says.
    ///
    /// # Errors
    /// [`VerifyError`]. A file with a wrong digest stays where it is, but counts as absent from then on.
    pub async fn verify(
        &self,
        entry: &ModelEntry,
        progress: &mut dyn Progress,
    ) -> Result<PathBuf, VerifyError> {
        let path = self.path(entry);
        if !path.is_file() {
            return Err(VerifyError::Absent {
                model: entry.name.clone(),
            });
        }
        let fault = |source| VerifyError::Disk {
            path: path.clone(),
            source,
        };
        let before = Stamp::of(&path, &entry.sha256);
        let found = digest(&path, progress).await.map_err(fault)?;
        let stamp = self.beside(entry, "verified");
        if found != entry.sha256 {
            let _ = std::fs::remove_file(&stamp);
            let (model, expected) = (entry.name.clone(), entry.sha256);
            return Err(VerifyError::WrongDigest {
                model,
                path,
                expected,
                found,
            });
        }
        // The stamp saves time only; a store that cannot be written works without.
        if let Some(before) = before {
            let _ = before.save(&stamp);
        }
        Ok(path)
    }

    fn beside(&self, entry: &ModelEntry, ending: &str) -> PathBuf {
        self.dir
            .join(format!("{}-{}.{ending}", entry.name, entry.sha256.short()))
    }

    /// Files of downloads of this model that have not ended.
    fn partials(&self, entry: &ModelEntry) -> Vec<PathBuf> {
        let start = format!("{}-{}.", entry.name, entry.sha256.short());
        let Ok(files) = std::fs::read_dir(&self.dir) else {
            return Vec::new();
        };
        let ours =
            |name: &str| name.starts_with(&start) && name.contains(".partial") && !name.ends_with(".json");
        let paths = files.filter_map(|file| Some(file.ok()?.path()));
        paths
            .filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(ours))
            .collect()
    }
}

/// The digest of a file, computed off the runtime's threads.
async fn digest(path: &Path, progress: &mut dyn Progress) -> std::io::Result<Sha256> {
    let total = std::fs::metadata(path)?.len();
    let gauge = Gauge::default();
    let shared: Arc<Shared> = gauge.shared();
    let path = path.to_path_buf();
    let mut work = tokio::task::spawn_blocking(move || Sha256::of_file(&path, &shared));
    loop {
        progress.on(Event::Checking {
            done: gauge.done(),
            total,
        });
        match tokio::time::timeout(TICK, &mut work).await {
            Ok(Ok(result)) => return result,
            Ok(Err(_)) => return Err(std::io::Error::other("the digest ended without a result")),
            Err(_) => {}
        }
    }
}

fn lines(failures: &[Failure]) -> String {
    let line = |failure: &Failure| {
        format!(
            "\n  source {} ({}): {}",
            failure.number, failure.label, failure.error
        )
    };
    if failures.is_empty() {
        " it has none".into()
    } else {
        failures.iter().map(line).collect()
    }
}

// === impl Stamp ===

impl Stamp {
    /// What a stamp for this file would say now.
    fn of(path: &Path, sha256: &Sha256) -> Option<Self> {
        let data = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
        let modified = data.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_nanos();
        let modified = u64::try_from(modified).ok()?;
        Some(Self {
            schema: STAMP_SCHEMA,
            size: data.len(),
            modified,
            sha256: sha256.to_string(),
        })
    }

    fn load(path: &Path) -> Option<Self> {
        let small = std::fs::metadata(path).is_ok_and(|data| data.len() <= MAX_STAMP);
        small
            .then(|| serde_json::from_slice(&std::fs::read(path).ok()?).ok())
            .flatten()
    }

    /// Written aside and moved, so that nobody reads half of it.
    fn save(&self, path: &Path) -> std::io::Result<()> {
        let aside = path.with_extension(format!("verified.{}", std::process::id()));
        std::fs::write(&aside, serde_json::to_vec(self)?)?;
        std::fs::rename(&aside, path)
    }
}

/// Takes the lock of one model. Held until the file is dropped; the system frees it when the process dies.
fn try_lock(path: &Path) -> std::io::Result<Option<File>> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests;
