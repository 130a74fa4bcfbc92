//! `cocoon key`: the gateway's API keys.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use cocoon_web::clock::unix_now;
use cocoon_web::keys::{KeyError, KeyFile, KeyRecord, NewKey, default_dir};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::exit::Hinted;
use crate::text::{data, say};

/// API keys: make, list, revoke
#[derive(Debug, Args)]
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
    },
    /// Show the keys that were made; never their secrets
    List,
    /// End a key; a running gateway stops taking it within a second
    Revoke {
        /// The key's id, as `cocoon key list` shows it
        #[arg(value_name = "ID")]
        id: String,
    },
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
    tokio::task::spawn_blocking(move || obey(&KeyFile::in_dir(&dir), args.command, args.json)).await?
}

fn obey(file: &KeyFile, command: KeyCommand, as_json: bool) -> anyhow::Result<ExitCode> {
    let done = match command {
        KeyCommand::New { label } => file.create(&label, unix_now()).map(|new| {
            if as_json {
                new_json(&new).to_string()
            } else {
                told(&new, file)
            }
        }),
        KeyCommand::List => file
            .list()
            .map(|keys| if as_json { list_json(&keys) } else { table(&keys) }),
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
    json!({"id": key.id, "label": key.label, "created": key.created, "revoked": key.revoked})
}

fn list_json(keys: &[KeyRecord]) -> String {
    Value::Array(keys.iter().map(key_json).collect()).to_string()
}

fn table(keys: &[KeyRecord]) -> String {
    if keys.is_empty() {
        say!("there are no keys (hint: cocoon key new)");
    }
    let lines = keys.iter().map(|key| {
        let state = key.revoked.map_or("active".to_owned(), |revoked| {
            format!("revoked {}", date(revoked))
        });
        format!("{}  {}  {state:<18}  {}", key.id, date(key.created), key.label)
    });
    lines.collect::<Vec<_>>().join("\n")
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
    use cocoon_web::keys::KeyFile;

    use super::{date, key_json, new_json, table};

    #[test]
    fn days_are_written_year_first() {
        assert_eq!(date(951_782_400), "2000-02-29");
        assert_eq!(date(u64::MAX), "?");
    }

    #[test]
    fn only_a_new_key_shows_its_secret() {
        let dir = tempfile::tempdir().unwrap();
        let file = KeyFile::in_dir(dir.path());
        let new = file.create("laptop", 0).unwrap();
        let secret = new.key.expose().rsplit('_').next().unwrap();
        assert!(new_json(&new).to_string().contains(secret));
        let listed = format!("{} {}", key_json(&new.record), table(&file.list().unwrap()));
        assert!(
            listed.contains("laptop") && !listed.contains(secret) && !listed.contains("sha256"),
            "{listed}"
        );
    }
}
