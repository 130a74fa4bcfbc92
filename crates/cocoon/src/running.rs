//! The network that runs on this machine: what `cocoon up` left in its ready file for the other commands.

use std::path::Path;

use cocoon_types::Address;
use serde::Deserialize;

use crate::up::default_ready_file;

/// The ready file, as far as commands read it.
#[derive(Debug, Deserialize)]
pub(crate) struct Running {
    /// The gateway's API, ending in `/v1`.
    pub(crate) api: String,
    /// The ledger's address.
    #[serde(default)]
    pub(crate) ledger: Option<String>,
    /// The registry's contract.
    #[serde(default)]
    pub(crate) root: Option<Address>,
    #[serde(default)]
    pub(crate) roles: Vec<RunningRole>,
}

/// One process.
#[derive(Debug, Deserialize)]
pub(crate) struct RunningRole {
    /// `client`, `proxy` or `worker`.
    pub(crate) role: String,
    /// What `cocoon up` calls it.
    pub(crate) name: String,
    /// Where it answers HTTP.
    pub(crate) url: String,
}

// === impl Running ===

impl Running {
    /// The network that `cocoon up` of this user runs, if one does.
    pub(crate) fn find() -> Option<Self> {
        Self::read(&default_ready_file()?)
    }

    fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    /// Name and address of each process of a role.
    pub(crate) fn of_role(self, role: &str) -> Vec<(String, String)> {
        let roles = self.roles.into_iter().filter(|entry| entry.role == role);
        roles.map(|entry| (entry.name, entry.url)).collect()
    }
}
