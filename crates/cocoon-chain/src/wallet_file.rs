//! A wallet on disk: its 24 words in a TOML file that only its owner may read.
//!
//! The file is not encrypted, and says so: `protection = "permissions"`. It is made with mode 0600, never written over,
//! and refused when its group or others could read it. Nothing here shows the words unless [`WalletFile::words`] is
//! called, and no error repeats what the file holds.

use std::{
    fmt, fs,
    io::{self, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use aws_lc_rs::rand;
use cocoon_contracts::{
    KeyError,
    wallet::{Mnemonic, MnemonicError, Network, Wallet},
};
use cocoon_types::Address;
use serde::Deserialize;
use zeroize::Zeroizing;

/// An open wallet file. `Debug` shows path and address, never the words.
pub struct WalletFile {
    path: PathBuf,
    words: Mnemonic,
    wallet: Wallet,
}

/// Why a wallet file cannot be made or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalletFileError {
    /// There is no file.
    #[error("there is no wallet file {path}")]
    Missing {
        /// The wallet file.
        path: PathBuf,
    },
    /// A file is there already, and a wallet is never written over.
    #[error("the file {path} exists already; a wallet is never written over")]
    Exists {
        /// The wallet file.
        path: PathBuf,
    },
    /// Group or others may read or write it.
    #[error("the wallet file {path} has mode {mode:04o}: others than its owner may use it")]
    Permissions {
        /// The wallet file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is not what [`WalletFile::create`] wrote.
    #[error("the wallet file {path} is damaged: {flaw}")]
    Damaged {
        /// The wallet file.
        path: PathBuf,
        /// In which respect; never a part of the contents.
        flaw: &'static str,
    },
    /// Its words are no wallet's.
    #[error("the words in the wallet file {path} are not a wallet's")]
    Words {
        /// The wallet file.
        path: PathBuf,
        /// Why.
        #[source]
        source: MnemonicError,
    },
    /// Another version, or a protection that this build does not know.
    #[error(
        "the wallet file {path} has version {version} with protection `{protection}`; this build reads version 1 with `permissions`"
    )]
    Version {
        /// The wallet file.
        path: PathBuf,
        /// What it says.
        version: u32,
        /// What it says.
        protection: String,
    },
    /// The disk refused.
    #[error("cannot access the wallet file {path}")]
    Access {
        /// The wallet file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// No words could be made.
    #[error("no wallet could be made")]
    Make(#[from] MnemonicError),
    /// No key could be made.
    #[error("no wallet could be made")]
    Key(#[from] KeyError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    version: u32,
    protection: String,
    address: String,
    words: String,
}

/// Version of the file's schema.
const VERSION: u32 = 1;
/// The only one that there is.
const PROTECTION: &str = "permissions";
/// Largest file that is read: the one that is written has less than 700 bytes.
const MAX_BYTES: u64 = 4096;
/// Bits of group and others.
const NOT_THE_OWNER: u32 = 0o077;

// === impl WalletFile ===

impl WalletFile {
    /// Name of the file inside a state directory.
    pub const NAME: &'static str = "wallet.toml";

    /// Draws new words. Takes a tenth of a second.
    ///
    /// # Errors
    /// [`WalletFileError::Make`] when the system gives no randomness.
    pub fn draw() -> Result<Mnemonic, WalletFileError> {
        Ok(Mnemonic::generate(|bytes| {
            // On failure the bytes stay as they were, which `generate` takes for what it is.
            let _ = rand::fill(bytes);
        })?)
    }

    /// Makes the file, readable by its owner only. Blocks on the disk.
    ///
    /// # Errors
    /// [`WalletFileError::Exists`] when anything is there already; [`WalletFileError::Access`].
    pub fn create(path: &Path, words: Mnemonic) -> Result<Self, WalletFileError> {
        let wallet = Wallet::new(words.to_key()?, Network::Main);
        let text = Zeroizing::new(format!(
            "# A wallet of Cocoon. Whoever reads these 24 words owns its coins; the file's permissions (0600) are all\n\
             # that protects them. Any TON wallet takes the words (contract v5r1).\n\
             version = {VERSION}\nprotection = \"{PROTECTION}\"\naddress = \"{}\"\nwords = \"{}\"\n",
            wallet.address().non_bounceable(),
            words.words().as_str(),
        ));
        write_new(path, text.as_bytes()).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => WalletFileError::Exists { path: path.into() },
            _ => access(path, source),
        })?;
        let path = path.to_owned();
        Ok(Self { path, words, wallet })
    }

    /// Reads the file. Blocks on the disk and takes a tenth of a second.
    ///
    /// # Errors
    /// [`WalletFileError`], among others that the file's permissions are too wide.
    pub fn open(path: &Path) -> Result<Self, WalletFileError> {
        let damaged = |flaw| WalletFileError::Damaged {
            path: path.into(),
            flaw,
        };
        let text = read(path)?;
        // The parser's own words quote the line at fault, which may be the secret one.
        let contents: Contents =
            toml::from_str(&text).map_err(|_| damaged("it is not TOML with the keys of a wallet"))?;
        let words = Zeroizing::new(contents.words);
        if contents.version != VERSION || contents.protection != PROTECTION {
            return Err(WalletFileError::Version {
                path: path.into(),
                version: contents.version,
                protection: contents.protection.chars().take(32).collect(),
            });
        }
        let words = Mnemonic::parse(&words).map_err(|source| WalletFileError::Words {
            path: path.into(),
            source,
        })?;
        let wallet = Wallet::new(words.to_key()?, Network::Main);
        let address: Address = contents
            .address
            .parse()
            .map_err(|_| damaged("its address is not an address"))?;
        if address != wallet.address() {
            return Err(damaged("its words belong to another address"));
        }
        let path = path.to_owned();
        Ok(Self { path, words, wallet })
    }

    /// For nodes: the wallet of this file, a new one where there is none. The log names the address.
    ///
    /// # Errors
    /// As [`open`](Self::open) and [`create`](Self::create).
    pub fn open_or_create(path: &Path) -> Result<Self, WalletFileError> {
        match Self::open(path) {
            Err(WalletFileError::Missing { .. }) => {}
            other => return other,
        }
        let file = Self::create(path, Self::draw()?)?;
        tracing::info!(address = %file.address().non_bounceable(), path = %path.display(), "made a wallet");
        Ok(file)
    }

    /// As [`open_or_create`](Self::open_or_create), off the threads that serve: stretching the words into a key is a tenth
    /// of a second of work.
    ///
    /// # Errors
    /// As there.
    pub async fn open_in_background(path: &Path) -> Result<Self, WalletFileError> {
        let owned = path.to_owned();
        let opened = tokio::task::spawn_blocking(move || Self::open_or_create(&owned)).await;
        opened.unwrap_or_else(|ended| {
            Err(WalletFileError::Access {
                path: path.to_owned(),
                source: io::Error::other(ended),
            })
        })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The wallet's address.
    pub fn address(&self) -> Address {
        self.wallet.address()
    }

    /// The wallet with its key.
    pub fn wallet(&self) -> &Wallet {
        &self.wallet
    }

    /// The wallet with its key, for a sender.
    pub fn into_wallet(self) -> Wallet {
        self.wallet
    }

    /// The 24 words, to be shown to their owner and to nobody else.
    pub fn words(&self) -> Zeroizing<String> {
        self.words.words()
    }
}

impl fmt::Debug for WalletFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WalletFile")
            .field("path", &self.path)
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, WalletFileError> {
    let file = fs::File::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => WalletFileError::Missing { path: path.into() },
        _ => access(path, source),
    })?;
    let metadata = file.metadata().map_err(|source| access(path, source))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & NOT_THE_OWNER != 0 {
        return Err(WalletFileError::Permissions {
            path: path.into(),
            mode,
        });
    }
    let damaged = |flaw| WalletFileError::Damaged {
        path: path.into(),
        flaw,
    };
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        return Err(damaged("it is not a file of at most 4 KiB"));
    }
    // All the room at once: a string that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(MAX_BYTES).unwrap_or(4096)));
    file.take(MAX_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|source| access(path, source))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| damaged("it is not text"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Writes a file that is there whole or not at all, and never over another.
fn write_new(path: &Path, contents: &[u8]) -> io::Result<()> {
    let dir = match path.parent() {
        Some(dir) if dir != Path::new("") => dir,
        _ => Path::new("."),
    };
    fs::create_dir_all(dir)?;
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.part", std::process::id()));
    let draft = PathBuf::from(draft);
    let mut open = fs::OpenOptions::new();
    open.write(true).create_new(true).mode(0o600);
    let written = open.open(&draft).and_then(|mut file| {
        file.write_all(contents)?;
        file.sync_all()?;
        // Unlike a rename, a link refuses where something is.
        fs::hard_link(&draft, path)
    });
    let _ = fs::remove_file(&draft);
    written?;
    fs::File::open(dir)?.sync_all()
}

fn access(path: &Path, source: io::Error) -> WalletFileError {
    WalletFileError::Access {
        path: path.into(),
        source,
    }
}

#[cfg(test)]
mod tests;
