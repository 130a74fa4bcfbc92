//! What runs: the ready file for scripts, the table for people.

use std::path::Path;

use serde::Serialize;

use super::Network;
use super::plan::{Engine, Home};
use super::process::Supervised;
use crate::text::{data, say, table};

/// The content of the ready file.
#[derive(Debug, Serialize)]
pub(super) struct Ready {
    api: String,
    /// The embedded ledger's URL; there is none yet.
    ledger: Option<String>,
    roles: Vec<RoleEntry>,
}

#[derive(Debug, Serialize)]
struct RoleEntry {
    role: String,
    name: String,
    pid: u32,
    url: String,
}

impl Network {
    /// What runs now.
    pub(super) fn ready(&self, api: &str) -> Ready {
        let entry = |process: &Supervised| {
            process.current().map(|announced| RoleEntry {
                role: announced.role.clone(),
                name: process.name().to_owned(),
                pid: announced.pid,
                url: announced.url.clone(),
            })
        };
        let roles = self.processes.iter().filter_map(entry).collect();
        Ready {
            api: api.to_owned(),
            ledger: None,
            roles,
        }
    }
}

// === impl Ready ===

impl Ready {
    /// Writes the ready file, and a copy into the network's directory, where `cocoon chat` looks.
    pub(super) fn write(&self, home: &Home, asked: Option<&Path>) -> anyhow::Result<()> {
        let text = serde_json::to_vec_pretty(self)?;
        for path in asked.into_iter().chain([home.ready_file().as_path()]) {
            super::plan::write_whole(path, &text)?;
        }
        Ok(())
    }

    pub(super) fn print_json(&self) -> anyhow::Result<()> {
        data!("{}", serde_json::to_string(self)?);
        Ok(())
    }

    pub(super) fn print_table(&self, model: &str, engine: &Engine, times: &str) {
        let mut rows = vec![["role", "pid", "address"].map(str::to_owned).to_vec()];
        for role in self.roles.iter().rev() {
            let address = if role.role == "client" {
                format!("{}   (OpenAI API)", self.api)
            } else {
                role.url.clone()
            };
            rows.push(vec![role.name.clone(), role.pid.to_string(), address]);
        }
        data!("cocoon is up: {model} answers ({times})\n{}", table(&rows));
        data!("  TEST NETWORK: {}", engine.warning());
        data!("\n  ask it      cocoon chat \"What is the capital of France? Answer in one sentence.\"");
        data!("  your app    OPENAI_BASE_URL={} OPENAI_API_KEY=none", self.api);
        data!("  stop        Ctrl-C\n");
        say!("logs of every role:");
    }
}

/// Removes the ready files: nothing can be served any more.
pub(super) fn forget(home: &Home, asked: Option<&Path>) {
    for path in asked.into_iter().chain([home.ready_file().as_path()]) {
        let _ = std::fs::remove_file(path);
    }
}
