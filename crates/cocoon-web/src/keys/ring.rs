use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::{Holder, KeyError, KeyFile, KeyRecord, split};

/// How long a look at the file holds: a revoked key stops working within this time, and a busy listener
/// asks the disk once a second.
const FRESH: Duration = Duration::from_secs(1);

/// The keys of one file as a listener uses them: cached, read again when the file changed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct KeyRing {
    file: KeyFile,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    keys: HashMap<String, KeyRecord>,
    seen: Option<Stamp>,
    looked_at: Instant,
}

/// What tells one version of the file from the next: every write makes a new inode.
type Stamp = (Option<SystemTime>, u64, u64);

// === impl KeyRing ===

impl KeyRing {
    /// Reads the file. Blocks on the disk; for start-up.
    ///
    /// # Errors
    /// [`KeyError`] when the file is there and cannot be read.
    pub fn open(file: KeyFile) -> Result<Self, KeyError> {
        let seen = std::fs::metadata(file.path()).ok().map(|data| stamp(&data));
        let state = State {
            keys: index(file.list()?),
            seen,
            looked_at: Instant::now(),
        };
        Ok(Self {
            file,
            state: Arc::new(Mutex::new(state)),
        })
    }

    /// Whether any key opens this listener.
    pub fn has_active(&self) -> bool {
        self.state().keys.values().any(KeyRecord::is_active)
    }

    /// Whose key this is, if it is genuine and not revoked.
    pub async fn verify(&self, key: &str) -> Option<Holder> {
        let (id, secret) = split(key)?;
        self.refresh().await;
        let state = self.state();
        // Finding the id early or late tells nothing: ids are public. The secret is compared in constant time.
        let record = state.keys.get(id)?;
        (record.matches(&secret) && record.is_active()).then(|| Holder {
            id: record.id.clone(),
            limits: record.limits,
        })
    }

    async fn refresh(&self) {
        {
            let mut state = self.state();
            if state.looked_at.elapsed() < FRESH {
                return;
            }
            state.looked_at = Instant::now();
        }
        let seen = tokio::fs::metadata(self.file.path())
            .await
            .ok()
            .map(|data| stamp(&data));
        if seen == self.state().seen {
            return;
        }
        let file = self.file.clone();
        // A file that cannot be read opens for nobody: the doubtful case of a security value is refusal.
        let (keys, seen) = match tokio::task::spawn_blocking(move || file.list()).await {
            Ok(Ok(keys)) => (keys, seen),
            failed => {
                // Not remembered as seen, so that the next look tries again: the failure may be a passing one.
                let error = failed.map(|listed| listed.err().map(|error| error.to_string()));
                tracing::error!(?error, "API keys are refused until the key file is readable");
                (Vec::new(), None)
            }
        };
        tracing::info!(keys = keys.len(), "API keys read again");
        let mut state = self.state();
        state.keys = index(keys);
        state.seen = seen;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is replaced in single assignments; a panic elsewhere cannot leave it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn index(keys: Vec<KeyRecord>) -> HashMap<String, KeyRecord> {
    keys.into_iter()
        .map(|record| (record.id.as_str().to_owned(), record))
        .collect()
}

fn stamp(data: &std::fs::Metadata) -> Stamp {
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(data);
    #[cfg(not(unix))]
    let inode = 0;
    (data.modified().ok(), data.len(), inode)
}
