//! The development TEE in a directory, so that all processes of one network have the same root.
//!
//! One file, `development-tee`: a line that says what it is, a version, the second at which it was made, then fields of two
//! bytes of length and content. The keys in it make evidence that test networks alone take; it is for its owner's eyes all the
//! same, because who has it can pretend to be any machine of such a network.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::key::Key;
use super::pki::{Pki, SavedPki};
use super::{DevelopmentError, DevelopmentTee, Fault, Platform};

const FILE: &str = "development-tee";
/// First line; the version is its last character.
const HEAD: &[u8] = b"cocoon DEVELOPMENT ONLY trusted execution environment, version 1\n";
/// Five certificates and six keys have 3 KiB.
const MAX_BYTES: usize = 32 * 1024;
const MAX_FIELD: usize = 4096;

/// A development TEE could not be kept in a directory.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// The disk refused.
    #[error("the development TEE in {path} cannot be read or written")]
    Disk {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is not one of ours, of another version, or damaged.
    #[error(
        "{0} is no development TEE of this version (hint: remove it; every node of the network gets the new one at its next start)"
    )]
    Malformed(PathBuf),
    /// It could not be made.
    #[error(transparent)]
    Made(#[from] DevelopmentError),
}

impl DevelopmentTee {
    /// The development TEE of this directory; a new one, made at the Unix second `now`, if there is none. Processes that begin
    /// at once agree on one of them.
    ///
    /// # Errors
    /// [`SaveError`]
    pub fn open_or_create(directory: &Path, now: u64) -> Result<Self, SaveError> {
        match Self::open(directory) {
            Err(SaveError::Disk { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Self::new(now)?.save(directory)?;
                Self::open(directory)
            }
            opened => opened,
        }
    }

    /// The development TEE of this directory.
    ///
    /// # Errors
    /// [`SaveError`]
    pub fn open(directory: &Path) -> Result<Self, SaveError> {
        let path = directory.join(FILE);
        let disk = |source| SaveError::Disk {
            path: path.clone(),
            source,
        };
        let mut bytes = Vec::new();
        let limit = MAX_BYTES as u64 + 1;
        let file = File::open(&path).map_err(disk)?;
        file.take(limit).read_to_end(&mut bytes).map_err(disk)?;
        Self::from_bytes(&bytes)?.ok_or_else(|| SaveError::Malformed(path.clone()))
    }

    /// This TEE with another fault, or none: the same keys and certificates. A fault of a certificate or of what it says shows
    /// only in a TEE that was made with it.
    #[must_use]
    pub fn with_other_fault(self, fault: Option<Fault>) -> Self {
        Self { fault, ..self }
    }

    /// Writes it, readable by its owner alone, unless there is one.
    fn save(&self, directory: &Path) -> Result<(), SaveError> {
        let path = directory.join(FILE);
        let disk = |source| SaveError::Disk {
            path: path.clone(),
            source,
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(disk)?;
        let mut random = [0; 8];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| DevelopmentError::Crypto)?;
        let partial = directory.join(format!("{FILE}.{}", hex::encode(random)));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let written = options.open(&partial).and_then(|mut file| {
            file.write_all(&self.to_bytes())?;
            file.sync_all()
        });
        // A link, unlike a new name, never takes the place of one that is there.
        let linked = written.and_then(|()| match fs::hard_link(&partial, &path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        });
        // What is left behind disturbs nobody.
        let _ = fs::remove_file(&partial);
        linked.map_err(disk)
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = HEAD.to_vec();
        out.extend(self.made_at.to_be_bytes());
        let pki = self.pki.saved();
        for field in pki.fields().into_iter().chain([self.attestation_key.saved()]) {
            // Keys and certificates have some hundred bytes.
            out.extend(u16::try_from(field.len()).unwrap_or(u16::MAX).to_be_bytes());
            out.extend(field);
        }
        out
    }

    /// Nothing, if these are not the bytes of one.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Option<Self>, DevelopmentError> {
        if bytes.len() > MAX_BYTES {
            return Ok(None);
        }
        let Some((made_at, mut rest)) = bytes
            .strip_prefix(HEAD)
            .and_then(|rest| rest.split_first_chunk::<8>())
        else {
            return Ok(None);
        };
        let made_at = u64::from_be_bytes(*made_at);
        let mut fields = Vec::new();
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*length));
            let Some((field, after)) = after.split_at_checked(length).filter(|_| length <= MAX_FIELD) else {
                return Ok(None);
            };
            fields.push(field.to_vec());
            rest = after;
        }
        let (Some(attestation_key), true) = (fields.pop(), rest.is_empty()) else {
            return Ok(None);
        };
        let (Some(saved), Some(attestation_key)) =
            (SavedPki::from_fields(fields), Key::from_saved(&attestation_key))
        else {
            return Ok(None);
        };
        let platform = Platform::new(None);
        let Some(pki) = Pki::from_saved(saved, made_at)? else {
            return Ok(None);
        };
        let tee = Self {
            made_at,
            pki,
            platform,
            attestation_key,
            fault: None,
        };
        // Certificates of other keys, or a root that no verifier takes: damaged.
        Ok(tee.roots().is_ok().then_some(tee))
    }
}
