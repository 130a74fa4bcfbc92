//! API keys: made once, shown once, kept as salted hashes in `api-keys.toml`.
//!
//! A key is `ck_<id>_<secret>`: 16 hex digits that name it, 64 hex digits that prove it. Only
//! SHA-256(domain ‖ salt ‖ secret) is stored. A fast hash is right here: the secret is 256 random bits, so there is
//! nothing to guess; slow hashes protect passwords that people choose.

mod file;
mod ring;
mod spending;

use std::{fmt, io, path::PathBuf};

use aws_lc_rs::{constant_time, digest, rand};
use cocoon_types::{Nanoton, Private, TierPolicy};
use serde::{Deserialize, Serialize};

pub use file::KeyFile;
pub use ring::KeyRing;
pub use spending::{Spending, SpendingError, SpendingFile, Spent};

/// First words of the hash, so that it can never be mistaken for a hash of something else.
const DOMAIN: &[u8] = b"cocoon api key v1\0";
const PREFIX: &str = "ck_";
const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;
const SALT_BYTES: usize = 16;

/// The public name of a key: 16 hex digits. Safe to show and to log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

/// What is stored of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// The public part of the key.
    pub id: KeyId,
    /// What its owner calls it.
    pub label: String,
    /// Unix seconds.
    pub created: u64,
    /// Unix seconds; absent while the key is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<u64>,
    /// What may be spent with it.
    #[serde(default, skip_serializing_if = "KeyLimits::is_none")]
    pub limits: KeyLimits,
    salt: String,
    sha256: String,
}

/// What may be spent with a key. Binds where something is paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyLimits {
    /// So much on each day, UTC; in nanoTON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily: Option<Nanoton>,
    /// So much in all; in nanoTON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Nanoton>,
    /// No request with this key may accept less, and one that names no tier gets this one.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "tier_text")]
    pub min_tier: Option<TierPolicy>,
}

/// A policy as its words, as in `attested` or `confidential+simulated`.
mod tier_text {
    use cocoon_types::TierPolicy;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::ref_option, reason = "serde passes a reference to the member")]
    pub(super) fn serialize<S: Serializer>(tier: &Option<TierPolicy>, to: S) -> Result<S::Ok, S::Error> {
        match tier {
            Some(tier) => to.collect_str(tier),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<TierPolicy>, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map(Some).map_err(|_| D::Error::custom("not a tier"))
    }
}

/// Whose key opened the door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The key's id.
    pub id: KeyId,
    /// What may be spent with it.
    pub limits: KeyLimits,
}

/// A key just made: the only moment at which its secret exists outside its owner's hands.
#[derive(Debug)]
pub struct NewKey {
    /// What was stored.
    pub record: KeyRecord,
    /// The whole key, `ck_<id>_<secret>`.
    pub key: Private<String>,
}

/// The key file could not be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file or its directory is not accessible.
    #[error("cannot access the key file {path}")]
    Access {
        /// The key file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is not what `cocoon key` wrote.
    #[error("the key file {path} is damaged")]
    Damaged {
        /// The key file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// The file was written by a newer build.
    #[error("the key file {path} has version {version}, this build reads versions 1 and 2")]
    Version {
        /// The key file.
        path: PathBuf,
        /// What it says.
        version: u32,
    },
    /// The file is larger than any that `cocoon key` writes.
    #[error("the key file {path} is larger than 1 MiB")]
    TooLarge {
        /// The key file.
        path: PathBuf,
    },
    /// No key has this id.
    #[error("no key has the id {0}")]
    UnknownKey(String),
    /// The label is empty, too long or not printable.
    #[error("a label has 1 to 64 printable characters")]
    Label,
    /// There are [`KeyFile::MAX_KEYS`] already.
    #[error("the key file is full: it holds 1000 keys, revoked ones included")]
    Full,
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random,
}

/// The text is not a key id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key id has 16 lower-case hex digits")]
pub struct KeyIdError;

/// Where keys are unless a directory is named: `~/.local/state/cocoon`; nothing for a user without a home.
pub fn default_dir() -> Option<PathBuf> {
    std::env::home_dir()
        .filter(|home| home.is_absolute())
        .map(|home| home.join(".local/state/cocoon"))
}

/// A node's file of this name, in its state directory or in the default one.
pub fn state_file(state_dir: Option<PathBuf>, name: &str) -> PathBuf {
    state_dir.or_else(default_dir).unwrap_or_default().join(name)
}

// === impl KeyId ===

impl KeyId {
    /// The 16 hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for KeyId {
    type Error = KeyIdError;
    fn try_from(id: String) -> Result<Self, KeyIdError> {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if id.len() == 2 * ID_BYTES && id.bytes().all(is_hex) {
            Ok(Self(id))
        } else {
            Err(KeyIdError)
        }
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl KeyRecord ===

impl KeyRecord {
    /// Whether the key opens anything.
    pub fn is_active(&self) -> bool {
        self.revoked.is_none()
    }

    /// Whether this secret belongs to this record; in constant time.
    fn matches(&self, secret: &[u8]) -> bool {
        let (Ok(salt), Ok(stored)) = (hex::decode(&self.salt), hex::decode(&self.sha256)) else {
            return false;
        };
        constant_time::verify_slices_are_equal(hash(&salt, secret).as_ref(), &stored).is_ok()
    }
}

// === impl KeyLimits ===

impl KeyLimits {
    /// Whether the key may spend whatever there is.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

// === impl NewKey ===

impl NewKey {
    fn draw(label: &str, limits: KeyLimits, now: u64) -> Result<Self, KeyError> {
        let mut bytes = [0; ID_BYTES + SECRET_BYTES + SALT_BYTES];
        rand::fill(&mut bytes).map_err(|_| KeyError::Random)?;
        let (id, rest) = bytes.split_at(ID_BYTES);
        let (secret, salt) = rest.split_at(SECRET_BYTES);
        let id = hex::encode(id);
        let key = Private::new(format!("{PREFIX}{id}_{}", hex::encode(secret)));
        let record = KeyRecord {
            id: KeyId(id),
            label: label.to_owned(),
            created: now,
            revoked: None,
            limits,
            salt: hex::encode(salt),
            sha256: hex::encode(hash(salt, secret)),
        };
        Ok(Self { record, key })
    }
}

fn hash(salt: &[u8], secret: &[u8]) -> digest::Digest {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(DOMAIN);
    context.update(salt);
    context.update(secret);
    context.finish()
}

/// Id and secret of a presented key, if it has the form of one.
fn split(key: &str) -> Option<(&str, [u8; SECRET_BYTES])> {
    let (id, secret) = key.strip_prefix(PREFIX)?.split_once('_')?;
    let mut bytes = [0; SECRET_BYTES];
    hex::decode_to_slice(secret, &mut bytes).ok()?;
    Some((id, bytes))
}

#[cfg(test)]
mod tests;
