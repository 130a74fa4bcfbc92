//! `cocoon account`: what a client has with each proxy, and putting in or taking out.
//!
//! The gateway does it, with its own wallet; this asks it.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use cocoon_types::Nanoton;
use indicatif::ProgressBar;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api;
use crate::endpoint::{Amount, Endpoint};
use crate::exit::Hinted;
use crate::text::{data, say, table};

/// What your gateway has with each proxy: look, top up, take back
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cocoon account show
  cocoon account topup 0.5                       from the gateway's wallet to its only proxy
  cocoon account topup 0.5 --proxy 203.0.113.5:11002
  cocoon account withdraw                        what is free comes back to the wallet, the account stays open
  cocoon account close                           everything comes back, the account with that proxy ends")]
pub(crate) struct AccountArgs {
    #[command(subcommand)]
    command: AccountCommand,
    /// The gateway; without it the running `cocoon up`, else 127.0.0.1:10000
    #[arg(long, value_name = "URL", env = "COCOON_API", global = true)]
    api: Option<String>,
    /// An API key of the gateway, if it wants one
    #[arg(
        long,
        value_name = "KEY",
        env = "COCOON_API_KEY",
        hide_env_values = true,
        global = true
    )]
    key: Option<String>,
    /// Print JSON on stdout; amounts are nanoTON as text
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum AccountCommand {
    /// Show the wallet and the account with each proxy
    Show,
    /// Move coins from the wallet to a proxy, to be spent there
    Topup {
        /// How much, in TON, as 0.5
        #[arg(value_name = "TON")]
        amount: Nanoton,
        #[command(flatten)]
        which: Which,
    },
    /// Take back what is neither spent nor staked
    Withdraw(Which),
    /// Take everything back and end the account with a proxy
    Close(Which),
}

#[derive(Debug, Args)]
struct Which {
    /// The proxy, as `account show` names it; needed when there are several
    #[arg(long, value_name = "HOST:PORT")]
    proxy: Option<String>,
    /// Do not wait until the chain shows it
    #[arg(long)]
    no_wait: bool,
}

#[derive(Debug, Deserialize)]
struct Account {
    wallet: Wallet,
    proxies: Vec<AtProxy>,
}

#[derive(Debug, Deserialize)]
struct Wallet {
    address: String,
    /// Not known while the chain cannot be reached.
    balance: Option<Amount>,
}

/// The account with one proxy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct AtProxy {
    proxy: String,
    contract: String,
    state: String,
    balance: Amount,
    #[serde(default)]
    stake: Amount,
    #[serde(default)]
    used_tokens: u64,
    #[serde(default)]
    charged_tokens: u64,
    /// Used and not charged yet.
    #[serde(default)]
    owed: Option<Amount>,
    #[serde(default)]
    available: Option<Amount>,
    #[serde(default)]
    price_per_token: Option<Amount>,
    #[serde(default)]
    withdrawable: Option<Amount>,
    /// What keeps the gateway from using it, in its words.
    #[serde(default)]
    trouble: Option<String>,
}

const PATH: &str = "/cocoon/v1/account";
/// A top-up is there after two or three blocks; an orderly close asks the proxy first.
const VISIBLE_DEADLINE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(200);

pub(crate) async fn run(args: AccountArgs) -> anyhow::Result<ExitCode> {
    let base = api::base(args.api.as_deref());
    let base = base.trim_end_matches("/v1");
    let gateway = Endpoint::new("the gateway", base, args.key.as_deref())?;
    let (value, account) = gateway.read::<Account>(PATH).await?;
    let (order, amount, which) = match args.command {
        AccountCommand::Show => {
            print(&value, &account, args.json);
            return Ok(ExitCode::SUCCESS);
        }
        AccountCommand::Topup { amount, which } => ("topup", Some(amount), which),
        AccountCommand::Withdraw(which) => ("withdraw", None, which),
        AccountCommand::Close(which) => ("close", None, which),
    };
    let before = which.choose(&account)?.clone();
    let mut body = json!({ "proxy": before.proxy });
    if let Some(amount) = amount {
        check(amount, &account.wallet)?;
        body["amount"] = json!(amount.nano().to_string());
    }
    gateway.order(&format!("{PATH}/{order}"), &body).await?;
    if which.no_wait {
        say!("accepted; `cocoon account show` tells when it is done");
        return Ok(ExitCode::SUCCESS);
    }
    let Some((value, account)) = visible(&gateway, &before, order).await? else {
        return Err(Hinted::failed(
            format!(
                "accepted, but the chain does not show it after {} s",
                VISIBLE_DEADLINE.as_secs()
            ),
            "it may still come: `cocoon account show`; the gateway's log says what it waits for",
        ));
    };
    say!("done");
    print(&value, &account, args.json);
    Ok(ExitCode::SUCCESS)
}

fn check(amount: Nanoton, wallet: &Wallet) -> anyhow::Result<()> {
    if amount == Nanoton::ZERO {
        return Err(Hinted::usage("a top-up of 0 is none", "as 0.5"));
    }
    if let Some(held) = wallet.balance
        && amount >= held.0
    {
        return Err(Hinted::failed(
            format!("the gateway's wallet holds {held}, which is not more than {amount}"),
            format!("send coins to {}; a little stays there for fees", wallet.address),
        ));
    }
    Ok(())
}

/// The account once it shows what was ordered.
async fn visible(
    gateway: &Endpoint,
    before: &AtProxy,
    order: &str,
) -> anyhow::Result<Option<(Value, Account)>> {
    let progress = ProgressBar::new_spinner().with_message("waiting for the chain");
    progress.enable_steady_tick(Duration::from_millis(120));
    let start = Instant::now();
    while start.elapsed() < VISIBLE_DEADLINE {
        let (value, account) = gateway.read::<Account>(PATH).await?;
        let now = account.proxies.iter().find(|proxy| proxy.proxy == before.proxy);
        let done = match order {
            "topup" => now.is_some_and(|now| now.balance.0 > before.balance.0),
            "withdraw" => now.is_none_or(|now| now.balance.0 < before.balance.0),
            _ => now.is_none_or(|now| now.state == "closed"),
        };
        if done {
            return Ok(Some((value, account)));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(None)
}

fn print(value: &Value, account: &Account, as_json: bool) {
    if as_json {
        data!("{value}");
        return;
    }
    let held = account
        .wallet
        .balance
        .map_or_else(unknown, |held| held.to_string());
    data!("  wallet {} holds {held}", account.wallet.address);
    if account.proxies.is_empty() {
        say!("no account with any proxy yet: the first request opens one");
        return;
    }
    let head = [
        "proxy",
        "state",
        "to spend",
        "balance",
        "stake",
        "can come back",
        "owed",
        "tokens used",
        "charged",
        "contract",
    ];
    let rows = account.proxies.iter().map(|proxy| {
        vec![
            proxy.proxy.clone(),
            proxy.state.clone(),
            proxy.available.map_or_else(unknown, |amount| amount.to_string()),
            proxy.balance.to_string(),
            proxy.stake.to_string(),
            proxy
                .withdrawable
                .map_or_else(unknown, |amount| amount.to_string()),
            proxy.owed.map_or_else(unknown, |amount| amount.to_string()),
            proxy.used_tokens.to_string(),
            proxy.charged_tokens.to_string(),
            proxy.contract.clone(),
        ]
    });
    let rows: Vec<_> = std::iter::once(head.map(str::to_owned).to_vec())
        .chain(rows)
        .collect();
    data!("{}", table(&rows));
    for proxy in &account.proxies {
        if let Some(trouble) = &proxy.trouble {
            say!("{}: {trouble}", proxy.proxy);
        }
    }
    if let Some(price) = account.proxies.iter().find_map(|proxy| proxy.price_per_token) {
        data!("  an adjusted token costs {} nanoTON", price.0.nano());
    }
}

fn unknown() -> String {
    "-".to_owned()
}

// === impl Which ===

impl Which {
    fn choose<'a>(&self, account: &'a Account) -> anyhow::Result<&'a AtProxy> {
        let named = |name: &String| account.proxies.iter().find(|proxy| proxy.proxy == *name);
        let found = match (&self.proxy, account.proxies.as_slice()) {
            (Some(name), _) => named(name),
            (None, [only]) => Some(only),
            (None, []) => None,
            (None, _) => {
                return Err(Hinted::usage(
                    "there are accounts with several proxies",
                    "say which with --proxy HOST:PORT; `cocoon account show` lists them",
                ));
            }
        };
        found.ok_or_else(|| {
            Hinted::failed(
                "there is no account with that proxy",
                "`cocoon account show` lists the proxies that the gateway is connected to",
            )
        })
    }
}

#[cfg(test)]
mod tests;
