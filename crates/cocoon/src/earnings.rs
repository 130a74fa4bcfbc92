//! `cocoon earnings`: what workers earned at each proxy.

use std::process::ExitCode;

use clap::Args;
use cocoon_types::Nanoton;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::endpoint::{Amount, Endpoint};
use crate::exit::Hinted;
use crate::running::Running;
use crate::text::{data, say, table};

/// What your workers earned, and was paid
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cocoon earnings                                every worker of the running `cocoon up`
  cocoon earnings --admin http://127.0.0.1:12000
  cocoon earnings --payout                       ask the proxies for what is still unpaid")]
pub(crate) struct EarningsArgs {
    /// A worker's admin address, as often as there are workers; without it those of the running `cocoon up`
    #[arg(long, value_name = "URL")]
    admin: Vec<String>,
    /// Have what is unpaid paid out now
    #[arg(long)]
    payout: bool,
    /// Print JSON on stdout; amounts are nanoTON as text
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Deserialize)]
struct Earnings {
    owner: String,
    #[serde(default)]
    proxies: Vec<AtProxy>,
}

#[derive(Debug, Deserialize)]
struct AtProxy {
    proxy: String,
    contract: String,
    #[serde(default)]
    earned_tokens: u64,
    #[serde(default)]
    paid_tokens: u64,
    earned: Amount,
    paid: Amount,
    unpaid: Amount,
    /// What keeps the worker from being paid, in its words.
    #[serde(default)]
    trouble: Option<String>,
}

pub(crate) async fn run(args: EarningsArgs) -> anyhow::Result<ExitCode> {
    let workers = workers(&args)?;
    if args.payout {
        for worker in &workers {
            worker.order("/payout", &json!({})).await?;
            say!("{}: the payout was asked for", worker.name);
        }
    }
    let (mut values, mut rows) = (Vec::new(), Vec::new());
    let (mut earned, mut unpaid) = (Some(Nanoton::ZERO), Some(Nanoton::ZERO));
    for worker in &workers {
        let (mut value, earnings) = worker.read::<Earnings>("/earnings").await?;
        value["worker"] = json!(worker.name);
        values.push(value);
        for proxy in &earnings.proxies {
            earned = earned.and_then(|sum| sum.checked_add(proxy.earned.0));
            if let Some(trouble) = &proxy.trouble {
                say!("{} at {}: {trouble}", worker.name, proxy.proxy);
            }
            unpaid = unpaid.and_then(|sum| sum.checked_add(proxy.unpaid.0));
        }
        rows.extend(earnings.rows(&worker.name));
    }
    if args.json {
        data!("{}", Value::Array(values));
        return Ok(ExitCode::SUCCESS);
    }
    if rows.is_empty() {
        say!("no proxy has told a worker its account yet");
        return Ok(ExitCode::SUCCESS);
    }
    let head = [
        "worker",
        "proxy",
        "earned",
        "paid",
        "unpaid",
        "tokens",
        "paid tokens",
        "contract",
        "paid to",
    ];
    rows.insert(0, head.map(str::to_owned).to_vec());
    data!("{}", table(&rows));
    if let (Some(earned), Some(unpaid)) = (earned, unpaid) {
        data!("  together {earned}, of which {unpaid} still to be paid");
    }
    Ok(ExitCode::SUCCESS)
}

fn workers(args: &EarningsArgs) -> anyhow::Result<Vec<Endpoint>> {
    let mut named: Vec<(String, String)> = args
        .admin
        .iter()
        .map(|url| ("the worker".to_owned(), url.clone()))
        .collect();
    if named.is_empty() {
        named = Running::find()
            .map(|running| running.of_role("worker"))
            .unwrap_or_default();
    }
    if named.is_empty() {
        return Err(Hinted::usage(
            "which worker? No network runs here",
            "name a worker's admin address with --admin URL, or start a network with `cocoon up`",
        ));
    }
    named
        .iter()
        .map(|(name, url)| Endpoint::new(name, url, None))
        .collect()
}

// === impl Earnings ===

impl Earnings {
    fn rows(self, worker: &str) -> impl Iterator<Item = Vec<String>> {
        let (worker, owner) = (worker.to_owned(), self.owner);
        self.proxies.into_iter().map(move |proxy| {
            vec![
                worker.clone(),
                proxy.proxy,
                proxy.earned.to_string(),
                proxy.paid.to_string(),
                proxy.unpaid.to_string(),
                proxy.earned_tokens.to_string(),
                proxy.paid_tokens.to_string(),
                proxy.contract,
                owner.clone(),
            ]
        })
    }
}
