//! `cocoon ledger`: a whole TON chain for a test network on this machine.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::Args;
use cocoon_chain::{Ledger, LedgerChain, LedgerOptions, serve};
use cocoon_web::{
    clock::unix_now,
    guard::{Guard, GuardOptions},
    keys,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::exit::Hinted;
use crate::role::Announcement;
use crate::shutdown;
use crate::text::data;

/// A chain of this machine's own: real contracts, real gas and storage fees, test coins.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LedgerArgs {
    /// Where it answers, as toncenter v2 does. On another address than loopback API keys are needed, and there is no
    /// faucet, no warp and no fault.
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:11100",
        env = "COCOON_LEDGER_LISTEN"
    )]
    listen: SocketAddr,
    /// Where the chain is kept; made if it is not there. Default: ~/.local/state/cocoon/ledger
    #[arg(long, value_name = "DIR", env = "COCOON_LEDGER_DIR")]
    dir: Option<PathBuf>,
    /// Seconds from block to block
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = block_time)]
    block_time: Duration,
    /// Make a block as soon as a message comes, beside those of every block time
    #[arg(long)]
    instant: bool,
    /// Where API keys are, for an address that is not loopback. Default: ~/.local/state/cocoon
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Print one line of JSON with the bound address on stdout, once the ledger answers
    #[arg(long)]
    announce: bool,
    /// Stop when stdin ends: for a parent process that must not leave this one behind
    #[arg(long)]
    exit_with_stdin: bool,
}

const EXAMPLES: &str = "Examples:
  cocoon ledger --instant                                a chain on http://127.0.0.1:11100
  cocoon wallet balance --chain http://127.0.0.1:11100   use it
  curl -d '{\"address\":\"EQ...\",\"amount\":\"5000000000\"}' http://127.0.0.1:11100/test/faucet
  curl -d '{\"seconds\":86400}' http://127.0.0.1:11100/test/warp
  curl -d '{\"delay_blocks\":10,\"drop_every\":3}' http://127.0.0.1:11100/test/faults";

/// Serves the ledger until a signal.
pub(crate) async fn run(args: LedgerArgs) -> anyhow::Result<ExitCode> {
    let options = LedgerOptions {
        is_test: true,
        instant: args.instant,
    };
    let dir = directory(&args)?;
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make the directory {}", dir.display()))?;
    let ledger = Ledger::open(&dir, options, unix_now())
        .with_context(|| format!("the ledger in {} cannot be opened", dir.display()))?;
    let guard = GuardOptions {
        state_dir: args.state_dir.clone(),
        ..GuardOptions::default()
    };
    let guard = Guard::new(args.listen, guard)
        .map_err(|error| Hinted::usage(error.to_string(), "the usual address is 127.0.0.1:11100"))?;
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    let url = format!("http://{}", listener.local_addr()?);
    tracing::info!(%url, dir = %dir.display(), block = ledger.head().seqno, "the ledger answers");
    if args.announce {
        let announcement = Announcement {
            role: "ledger".to_owned(),
            pid: std::process::id(),
            url,
            clients: None,
            workers: None,
        };
        data!("{}", serde_json::to_string(&announcement)?);
    }
    let chain = LedgerChain::new(ledger, unix_now);
    let stop = CancellationToken::new();
    tokio::join!(
        chain.run(args.block_time, stop.clone()),
        serve(chain.clone(), listener, guard, stop.clone()),
        shutdown::watch(stop.clone(), args.exit_with_stdin)
    );
    Ok(ExitCode::SUCCESS)
}

fn directory(args: &LedgerArgs) -> anyhow::Result<PathBuf> {
    let usual = || keys::default_dir().map(|dir| dir.join("ledger"));
    args.dir.clone().or_else(usual).ok_or_else(|| {
        Hinted::usage(
            "there is no home directory to keep the ledger in",
            "name one with --dir DIR",
        )
    })
}

/// From 50 ms, which the disk can follow, to an hour.
fn block_time(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if !(0.05..=3600.0).contains(&seconds) {
        return Err("must be between 0.05 and 3600 seconds".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    #[test]
    fn block_times_have_bounds() {
        assert_eq!(
            super::block_time("0.5"),
            Ok(std::time::Duration::from_millis(500))
        );
        for bad in ["0", "-1", "NaN", "inf", "x", "1e9", ""] {
            assert!(super::block_time(bad).is_err(), "{bad}");
        }
    }
}
