//! The journal's file: lock, permissions, schema.

use std::{
    fs::{DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use cocoon_accounting::{ApplyError, DecodeError, MAX_SNAPSHOT_BYTES};
use rusqlite::{Connection, OpenFlags, limits::Limit};

/// The journal, beside it SQLite's write-ahead log.
pub(crate) const FILE: &str = "journal.sqlite";
const LOCK: &str = "journal.lock";

/// The version of the tables that this program writes; it migrates older ones.
pub const SCHEMA_VERSION: u32 = 1;
/// "CoCo" in SQLite's header: the file is a journal and nothing else.
const APPLICATION_ID: u32 = 0x436f_436f;

/// The only things that may be in the file. A trigger or view that somebody added would run with our statements.
const SCHEMA: [&str; 3] = [
    "CREATE TABLE head (only INTEGER PRIMARY KEY CHECK (only = 0), records INTEGER NOT NULL, tag BLOB NOT NULL)",
    "CREATE TABLE records (number INTEGER PRIMARY KEY, body BLOB NOT NULL, tag BLOB NOT NULL)",
    "CREATE TABLE snapshots (records INTEGER PRIMARY KEY, body BLOB NOT NULL, chain BLOB NOT NULL, tag BLOB NOT NULL)",
];

/// Why a journal cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "the journal in {0} is in use by another process: one proxy to a journal, stop the other one first"
    )]
    InUse(PathBuf),
    /// The directory or a file in it cannot be had.
    #[error("cannot open {path}")]
    Io {
        /// What was to be opened.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// SQLite cannot read the file.
    #[error("the journal cannot be read: the disk is failing, or the file is not a journal")]
    Sqlite(#[source] rusqlite::Error),
    /// The file is another kind of database, or things were added to it.
    #[error("the file is not a journal of ours: {0}")]
    Foreign(&'static str),
    /// A newer program wrote it.
    #[error("the journal has version {found}, this program knows {SCHEMA_VERSION}: use the newer program")]
    Newer {
        /// Its version.
        found: u32,
    },
    /// A row is not what we wrote, or the key is another one.
    #[error(
        "{what} {number} of the journal was altered, or the node's key is another one: put back the right key, or the \
         newest backup"
    )]
    Altered {
        /// A record, a snapshot, or the head.
        what: &'static str,
        /// Its number.
        number: u64,
    },
    /// Rows are missing.
    #[error("the journal ends at record {found}, it had {expected}: put back the newest backup")]
    Truncated {
        /// How many there were.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// A row is authentic and still cannot be read: a newer program wrote it.
    #[error("record {number} of the journal cannot be read")]
    Decode {
        /// Its number.
        number: u64,
        /// Why.
        #[source]
        source: DecodeError,
    },
    /// A row is authentic and does not follow from the one before: a defect.
    #[error("record {number} of the journal does not follow from those before it")]
    Apply {
        /// Its number.
        number: u64,
        /// Why.
        #[source]
        source: ApplyError,
    },
    /// The writer's thread cannot be started.
    #[error("cannot start the journal's thread")]
    Thread(#[source] io::Error),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Makes the directory, with access for its owner only, and locks it. The lock lasts as long as the file is open.
pub(crate) fn lock(directory: &Path) -> Result<File, OpenError> {
    let on = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::Io { path, source }
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(on(directory))?;
    let path = directory.join(LOCK);
    let lock = create(&path).map_err(on(&path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse(directory.to_owned())),
        Err(std::fs::TryLockError::Error(source)) => Err(on(&path)(source)),
    }
}

/// Opens or creates a file that only its owner may read and write.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

/// Opens the database; creates its tables, or checks them.
pub(crate) fn connect(path: &Path) -> Result<Connection, OpenError> {
    create(path).map_err(|source| OpenError::Io {
        path: path.to_owned(),
        source,
    })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // Whatever the file says, no value grows past what we write.
    let longest = i32::try_from(MAX_SNAPSHOT_BYTES + 4096).unwrap_or(i32::MAX);
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, longest)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    migrate(&connection)?;
    Ok(connection)
}

fn migrate(connection: &Connection) -> Result<(), OpenError> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
    let mut objects = connection.prepare("SELECT sql FROM sqlite_schema ORDER BY name")?;
    let objects = objects
        .query_map([], |row| row.get::<_, Option<String>>(0))?
        .take(SCHEMA.len() + 1)
        .collect::<Result<Vec<_>, _>>()?;
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    if objects.is_empty() && application == 0 && version == 0 {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {}; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT",
            SCHEMA.join("; ")
        ))?;
        return Ok(());
    }
    if application != APPLICATION_ID {
        return Err(OpenError::Foreign("its header says something else"));
    }
    // WHEN CHANGING the tables: raise the version, and turn version n into n + 1 here, in one transaction.
    match version {
        SCHEMA_VERSION => {}
        newer if newer > SCHEMA_VERSION => return Err(OpenError::Newer { found: newer }),
        _ => return Err(OpenError::Foreign("its version was never used")),
    }
    if objects.iter().map(Option::as_deref).ne(SCHEMA.map(Some)) {
        return Err(OpenError::Foreign("its tables are not ours"));
    }
    Ok(())
}
