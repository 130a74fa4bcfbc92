//! `cocoon wallet`: words, address, balance, sending and history of a wallet.
//!
//! Words are shown once, on a terminal, and read from stdin or a file: never from arguments, which other users of the
//! machine can see, and never into a log.

mod history;
mod make;
mod send;
pub(crate) mod sending;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use cocoon_chain::Status;
use cocoon_chain::wallet_file::{WalletFile, WalletFileError};
use cocoon_types::Address;
use serde_json::json;

use crate::chain::ChainArgs;
use crate::exit::Hinted;
use crate::text::data;

/// A wallet: make, restore, look, send
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cocoon wallet new                              24 words, shown once: write them down
  cocoon wallet import < words.txt               a wallet from its words, as any TON wallet shows them
  cocoon wallet balance
  cocoon wallet send UQBx…na09 0.05              asks before it sends, and waits for the confirmation
  cocoon wallet send UQBx…na09 all --yes         for scripts; exit code 0 says that it went through
  cocoon wallet history --limit 5 --json")]
pub(crate) struct WalletArgs {
    #[command(subcommand)]
    command: WalletCommand,
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    chain: ChainArgs,
    /// Print JSON on stdout; amounts are nanoTON as text
    #[arg(long, global = true)]
    json: bool,
}

/// Where the wallet is.
#[derive(Clone, Debug, Args)]
pub(crate) struct FileArgs {
    /// The wallet's file [default: ~/.local/state/cocoon/wallet.toml]
    #[arg(long, value_name = "FILE", env = "COCOON_WALLET_FILE", global = true)]
    wallet_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum WalletCommand {
    /// Make a wallet; its 24 words are shown this once
    New,
    /// Restore a wallet from its 24 words, read from stdin or a file
    Import(make::ImportArgs),
    /// Show the wallet's address
    Address,
    /// Show what the wallet holds, or any other account
    Balance {
        /// The account; without it this wallet
        #[arg(value_name = "ADDRESS")]
        address: Option<Address>,
    },
    /// Send coins, and wait until it is done
    Send(send::SendArgs),
    /// Show what came and went, newest first
    History(history::HistoryArgs),
}

pub(crate) async fn run(args: WalletArgs) -> anyhow::Result<ExitCode> {
    let WalletArgs {
        command,
        file,
        chain,
        json,
    } = args;
    match command {
        WalletCommand::New => make::new(&file.path()?, json),
        WalletCommand::Import(import) => make::import(&file.path()?, import, json),
        WalletCommand::Address => {
            let file = file.open()?;
            let address = file.address().non_bounceable();
            if json {
                data!(
                    "{}",
                    json!({"address": address, "raw": raw(file.address()), "file": file.path()})
                );
            } else {
                data!("{address}");
            }
            Ok(ExitCode::SUCCESS)
        }
        WalletCommand::Balance { address } => {
            let address = address.map_or_else(|| Ok(file.open()?.address()), anyhow::Ok)?;
            let account = chain.open()?.account(address).await?;
            if json {
                let state = state(account.status);
                let balance = account.balance.nano().to_string();
                data!(
                    "{}",
                    json!({"address": address.non_bounceable(), "balance": balance, "state": state})
                );
            } else {
                data!("{}", account.balance);
            }
            Ok(ExitCode::SUCCESS)
        }
        WalletCommand::Send(send) => send::run(send, &file.open()?, &chain.open()?, json).await,
        WalletCommand::History(history) => history::run(history, &file, &chain.open()?, json).await,
    }
}

/// What an account is, in one word.
fn state(status: Status) -> &'static str {
    match status {
        Status::Missing => "missing",
        Status::Uninit => "uninit",
        Status::Active => "active",
        Status::Frozen => "frozen",
    }
}

/// `0:` and 64 hexadecimal digits.
fn raw(address: Address) -> String {
    let digits = address.as_bytes().iter().map(|byte| format!("{byte:02x}"));
    format!("0:{}", digits.collect::<String>())
}

/// The same error with what to do about it.
pub(crate) fn explain(error: WalletFileError) -> anyhow::Error {
    let hint = match &error {
        WalletFileError::Missing { .. } => {
            "make one with `cocoon wallet new`, or name another with --wallet-file FILE".to_owned()
        }
        WalletFileError::Exists { .. } => {
            "`cocoon wallet address` shows whose it is; --wallet-file FILE makes another".to_owned()
        }
        WalletFileError::Permissions { path, .. } => format!(
            "chmod 600 {0}   (and if others may have read it, send its coins to a new wallet)",
            path.display()
        ),
        WalletFileError::Damaged { .. } | WalletFileError::Words { .. } => {
            "restore it from its 24 words into another file: cocoon wallet import --wallet-file FILE"
                .to_owned()
        }
        WalletFileError::Version { .. } => "a newer cocoon wrote it: use that one".to_owned(),
        _ => "--wallet-file FILE names another place".to_owned(),
    };
    let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
    Hinted::failed(format!("{error}{}", source.unwrap_or_default()), hint)
}

// === impl FileArgs ===

impl FileArgs {
    /// Where the wallet is or will be.
    pub(crate) fn path(&self) -> anyhow::Result<PathBuf> {
        let usual = || Some(cocoon_web::keys::default_dir()?.join(WalletFile::NAME));
        self.wallet_file.clone().or_else(usual).ok_or_else(|| {
            Hinted::usage(
                "there is no home directory to keep a wallet in",
                "name a place with --wallet-file FILE",
            )
        })
    }

    /// The wallet.
    pub(crate) fn open(&self) -> anyhow::Result<WalletFile> {
        WalletFile::open(&self.path()?).map_err(explain)
    }
}

#[cfg(test)]
mod tests;
