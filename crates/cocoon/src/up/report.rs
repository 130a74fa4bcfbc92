//! What runs: the ready file for scripts, the table for people.

mod contracts;

use std::path::{Path, PathBuf};

use cocoon_types::Address;
use serde::Serialize;

use super::Network;
use super::money::Money;
use super::plan::{Engine, Home};
use super::process::Supervised;
use crate::text::{data, say, table};

/// The content of the ready file.
#[derive(Debug, Serialize)]
pub(super) struct Ready {
    api: String,
    /// The embedded ledger's URL; none in a network without payments, as what follows.
    ledger: Option<String>,
    root: Option<Address>,
    wallets: Vec<WalletEntry>,
    roles: Vec<RoleEntry>,
}

#[derive(Debug, Serialize)]
struct WalletEntry {
    name: String,
    address: Address,
    file: PathBuf,
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
    pub(super) fn ready(&self, api: &str, money: Option<&Money>) -> Ready {
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
            ledger: money.map(|money| money.ledger().to_owned()),
            root: money.map(Money::root),
            wallets: money.map(wallets).unwrap_or_default(),
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

    pub(super) async fn print_table(&self, model: &str, engine: &Engine, times: &str) {
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
        if let Some(root) = self.root {
            data!("  TEST COINS: they come from the ledger's faucet and are worth nothing\n");
            data!("{}", table(&contracts::rows(self, root).await));
        }
        data!("\n  ask it      cocoon chat \"What is the capital of France? Answer in one sentence.\"");
        if self.root.is_some() {
            data!("  your money  cocoon account show; cocoon earnings; cocoon settle");
        }
        data!("  your app    OPENAI_BASE_URL={} OPENAI_API_KEY=none", self.api);
        data!("  stop        Ctrl-C\n");
        say!("logs of every role:");
    }
}

fn wallets(money: &Money) -> Vec<WalletEntry> {
    let entry = |(name, address, file): (&str, Address, PathBuf)| WalletEntry {
        name: name.to_owned(),
        address,
        file,
    };
    money.wallets().map(entry).collect()
}

/// Removes the ready files: nothing can be served any more.
pub(super) fn forget(home: &Home, asked: Option<&Path>) {
    for path in asked.into_iter().chain([home.ready_file().as_path()]) {
        let _ = std::fs::remove_file(path);
    }
}
