//! Transactions per second of the ledger on one core, and what the disk's flush costs. Run with `--release`.
//!
//! Each external is a wallet's (v5r1): its signature is made before the clock starts and checked by the wallet's code.
//! It pays one message to an account without code: two transactions. Rates are by this thread's CPU time, so that others
//! on the machine do not matter; the wall clock stands beside it.
#![expect(clippy::print_stdout, reason = "the figures are this program's output")]

use std::{path::Path, time::Duration};

use cocoon_chain::{Ledger, LedgerOptions};
use cocoon_contracts::{
    Cell, SigningKey,
    wallet::{Network, Outgoing, Wallet, mode},
};
use cocoon_types::{Address, Nanoton};
use rustix::time::{ClockId, clock_gettime};

const NOW: u64 = 1_765_000_000;
const WALLETS: u8 = 200;
const BLOCKS: u32 = 20;
const OPTIONS: LedgerOptions = LedgerOptions {
    is_test: true,
    instant: false,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let wallets: Vec<Wallet> = (0..WALLETS)
        .map(|number| Ok(Wallet::new(SigningKey::from_seed([number; 32])?, Network::Main)))
        .collect::<Result<_, cocoon_contracts::KeyError>>()?;
    let externals: Vec<Vec<Cell>> = (0..BLOCKS)
        .map(|seqno| wallets.iter().map(|wallet| external(wallet, seqno)).collect())
        .collect();
    let dir = tempfile::tempdir()?;
    run(
        "in memory",
        Ledger::in_memory(OPTIONS, NOW)?,
        &wallets,
        &externals,
    )?;
    run(
        "on disk  ",
        Ledger::open(dir.path(), OPTIONS, NOW)?,
        &wallets,
        &externals,
    )?;
    flush(dir.path())?;
    Ok(())
}

fn external(wallet: &Wallet, seqno: u32) -> Cell {
    let outgoing = Outgoing {
        to: Address::new([9; 32]),
        value: Nanoton::new(1_000_000),
        bounce: false,
        state_init: None,
        body: None,
        mode: mode::PAY_FEE,
        comment: None,
    };
    let external = wallet.external(seqno, u32::MAX, &[outgoing]);
    external.map(|external| external.message).unwrap_or_default()
}

fn run(
    name: &str,
    mut ledger: Ledger,
    wallets: &[Wallet],
    externals: &[Vec<Cell>],
) -> Result<(), Box<dyn std::error::Error>> {
    for wallet in wallets {
        ledger.faucet(wallet.address(), Nanoton::new(10_000_000_000))?;
    }
    ledger.block(NOW)?;
    let (mut transactions, mut doors, mut blocks) = (0, Spent::default(), Spent::default());
    for batch in externals {
        let start = Spent::now();
        for external in batch {
            ledger.submit(external, NOW)?;
        }
        doors.add_since(start);
        let start = Spent::now();
        transactions += u32::try_from(ledger.block(NOW)?.transactions)?;
        blocks.add_since(start);
    }
    println!(
        "{name}: {:.0} transactions/s ({:.0} by the wall clock; {transactions} in {BLOCKS} blocks), {:.0} externals/s at the door",
        f64::from(transactions) / blocks.cpu,
        f64::from(transactions) / blocks.wall,
        f64::from(BLOCKS) * f64::from(WALLETS) / doors.cpu,
    );
    Ok(())
}

/// Seconds of the clocks.
#[derive(Clone, Copy, Default)]
struct Spent {
    cpu: f64,
    wall: f64,
}

impl Spent {
    fn now() -> Self {
        let seconds = |id| {
            let time = clock_gettime(id);
            Duration::new(
                time.tv_sec.cast_unsigned(),
                u32::try_from(time.tv_nsec).unwrap_or(0),
            )
            .as_secs_f64()
        };
        Self {
            cpu: seconds(ClockId::ThreadCPUTime),
            wall: seconds(ClockId::Monotonic),
        }
    }

    fn add_since(&mut self, start: Self) {
        let now = Self::now();
        self.cpu += now.cpu - start.cpu;
        self.wall += now.wall - start.wall;
    }
}

/// Empty blocks: nothing but the flush.
fn flush(dir: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut ledger = Ledger::open(dir, OPTIONS, NOW)?;
    let start = Spent::now();
    let mut spent = Spent::default();
    for _ in 0..100 {
        ledger.block(NOW)?;
    }
    spent.add_since(start);
    println!(
        "flush    : {:.2} ms of waiting and {:.2} ms of CPU for a block without transactions",
        (spent.wall - spent.cpu) * 10.0,
        spent.cpu * 10.0
    );
    Ok(())
}
