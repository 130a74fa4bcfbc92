//! A chain for this crate's tests: in memory, a block a second, on the clock that tokio can pause.

use std::time::Duration;

use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::ledger::{Ledger, LedgerChain, LedgerOptions, tests::kit::NOW};

pub(crate) use crate::ledger::tests::kit::TON;

pub(crate) struct Network {
    pub(crate) chain: LedgerChain,
    _blocks: JoinSet<()>,
}

impl Network {
    pub(crate) fn start() -> Self {
        let options = LedgerOptions {
            is_test: true,
            instant: false,
        };
        let ledger = Ledger::in_memory(options, NOW).unwrap();
        let start = Instant::now();
        let chain = LedgerChain::new(ledger, move || NOW + start.elapsed().as_secs());
        let mut blocks = JoinSet::new();
        let running = chain.clone();
        blocks.spawn(async move {
            running
                .run(Duration::from_secs(1), CancellationToken::new())
                .await;
        });
        Self {
            chain,
            _blocks: blocks,
        }
    }
}
