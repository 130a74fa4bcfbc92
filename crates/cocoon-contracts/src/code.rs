//! Programs that are built in: those of the four contracts, compiled from `contracts/src`.
//!
//! Nodes take codes from the root contract of their network, never from here; here is what a new network is deployed with.

use std::sync::LazyLock;

use crate::{Cell, Codes, boc};

static ROOT: LazyLock<Cell> = LazyLock::new(|| embedded(include_bytes!("../../../contracts/build/root.boc")));
static PROXY: LazyLock<Cell> =
    LazyLock::new(|| embedded(include_bytes!("../../../contracts/build/proxy.boc")));
static WORKER: LazyLock<Cell> =
    LazyLock::new(|| embedded(include_bytes!("../../../contracts/build/worker.boc")));
static CLIENT: LazyLock<Cell> =
    LazyLock::new(|| embedded(include_bytes!("../../../contracts/build/client.boc")));

/// Of the root contract.
pub fn root() -> Cell {
    ROOT.clone()
}

/// Of proxy, worker and client contracts.
pub fn codes() -> Codes {
    Codes {
        proxy: Some(PROXY.clone()),
        worker: Some(WORKER.clone()),
        client: Some(CLIENT.clone()),
    }
}

/// Reads a program that is part of this binary.
pub(crate) fn embedded(bytes: &[u8]) -> Cell {
    match boc::decode(bytes) {
        Ok(cell) => cell,
        Err(error) => unreachable!("invariant: embedded programs are sound, which a test checks: {error}"),
    }
}
