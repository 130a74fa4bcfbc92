//! `cocoon settle`: a proxy brings what it is owed and what it owes to the chain.

use std::process::ExitCode;

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::endpoint::{Amount, Endpoint};
use crate::exit::Hinted;
use crate::running::Running;
use crate::text::{data, say, table};

/// Have a proxy settle now: charge its clients, pay its workers
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cocoon settle                                  the proxy of the running `cocoon up`
  cocoon settle --admin http://127.0.0.1:11000
  cocoon settle --show                           only look: what is signed, and what the chain has")]
pub(crate) struct SettleArgs {
    /// A proxy's admin address; without it that of the running `cocoon up`
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    /// Only show the accounts
    #[arg(long)]
    show: bool,
    /// Print JSON on stdout; amounts are nanoTON as text
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Deserialize)]
struct Accounts {
    contract: String,
    owner: String,
    state: String,
    balance: Amount,
    stake: Amount,
    #[serde(default)]
    clients: Vec<Value>,
    #[serde(default)]
    workers: Vec<Value>,
}

pub(crate) async fn run(args: SettleArgs) -> anyhow::Result<ExitCode> {
    let proxy = proxy(args.admin)?;
    if !args.show {
        proxy.order("/settle", &json!({})).await?;
        say!("accepted: the proxy sends charges and payouts to the chain now");
    }
    let (value, accounts) = proxy.read::<Accounts>("/accounts").await?;
    if args.json {
        data!("{value}");
        return Ok(ExitCode::SUCCESS);
    }
    data!(
        "  contract {} ({}), owner {}",
        accounts.contract,
        accounts.state,
        accounts.owner
    );
    data!("  its share {}, stake {}", accounts.balance, accounts.stake);
    for (title, list) in [("clients", &accounts.clients), ("workers", &accounts.workers)] {
        if !list.is_empty() {
            data!("  {title}:\n{}", table(&columns(list)));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn proxy(admin: Option<String>) -> anyhow::Result<Endpoint> {
    let running = || Running::find()?.of_role("proxy").pop();
    let found = admin.map(|url| ("the proxy".to_owned(), url)).or_else(running);
    let (name, url) = found.ok_or_else(|| {
        Hinted::usage(
            "which proxy? No network runs here",
            "name a proxy's admin address with --admin URL, or start a network with `cocoon up`",
        )
    })?;
    Endpoint::new(name, &url, None)
}

/// A table of whatever members the proxy's entries have, in their order.
fn columns(list: &[Value]) -> Vec<Vec<String>> {
    let mut names: Vec<&String> = Vec::new();
    for entry in list.iter().filter_map(Value::as_object) {
        for name in entry.keys() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let cell = |entry: &Value, name: &String| match entry.get(name.as_str()) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let rows = list
        .iter()
        .map(|entry| names.iter().map(|name| cell(entry, name)).collect());
    std::iter::once(names.iter().map(|name| name.replace('_', " ")).collect())
        .chain(rows)
        .collect()
}
