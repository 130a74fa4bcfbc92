//! One file for each platform, replaced as a whole.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use cocoon_attest::tdx::{Collateral, PlatformId};

/// Largest file that is read: the JSON form of the largest collateral.
const MAX_FILE: u64 = 262_144;

#[derive(Debug)]
pub(super) struct Store {
    directory: Option<PathBuf>,
}

// === impl Store ===

impl Store {
    pub(super) const fn new(directory: Option<PathBuf>) -> Self {
        Self { directory }
    }

    /// What is there, unverified. What cannot be read is as good as nothing.
    pub(super) async fn read(&self, platform: PlatformId) -> Option<Collateral> {
        let path = self.path(platform)?;
        let json = tokio::task::spawn_blocking(move || {
            let mut json = Vec::new();
            let file = std::fs::File::open(path).ok()?;
            file.take(MAX_FILE + 1).read_to_end(&mut json).ok()?;
            Some(json)
        });
        Collateral::from_json(&json.await.ok()??).ok()
    }

    pub(super) async fn write(&self, platform: PlatformId, collateral: &Collateral) -> io::Result<()> {
        let (Some(path), json) = (self.path(platform), collateral.to_json()) else {
            return Ok(());
        };
        let written = tokio::task::spawn_blocking(move || replace(&path, json.as_bytes()));
        written.await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    fn path(&self, platform: PlatformId) -> Option<PathBuf> {
        let name = format!("tdx-{}-{}.json", hex::encode(platform.fmspc), platform.ca.name());
        self.directory.as_ref().map(|directory| directory.join(name))
    }
}

/// Whoever reads sees the old bytes or the new ones, whatever happens in between.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(path);
    std::fs::create_dir_all(directory)?;
    let beside = path.with_extension("json.new");
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    std::fs::File::open(directory)?.sync_all()
}
