//! `new` and `import`.

use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use cocoon_chain::wallet_file::WalletFile;
use cocoon_contracts::wallet::Mnemonic;
use serde_json::json;
use zeroize::Zeroizing;

use super::explain;
use crate::exit::Hinted;
use crate::text::{data, say};

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// Read the words from this file instead of stdin
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

/// More text than this is no 24 words: they have 215 letters at most.
const MAX_WORDS_BYTES: u64 = 4096;
const WORDS_A_LINE: usize = 6;

/// Makes a wallet and shows its words, on a terminal only.
pub(super) fn new(path: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    let file = WalletFile::draw()
        .and_then(|words| WalletFile::create(path, words))
        .map_err(explain)?;
    if std::io::stderr().is_terminal() {
        say!(
            "Write these 24 words down, in order, on paper. They are shown this once, and whoever has them has the coins:\n"
        );
        let words = file.words();
        let words: Vec<&str> = words.split(' ').collect();
        for (line, row) in words.chunks(WORDS_A_LINE).enumerate() {
            let numbered = row.iter().enumerate();
            let cells =
                numbered.map(|(index, word)| format!("{:>2} {word:<9}", line * WORDS_A_LINE + index + 1));
            say!(
                "  {}",
                Zeroizing::new(cells.collect::<Vec<_>>().join(" ")).trim_end()
            );
        }
        say!("");
    } else {
        say!(
            "the 24 words are shown on a terminal only, and this is none; they stand in the file: keep a copy of it"
        );
    }
    say!(
        "the file is not encrypted; its permissions (0600) protect it: {}",
        path.display()
    );
    told(&file, as_json);
    Ok(ExitCode::SUCCESS)
}

/// Makes a wallet from words.
pub(super) fn import(path: &Path, args: ImportArgs, as_json: bool) -> anyhow::Result<ExitCode> {
    let text = match &args.from {
        Some(from) => {
            let opened =
                std::fs::File::open(from).map_err(|error| unreadable(&from.display().to_string(), &error))?;
            read(opened, &from.display().to_string())?
        }
        None => {
            if std::io::stdin().is_terminal() {
                say!("type or paste the 24 words, then Enter and Ctrl-D (they will be seen on this screen):");
            }
            read(std::io::stdin(), "stdin")?
        }
    };
    let words = Mnemonic::parse(&text).map_err(|error| {
        Hinted::failed(
            error.to_string(),
            "24 words in order, separated by blanks or lines, as the wallet showed them",
        )
    })?;
    let file = WalletFile::create(path, words).map_err(explain)?;
    say!(
        "the file is not encrypted; its permissions (0600) protect it: {}",
        path.display()
    );
    told(&file, as_json);
    Ok(ExitCode::SUCCESS)
}

fn told(file: &WalletFile, as_json: bool) {
    let address = file.address().non_bounceable();
    if as_json {
        data!(
            "{}",
            json!({"address": address, "raw": super::raw(file.address()), "file": file.path()})
        );
    } else {
        data!("{address}");
    }
}

/// Reads text in one piece of memory, which is wiped.
fn read(from: impl std::io::Read, name: &str) -> anyhow::Result<Zeroizing<String>> {
    let limit = usize::try_from(MAX_WORDS_BYTES).unwrap_or(usize::MAX);
    let mut text = Zeroizing::new(String::with_capacity(limit + 1));
    from.take(MAX_WORDS_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| unreadable(name, &error))?;
    if text.len() > limit {
        return Err(Hinted::failed(
            format!("{name} holds more than 24 words"),
            "give the words and nothing else",
        ));
    }
    Ok(text)
}

fn unreadable(name: &str, error: &std::io::Error) -> anyhow::Error {
    Hinted::failed(
        format!("cannot read the words from {name}: {error}"),
        "words come from stdin or --from FILE",
    )
}
