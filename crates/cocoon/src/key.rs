//! `cocoon key`: the gateway's API keys.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use cocoon_web::clock::unix_now;
use cocoon_web::keys::{KeyError, KeyFile, KeyRecord, NewKey, default_dir};
use serde_json::{Value, json};

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

/// The asked-for thing was refused.
const FAILED: u8 = 1;
/// The question was wrong.
const USAGE: u8 = 2;

/// Runs the sub-command. Data goes to stdout, talk to stderr.
pub(crate) async fn run(args: KeyArgs) -> anyhow::Result<ExitCode> {
    let dir = args
        .state_dir
        .or_else(default_dir)
        .context("there is no home directory (hint: --state-dir DIR)")?;
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
                say(&format!("{} ({}) is revoked", key.id, key.label));
                String::new()
            }
        }),
    };
    match done {
        Ok(text) if text.is_empty() => Ok(ExitCode::SUCCESS),
        Ok(text) => {
            writeln!(std::io::stdout(), "{text}")?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error @ KeyError::UnknownKey(_)) => Ok(refuse(FAILED, &error, "hint: cocoon key list")),
        Err(error @ KeyError::Label) => Ok(refuse(USAGE, &error, "hint: --label TEXT")),
        Err(error @ KeyError::Full) => Ok(refuse(
            FAILED,
            &error,
            "hint: begin a new file in another --state-dir",
        )),
        Err(error) => Err(error.into()),
    }
}

/// The key for stdout; what is to be known of it for stderr.
fn told(new: &NewKey, file: &KeyFile) -> String {
    say(&format!(
        "key {} ({}) is stored as a hash in {}; the key itself is shown this once:",
        new.record.id,
        new.record.label,
        file.path().display()
    ));
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
        say("there are no keys (hint: cocoon key new)");
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
    // Days since 1 March of year 0, so that the leap day is a year's last; 719,468 of them before 1970.
    let days = seconds / 86_400 + 719_468;
    let era = days / 146_097;
    let day = days % 146_097;
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    format!("{:04}-{month:02}-{day_of_month:02}", era * 400 + year + next)
}

fn refuse(code: u8, error: &KeyError, hint: &str) -> ExitCode {
    say(&format!("error: {error}"));
    say(hint);
    ExitCode::from(code)
}

fn say(line: &str) {
    // A closed stderr is not an error.
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use cocoon_web::keys::KeyFile;

    use super::{date, key_json, new_json, table};

    #[test]
    fn dates_are_right_on_both_sides_of_leap_days() {
        for (seconds, day) in [
            (0, "1970-01-01"),
            (68_169_599, "1972-02-28"),
            (68_169_600, "1972-02-29"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (4_107_542_400, "2100-03-01"),
            (1_767_225_599, "2025-12-31"),
        ] {
            assert_eq!(date(seconds), day);
        }
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
