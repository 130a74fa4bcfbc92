//! Copies of a journal, out and back in.

use std::{fs, io, path::Path, path::PathBuf, time::Duration};

use rusqlite::{Connection, backup::Backup};

use crate::{
    Journal, JournalKey,
    file::{self, OpenError},
    read,
};

/// Why a backup was not put back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// There is a journal already. It is newer than any backup, as a rule.
    #[error("{0} holds a journal already: move it away first, and keep it")]
    Exists(PathBuf),
    /// The backup is not a journal that the key opens.
    #[error("the backup cannot be used")]
    Backup(#[source] OpenError),
    /// It cannot be copied.
    #[error("the backup cannot be copied")]
    Io(#[source] io::Error),
}

/// Pages copied at a time; the writer does nothing else meanwhile, and a journal is small.
const PAGES: i32 = 4096;

/// Copies a database that is in use.
pub(crate) fn copy(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let io = |source| OpenError::Io {
        path: path.to_owned(),
        source,
    };
    if path.exists() {
        return Err(io(io::ErrorKind::AlreadyExists.into()));
    }
    file::create(path).map_err(io)?;
    let mut to = Connection::open(path)?;
    Backup::new(connection, &mut to)?.run_to_completion(PAGES, Duration::ZERO, None)?;
    to.pragma_update(None, "journal_mode", "DELETE")?;
    drop(to);
    fs::File::open(path).and_then(|file| file.sync_all()).map_err(io)
}

impl Journal {
    /// Puts a backup into a directory that holds no journal, once every row of it was verified.
    ///
    /// The next start opens a new session. If the chain shows commits that are newer than the backup, the accounts halt
    /// and say so: what was signed since is not in it. Only a backup that nothing was committed after can be used again,
    /// as one that was made after the proxy had stopped.
    ///
    /// # Errors
    /// [`RestoreError`]; the directory is then as it was.
    pub fn restore(backup: &Path, directory: &Path, key: &JournalKey) -> Result<(), RestoreError> {
        let _lock = file::lock(directory).map_err(RestoreError::Backup)?;
        let path = directory.join(file::FILE);
        if path.exists() {
            return Err(RestoreError::Exists(path));
        }
        let beside = directory.join("journal.restore");
        let copied = Self::restore_beside(backup, &beside, key);
        if copied.is_err() {
            // A second failure would only hide the first.
            let _ = fs::remove_file(&beside);
        }
        copied?;
        fs::rename(&beside, &path).map_err(RestoreError::Io)
    }

    fn restore_beside(backup: &Path, beside: &Path, key: &JournalKey) -> Result<(), RestoreError> {
        if !backup.is_file() {
            return Err(RestoreError::Io(io::ErrorKind::NotFound.into()));
        }
        fs::copy(backup, beside).map_err(RestoreError::Io)?;
        let connection = file::connect(beside).map_err(RestoreError::Backup)?;
        let replayed = read::replay(&connection, key).map_err(RestoreError::Backup)?;
        tracing::info!(records = replayed.accounts.applied(), "a backup was verified");
        let in_one_file = connection.pragma_update(None, "journal_mode", "DELETE");
        in_one_file.map_err(|error| RestoreError::Backup(error.into()))
    }
}
