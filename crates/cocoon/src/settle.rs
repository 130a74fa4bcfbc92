//! `cocoon settle`: a proxy brings what it is owed and what it owes to the chain.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use cocoon_types::Nanoton;
use indicatif::ProgressBar;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

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
    /// Why it serves nobody any more, and what to do.
    #[serde(default)]
    halted: Option<String>,
    #[serde(default)]
    clients: Vec<Value>,
    #[serde(default)]
    workers: Vec<Value>,
}

/// For a commit to be on the chain: a block or two where the proxy commits at once, and no use waiting where it does not.
const SIGNED_DEADLINE: Duration = Duration::from_secs(10);
/// A charge and a payout are a few messages each.
const SETTLED_DEADLINE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);
/// Members that are nanoTON.
const AMOUNTS: &[&str] = &["balance", "stake", "owed"];

pub(crate) async fn run(args: SettleArgs) -> anyhow::Result<ExitCode> {
    let proxy = proxy(args.admin)?;
    if !args.show {
        // What was used a moment ago is signed once its commit is on the chain, and only then can it be settled.
        reached(&proxy, SIGNED_DEADLINE, Accounts::is_signed).await?;
        proxy.order("/settle", &json!({})).await?;
        if !reached(&proxy, SETTLED_DEADLINE, Accounts::is_settled).await? {
            say!("accepted; the chain does not show all of it yet (`cocoon settle --show` looks again)");
        }
    }
    let (value, accounts) = proxy.read::<Accounts>("/accounts").await?;
    if let Some(reason) = &accounts.halted {
        say!("the proxy is halted: {reason}");
    }
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

/// Whether the accounts came to be as wanted in time.
async fn reached(proxy: &Endpoint, within: Duration, wanted: fn(&Accounts) -> bool) -> anyhow::Result<bool> {
    let progress = ProgressBar::new_spinner().with_message("waiting for the chain");
    progress.enable_steady_tick(Duration::from_millis(120));
    let start = Instant::now();
    loop {
        let (_, accounts) = proxy.read::<Accounts>("/accounts").await?;
        if wanted(&accounts) || accounts.halted.is_some() {
            return Ok(wanted(&accounts));
        }
        if start.elapsed() > within {
            return Ok(false);
        }
        tokio::time::sleep(PAUSE).await;
    }
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

// === impl Accounts ===

impl Accounts {
    fn is_signed(&self) -> bool {
        all(&self.clients, "used_tokens", "signed_tokens")
            && all(&self.workers, "earned_tokens", "signed_tokens")
    }

    fn is_settled(&self) -> bool {
        all(&self.clients, "signed_tokens", "charged_tokens")
            && all(&self.workers, "signed_tokens", "paid_tokens")
    }
}

/// Whether the second count has come up to the first everywhere.
fn all(list: &[Value], first: &str, second: &str) -> bool {
    let count = |entry: &Value, name: &str| entry.get(name).and_then(Value::as_u64).unwrap_or(0);
    list.iter()
        .all(|entry| count(entry, second) >= count(entry, first))
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
        Some(Value::String(text)) if AMOUNTS.contains(&name.as_str()) => text
            .parse()
            .map_or_else(|_| text.clone(), |nano| Nanoton::new(nano).to_string()),
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
