//! `cocoon key`: the gateway's API keys, and what may be spent with each.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use cocoon_types::{Nanoton, TierPolicy};
use cocoon_web::clock::unix_now;
use cocoon_web::keys::{
    KeyError, KeyFile, KeyLimits, KeyRecord, NewKey, Spending, SpendingFile, default_dir,
};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::exit::Hinted;
use crate::text::{data, say};

/// API keys: make, list, limit, revoke
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cocoon key new --label app --daily-limit 0.5    at most half a TON a day with this key
  cocoon key limit 0123456789abcdef --budget 10   another limit: 10 TON in all, whatever the day
  cocoon key list                                 keys, limits, and what was spent with each")]
pub(crate) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
    /// State directory of the gateway that the keys open [default: ~/.local/state/cocoon]
    #[arg(long, value_name = "DIR", env = "COCOON_CLIENT_STATE_DIR", global = true)]
    state_dir: Option<PathBuf>,
    /// Print JSON on stdout
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key; it is shown this once
    New {
        /// What you call it, up to 64 characters
        #[arg(long, default_value = "unnamed", value_name = "TEXT")]
        label: String,
        #[command(flatten)]
        limits: LimitArgs,
    },
    /// Show the keys that were made; never their secrets
    List,
    /// Give a key other limits, or none; a running gateway follows within a second
    Limit {
        /// The key's id, as `cocoon key list` shows it
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        limits: LimitArgs,
    },
    /// End a key; a running gateway stops taking it within a second
    Revoke {
        /// The key's id, as `cocoon key list` shows it
        #[arg(value_name = "ID")]
        id: String,
    },
}

/// What may be done with a key: spent, in a network with payments, and at which tier.
#[derive(Clone, Copy, Debug, Args)]
struct LimitArgs {
    /// At most so many TON on each day, UTC
    #[arg(long, value_name = "TON")]
    daily_limit: Option<Nanoton>,
    /// At most so many TON in all
    #[arg(long, value_name = "TON")]
    budget: Option<Nanoton>,
    /// Lowest tier that requests with this key may accept, as in attested or confidential+simulated; also what they get when they
    /// name none [default: what the request names, else the gateway's]
    #[arg(long, value_name = "TIER")]
    min_tier: Option<TierPolicy>,
}

/// Runs the sub-command. Data goes to stdout, talk to stderr.
pub(crate) async fn run(args: KeyArgs) -> anyhow::Result<ExitCode> {
    let dir = args.state_dir.or_else(default_dir).ok_or_else(|| {
        Hinted::usage(
            "there is no home directory to look for keys in",
            "give one with --state-dir DIR",
        )
    })?;
    // The file may be locked by another `cocoon key`, so waiting for it must not hold the runtime up.
    tokio::task::spawn_blocking(move || {
        obey(
            &KeyFile::in_dir(&dir),
            &SpendingFile::in_dir(&dir),
            args.command,
            args.json,
        )
    })
    .await?
}

fn obey(
    file: &KeyFile,
    spending: &SpendingFile,
    command: KeyCommand,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let done = match command {
        KeyCommand::New { label, limits } => file.create(&label, limits.into(), unix_now()).map(|new| {
            if as_json {
                new_json(&new).to_string()
            } else {
                told(&new, file)
            }
        }),
        KeyCommand::List => {
            let spending = spending.read()?;
            file.list().map(|keys| {
                if as_json {
                    list_json(&keys, &spending)
                } else {
                    table(&keys, &spending)
                }
            })
        }
        KeyCommand::Limit { id, limits } => file.limit(&id, limits.into()).map(|key| {
            if as_json {
                key_json(&key).to_string()
            } else {
                say!("{} ({}) may spend {}", key.id, key.label, allowed(&key.limits));
                String::new()
            }
        }),
        KeyCommand::Revoke { id } => file.revoke(&id, unix_now()).map(|key| {
            if as_json {
                key_json(&key).to_string()
            } else {
                say!("{} ({}) is revoked", key.id, key.label);
                String::new()
            }
        }),
    };
    match done {
        Ok(text) if text.is_empty() => {}
        Ok(text) => data!("{text}"),
        Err(error @ KeyError::UnknownKey(_)) => {
            return Err(Hinted::failed(error.to_string(), "cocoon key list"));
        }
        Err(error @ KeyError::Label) => return Err(Hinted::usage(error.to_string(), "--label TEXT")),
        Err(error @ KeyError::Full) => {
            return Err(Hinted::failed(
                error.to_string(),
                "begin a new file in another --state-dir",
            ));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(ExitCode::SUCCESS)
}

/// The key for stdout; what is to be known of it for stderr.
fn told(new: &NewKey, file: &KeyFile) -> String {
    say!(
        "key {} ({}) is stored as a hash in {}; the key itself is shown this once:",
        new.record.id,
        new.record.label,
        file.path().display()
    );
    new.key.expose().clone()
}

fn new_json(new: &NewKey) -> Value {
    let mut value = key_json(&new.record);
    value["key"] = json!(new.key.expose());
    value
}

fn key_json(key: &KeyRecord) -> Value {
    let nano = |limit: Option<Nanoton>| limit.map(|limit| limit.nano().to_string());
    json!({
        "id": key.id,
        "label": key.label,
        "created": key.created,
        "revoked": key.revoked,
        "daily_limit": nano(key.limits.daily),
        "budget": nano(key.limits.total),
    })
}

fn list_json(keys: &[KeyRecord], spending: &Spending) -> String {
    let keys = keys.iter().map(|key| {
        let mut value = key_json(key);
        let spent = spending.of(&key.id);
        value["spent_today"] = json!(spent.today(unix_now()).nano().to_string());
        value["spent"] = json!(spent.total().nano().to_string());
        value
    });
    Value::Array(keys.collect()).to_string()
}

/// Its limits in words.
fn allowed(limits: &KeyLimits) -> String {
    let daily = limits.daily.map(|limit| format!("{limit} a day"));
    let total = limits.total.map(|limit| format!("{limit} in all"));
    let tier = limits.min_tier.map(|tier| format!("at {tier} or better"));
    let all: Vec<_> = daily.into_iter().chain(total).chain(tier).collect();
    if all.is_empty() {
        "what there is".to_owned()
    } else {
        all.join(", ")
    }
}

fn table(keys: &[KeyRecord], spending: &Spending) -> String {
    if keys.is_empty() {
        say!("there are no keys (hint: cocoon key new)");
    }
    let lines = keys.iter().map(|key| {
        let state = key.revoked.map_or("active".to_owned(), |revoked| {
            format!("revoked {}", date(revoked))
        });
        let spent = spending.of(&key.id);
        format!(
            "{}  {}  {state:<18}  spent {} today, {} in all; may spend {}  {}",
            key.id,
            date(key.created),
            spent.today(unix_now()),
            spent.total(),
            allowed(&key.limits),
            key.label
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

// === impl LimitArgs ===

impl From<LimitArgs> for KeyLimits {
    fn from(args: LimitArgs) -> Self {
        Self {
            daily: args.daily_limit,
            total: args.budget,
            min_tier: args.min_tier,
        }
    }
}

/// The day of a Unix second, UTC, as 2026-11-22.
fn date(seconds: u64) -> String {
    let time = i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    time.map_or_else(|| "?".to_owned(), |time| time.date().to_string())
}

#[cfg(test)]
mod tests {
    use cocoon_types::Nanoton;
    use cocoon_web::keys::{KeyFile, KeyLimits, Spending};

    use super::{allowed, date, key_json, new_json, table};

    #[test]
    fn days_are_written_year_first() {
        assert_eq!(date(951_782_400), "2000-02-29");
        assert_eq!(date(u64::MAX), "?");
    }

    #[test]
    fn limits_are_said_in_words() {
        let ton = |nano| Some(Nanoton::new(nano));
        let said = |daily, total| {
            allowed(&KeyLimits {
                daily,
                total,
                min_tier: None,
            })
        };
        let strict = KeyLimits {
            min_tier: Some("attested".parse().unwrap()),
            ..KeyLimits::default()
        };
        assert_eq!(allowed(&strict), "at attested or better");
        assert_eq!(said(None, None), "what there is");
        assert_eq!(said(ton(500_000_000), None), "0.5 TON a day");
        assert_eq!(
            said(ton(500_000_000), ton(10_000_000_000)),
            "0.5 TON a day, 10 TON in all"
        );
    }

    #[test]
    fn only_a_new_key_shows_its_secret() {
        let dir = tempfile::tempdir().unwrap();
        let file = KeyFile::in_dir(dir.path());
        let new = file.create("laptop", KeyLimits::default(), 0).unwrap();
        let secret = new.key.expose().rsplit('_').next().unwrap();
        assert!(new_json(&new).to_string().contains(secret));
        let listed = format!(
            "{} {}",
            key_json(&new.record),
            table(&file.list().unwrap(), &Spending::default())
        );
        assert!(
            listed.contains("laptop") && !listed.contains(secret) && !listed.contains("sha256"),
            "{listed}"
        );
    }
}
