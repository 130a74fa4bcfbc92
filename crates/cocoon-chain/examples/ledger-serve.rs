//! A test ledger over HTTP on a free port of loopback, until stdin ends. Prints its address.
//!
//! `cocoon ledger` is the same with options; this one builds in a fraction of the time, for `tests/ton`.
#![expect(clippy::print_stdout, reason = "the address is this program's output")]

use std::{net::Ipv4Addr, time::Duration};

use cocoon_chain::{Ledger, LedgerChain, LedgerOptions, serve};
use cocoon_web::{
    clock::unix_now,
    guard::{Guard, GuardOptions},
};
use tokio::{io::AsyncReadExt as _, net::TcpListener};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = LedgerOptions {
        is_test: true,
        instant: true,
    };
    let chain = LedgerChain::new(Ledger::in_memory(options, unix_now())?, unix_now);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let guard = Guard::new(address, GuardOptions::default())?;
    println!("http://{address}");
    let stop = CancellationToken::new();
    let ended = async {
        let mut rest = Vec::new();
        let _ = tokio::io::stdin().read_to_end(&mut rest).await;
        stop.cancel();
    };
    tokio::join!(
        chain.run(Duration::from_secs(1), stop.clone()),
        serve(chain.clone(), listener, guard, stop.clone()),
        ended
    );
    Ok(())
}
