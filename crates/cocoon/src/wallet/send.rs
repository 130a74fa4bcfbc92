//! `send`: asks, sends, waits.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use cocoon_chain::Status;
use cocoon_chain::wallet_file::WalletFile;
use cocoon_contracts::wallet::{MAX_COMMENT_BYTES, Outgoing, mode};
use cocoon_types::{Address, Nanoton};
use indicatif::ProgressBar;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use super::sending::{self, FEE_ROOM};
use crate::chain::Opened;
use crate::exit::{FAILED, Hinted};
use crate::text::{data, say};

#[derive(Debug, Args)]
pub(super) struct SendArgs {
    /// To whom
    #[arg(value_name = "ADDRESS")]
    to: Address,
    /// How much, in TON, as 0.05; `all` empties the wallet
    #[arg(value_name = "AMOUNT")]
    amount: Amount,
    /// Text for the receiver, which the whole world can read
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

#[derive(Clone, Copy, Debug)]
enum Amount {
    Of(Nanoton),
    All,
}

/// A yes is one letter; nobody types more than this.
const MAX_ANSWER_BYTES: u64 = 64;

// === impl Amount ===

impl FromStr for Amount {
    type Err = cocoon_types::NanotonError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("all") {
            return Ok(Self::All);
        }
        text.parse().map(Self::Of)
    }
}

pub(super) async fn run(
    args: SendArgs,
    file: &WalletFile,
    on: &Opened,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    if args
        .comment
        .as_ref()
        .is_some_and(|comment| comment.len() > MAX_COMMENT_BYTES)
    {
        return Err(Hinted::usage(
            format!("the comment is longer than {MAX_COMMENT_BYTES} bytes"),
            "shorten it",
        ));
    }
    let own = on.account(file.address()).await?;
    let target = on.account(args.to).await?;
    let (value, mode) = match args.amount {
        Amount::Of(Nanoton::ZERO) => {
            return Err(Hinted::usage("an amount of 0 is nothing to send", "as 0.05"));
        }
        Amount::Of(value) => (value, mode::PAY_FEE),
        Amount::All => (own.balance, mode::ALL),
    };
    let is_all = matches!(args.amount, Amount::All);
    say!(
        "from    {}   (holds {})",
        file.address().non_bounceable(),
        own.balance
    );
    say!(
        "to      {}   ({})",
        args.to.non_bounceable(),
        super::state(target.status)
    );
    say!("amount  {value}{}", if is_all { ", less the fee" } else { "" });
    say!("fee     below {FEE_ROOM}, beside the amount; the exact one is shown when it is paid");
    if !args.yes && !agreed().await? {
        say!("nothing was sent");
        return Ok(ExitCode::from(FAILED));
    }
    let outgoing = Outgoing {
        to: args.to,
        value: if is_all { Nanoton::ZERO } else { value },
        // Coins for nobody come back from a contract that refuses them, and stay with an account that is not there yet.
        bounce: target.status == Status::Active,
        state_init: None,
        body: None,
        mode,
        comment: args.comment,
    };
    let progress = ProgressBar::new_spinner().with_message("waiting for the confirmation");
    progress.enable_steady_tick(Duration::from_millis(120));
    let sent = sending::send(on, file.wallet(), &[outgoing]).await;
    progress.finish_and_clear();
    let sent = sent?;
    let moved = sent
        .transaction
        .outbound
        .first()
        .map_or(value, |message| message.value);
    let hash = hex(&sent.transaction.id.hash);
    if as_json {
        let (amount, fee) = (moved.nano().to_string(), sent.fee.nano().to_string());
        let to = args.to.non_bounceable();
        data!(
            "{}",
            json!({"to": to, "amount": amount, "fee": fee, "lt": sent.transaction.id.lt, "hash": hash})
        );
    } else {
        say!("done: {moved} sent, fee {}", sent.fee);
        data!("{hash}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks on the terminal; where there is none, `--yes` has to be given.
async fn agreed() -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(Hinted::usage(
            "nobody is there to confirm: stdin is no terminal",
            "say --yes",
        ));
    }
    say!("send it? [y/N]");
    let mut answer = String::new();
    let mut stdin = BufReader::new(tokio::io::stdin().take(MAX_ANSWER_BYTES));
    tokio::select! {
        read = stdin.read_line(&mut answer) => read?,
        () = crate::shutdown::interrupted() => return Ok(false),
    };
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
