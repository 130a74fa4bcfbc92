use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{KeyError, KeyLimits, KeyRecord, NewKey};

/// Version of the file's schema. 2: keys may have limits.
const VERSION: u32 = 2;
/// Largest file that is read, in bytes: [`KeyFile::MAX_KEYS`] records of at most 400 bytes fit twice.
const MAX_BYTES: u64 = 1024 * 1024;
/// Longest label, in characters.
const MAX_LABEL: usize = 64;

/// The file of API keys and what can be done with it. Calls block on the disk.
#[derive(Clone, Debug)]
pub struct KeyFile {
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    version: u32,
    #[serde(default, rename = "key")]
    keys: Vec<KeyRecord>,
}

// === impl KeyFile ===

impl KeyFile {
    /// Name of the file inside a state directory.
    pub const NAME: &'static str = "api-keys.toml";
    /// Most keys in one file, revoked ones included; keeps a look-up and a rewrite trivial.
    pub const MAX_KEYS: usize = 1000;

    /// The key file of this state directory.
    pub fn in_dir(state_dir: &Path) -> Self {
        Self {
            path: state_dir.join(Self::NAME),
        }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every key in the order of making; empty when there is no file.
    ///
    /// # Errors
    /// [`KeyError`] when the file is there and cannot be read.
    pub fn list(&self) -> Result<Vec<KeyRecord>, KeyError> {
        let mut text = String::new();
        match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.access(error)),
            Ok(file) => file
                .take(MAX_BYTES + 1)
                .read_to_string(&mut text)
                .map_err(|error| self.access(error))?,
        };
        if text.len() as u64 > MAX_BYTES {
            return Err(KeyError::TooLarge {
                path: self.path.clone(),
            });
        }
        let contents: Contents = toml::from_str(&text).map_err(|source| KeyError::Damaged {
            path: self.path.clone(),
            source: Box::new(source),
        })?;
        if !(1..=VERSION).contains(&contents.version) {
            return Err(KeyError::Version {
                path: self.path.clone(),
                version: contents.version,
            });
        }
        Ok(contents.keys)
    }

    /// Makes a key. `now` is Unix seconds.
    ///
    /// # Errors
    /// [`KeyError`] when the label is bad, the file is full or cannot be written.
    pub fn create(&self, label: &str, limits: KeyLimits, now: u64) -> Result<NewKey, KeyError> {
        let length = label.chars().count();
        if length == 0 || length > MAX_LABEL || label.chars().any(char::is_control) {
            return Err(KeyError::Label);
        }
        let _lock = self.lock()?;
        let mut keys = self.list()?;
        if keys.len() >= Self::MAX_KEYS {
            return Err(KeyError::Full);
        }
        let new = NewKey::draw(label, limits, now)?;
        keys.push(new.record.clone());
        self.write(keys)?;
        Ok(new)
    }

    /// Ends a key; a key that was revoked before keeps its first date. `now` is Unix seconds.
    ///
    /// # Errors
    /// [`KeyError::UnknownKey`] when there is none, or the file cannot be read or written.
    pub fn revoke(&self, id: &str, now: u64) -> Result<KeyRecord, KeyError> {
        self.change(id, |record| {
            record.revoked.get_or_insert(now);
        })
    }

    /// Gives a key other limits.
    ///
    /// # Errors
    /// As [`KeyFile::revoke`].
    pub fn limit(&self, id: &str, limits: KeyLimits) -> Result<KeyRecord, KeyError> {
        self.change(id, |record| record.limits = limits)
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut KeyRecord)) -> Result<KeyRecord, KeyError> {
        let _lock = self.lock()?;
        let mut keys = self.list()?;
        let Some(record) = keys.iter_mut().find(|record| record.id.as_str() == id) else {
            return Err(KeyError::UnknownKey(id.chars().take(MAX_LABEL).collect()));
        };
        change(record);
        let record = record.clone();
        self.write(keys)?;
        Ok(record)
    }

    /// Holds off a second `cocoon key` until the returned file is dropped.
    fn lock(&self) -> Result<File, KeyError> {
        let open = || {
            if let Some(dir) = self.path.parent() {
                fs::create_dir_all(dir)?;
            }
            let file = private()
                .create(true)
                .append(true)
                .open(self.path.with_extension("lock"))?;
            file.lock()?;
            Ok(file)
        };
        open().map_err(|error| self.access(error))
    }

    fn write(&self, keys: Vec<KeyRecord>) -> Result<(), KeyError> {
        let contents = Contents {
            version: VERSION,
            keys,
        };
        toml::to_string(&contents)
            .map_err(io::Error::other)
            .and_then(|text| replace(&self.path, &text))
            .map_err(|error| self.access(error))
    }

    fn access(&self, source: io::Error) -> KeyError {
        KeyError::Access {
            path: self.path.clone(),
            source,
        }
    }
}

/// Replaces a private file whole, so that a reader sees the old or the new one and never half of it.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let draft = path.with_extension("tmp");
    // A draft that a crash left behind may have another mode; mode 0600 is given at creation only.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = private().create_new(true).write(true).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

/// Options for a file that only its owner may read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
