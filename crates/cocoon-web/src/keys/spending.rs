use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use cocoon_types::Nanoton;
use serde::{Deserialize, Serialize};

use super::{KeyId, KeyLimits, file::replace};

/// Version of the file's schema.
const VERSION: u32 = 1;
/// Largest file that is read, in bytes: as many keys as there can be, several times over.
const MAX_BYTES: u64 = 1024 * 1024;
/// Seconds of a day, UTC.
const DAY: u64 = 86_400;
/// Where sums stop: the largest integer of the file's format, and more than all the money there is.
const MOST: Nanoton = Nanoton::new(i64::MAX.unsigned_abs());

/// What was spent with each key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spending {
    version: u32,
    #[serde(default)]
    keys: BTreeMap<String, Spent>,
}

/// What was spent with one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spent {
    /// The day of `today`: Unix seconds / 86400.
    day: u64,
    today: Nanoton,
    total: Nanoton,
}

/// The file of it, `api-key-spending.toml`: one gateway writes it, `cocoon key list` reads it. Calls block on the disk.
#[derive(Clone, Debug)]
pub struct SpendingFile {
    path: PathBuf,
}

/// The file could not be read or written. A gateway does not start with it: limits would begin anew.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpendingError {
    /// Not accessible.
    #[error("cannot access {path}, which holds what was spent with each API key")]
    Access {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Not what a gateway wrote.
    #[error("{path}, which holds what was spent with each API key, is damaged")]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

// === impl Spending ===

impl Spending {
    /// What was spent with this key.
    pub fn of(&self, key: &KeyId) -> Spent {
        self.keys.get(key.as_str()).copied().unwrap_or_default()
    }

    /// A request cost this. `now` is Unix seconds.
    pub fn add(&mut self, key: &KeyId, cost: Nanoton, now: u64) {
        let spent = self.keys.entry(key.as_str().to_owned()).or_default();
        let sum = |before: Nanoton| before.checked_add(cost).map_or(MOST, |sum| sum.min(MOST));
        spent.today = sum(spent.today(now));
        spent.total = sum(spent.total);
        // A clock that was set back opens no day again.
        spent.day = spent.day.max(now / DAY);
    }
}

// === impl Spent ===

impl Spent {
    /// Today's part. `now` is Unix seconds.
    pub fn today(&self, now: u64) -> Nanoton {
        if now / DAY > self.day {
            Nanoton::ZERO
        } else {
            self.today
        }
    }

    /// In all.
    pub fn total(&self) -> Nanoton {
        self.total
    }

    /// What may still be spent under these limits while `held` is set aside; `None` without a limit.
    pub fn left(&self, limits: &KeyLimits, held: Nanoton, now: u64) -> Option<Nanoton> {
        let left = |limit: Option<Nanoton>, spent: Nanoton| {
            limit.map(|limit| limit.saturating_sub(spent).saturating_sub(held))
        };
        let today = left(limits.daily, self.today(now));
        let total = left(limits.total, self.total);
        today.into_iter().chain(total).min()
    }
}

// === impl SpendingFile ===

impl SpendingFile {
    /// Name of the file inside a state directory.
    pub const NAME: &'static str = "api-key-spending.toml";

    /// The file of this state directory.
    pub fn in_dir(state_dir: &Path) -> Self {
        Self {
            path: state_dir.join(Self::NAME),
        }
    }

    /// What it says; nothing spent where there is no file.
    ///
    /// # Errors
    /// [`SpendingError`]
    pub fn read(&self) -> Result<Spending, SpendingError> {
        let mut text = String::new();
        match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Spending {
                    version: VERSION,
                    ..Spending::default()
                });
            }
            Err(source) => return Err(self.access(source)),
            Ok(file) => {
                let read = file.take(MAX_BYTES + 1).read_to_string(&mut text);
                read.map_err(|source| self.access(source))?;
            }
        }
        let damaged = || SpendingError::Damaged {
            path: self.path.clone(),
        };
        if text.len() as u64 > MAX_BYTES {
            return Err(damaged());
        }
        let spending: Spending = toml::from_str(&text).map_err(|_| damaged())?;
        (spending.version == VERSION)
            .then_some(spending)
            .ok_or_else(damaged)
    }

    /// Replaces the file.
    ///
    /// # Errors
    /// [`SpendingError::Access`]
    pub fn write(&self, spending: &Spending) -> Result<(), SpendingError> {
        toml::to_string(spending)
            .map_err(io::Error::other)
            .and_then(|text| replace(&self.path, &text))
            .map_err(|source| self.access(source))
    }

    fn access(&self, source: io::Error) -> SpendingError {
        SpendingError::Access {
            path: self.path.clone(),
            source,
        }
    }
}
