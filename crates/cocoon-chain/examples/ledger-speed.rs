//! Transactions per second of the ledger on one core, and what the disk's flush costs. Run with `--release`.
//!
//! Each external is a wallet's (v5r1): its signature is made before the clock starts and checked by the wallet's code.
//! It pays one message to an account without code: two transactions.
#![expect(clippy::print_stdout, reason = "the figures are this program's output")]
#![expect(
    clippy::disallowed_methods,
    reason = "it measures; nothing depends on the clock"
)]

use std::{path::Path, time::Instant};

use cocoon_chain::{Ledger, LedgerOptions};
use cocoon_contracts::{
    Cell, SigningKey,
    wallet::{Network, Outgoing, Wallet, mode},
};
use cocoon_types::{Address, Nanoton};

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
    let (mut transactions, mut checks, mut blocks) = (0, 0.0, 0.0);
    for batch in externals {
        let start = Instant::now();
        for external in batch {
            ledger.submit(external, NOW)?;
        }
        checks += start.elapsed().as_secs_f64();
        let start = Instant::now();
        transactions += u32::try_from(ledger.block(NOW)?.transactions)?;
        blocks += start.elapsed().as_secs_f64();
    }
    let rate = f64::from(transactions) / blocks;
    let checked = f64::from(BLOCKS) * f64::from(WALLETS) / checks;
    println!(
        "{name}: {rate:.0} transactions/s in blocks ({transactions} in {BLOCKS} blocks), {checked:.0} externals/s checked at the door"
    );
    Ok(())
}

/// Empty blocks: nothing but the flush.
fn flush(dir: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut ledger = Ledger::open(dir, OPTIONS, NOW)?;
    let start = Instant::now();
    for _ in 0..100 {
        ledger.block(NOW)?;
    }
    println!(
        "flush    : {:.2} ms for a block without transactions",
        start.elapsed().as_secs_f64() * 10.0
    );
    Ok(())
}
