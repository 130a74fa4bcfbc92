//! A chain for this crate's tests: in memory, a block a second, on the clock that tokio can pause.

use std::time::Duration;

use cocoon_contracts::{Params, code};
use cocoon_types::{Multipliers, Nanoton};
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

/// The parameters of a test network.
pub(crate) fn params() -> Params {
    Params {
        struct_version: 3,
        params_version: 5,
        unique_id: 17,
        is_test: true,
        price_per_token: Nanoton::new(20),
        worker_fee_per_token: Nanoton::new(19),
        multipliers: Multipliers::ONE,
        proxy_delay_before_close: 86_400,
        client_delay_before_close: 3600,
        min_proxy_stake: Nanoton::ZERO,
        min_client_stake: Nanoton::ZERO,
        codes: code::codes(),
    }
}
