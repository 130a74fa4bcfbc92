use std::{sync::Arc, time::Duration};

use cocoon_types::{Address, Nanoton};
use tokio::time::timeout;

use super::{Followed, Follower};
use crate::{
    chain::{Account, At, Chain},
    ledger::Faults,
    testing::Network,
};

const IT: Address = Address::new([9; 32]);
const POLL: Duration = Duration::from_secs(2);

fn follow(network: &Network, after: u64) -> Follower {
    Follower::new(Arc::new(network.chain.clone()), IT, after, POLL)
}

async fn give(network: &Network, amount: u64) {
    network.chain.faucet(IT, Nanoton::new(amount)).await.unwrap();
    network.chain.block().await.unwrap();
}

/// The amounts that arrive until the state does, and the state.
async fn until_state(follower: &mut Follower) -> (Vec<u64>, Account) {
    let mut amounts = Vec::new();
    loop {
        match follower.next().await {
            Followed::Transaction(one) => amounts.push(one.inbound.unwrap().value.nano()),
            Followed::State(state) => return (amounts, state),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn everything_is_delivered_once_oldest_first_and_then_the_state() {
    let network = Network::start();
    let mut follower = follow(&network, 0);
    let (none, state) = until_state(&mut follower).await;
    assert_eq!(
        (none.len(), state.last),
        (0, None),
        "the state comes at once, also of nothing"
    );
    for amount in 1..=200 {
        give(&network, amount).await;
    }
    let (amounts, state) = until_state(&mut follower).await;
    assert_eq!(amounts, (1..=200).collect::<Vec<_>>());
    assert_eq!(state.last.unwrap().lt, follower.delivered());
    assert!(
        timeout(Duration::from_secs(60), follower.next()).await.is_err(),
        "and then nothing"
    );
    give(&network, 7).await;
    assert_eq!(until_state(&mut follower).await.0, [7]);
}

#[tokio::test(start_paused = true)]
async fn a_follower_goes_on_where_the_last_one_stopped() {
    let network = Network::start();
    for amount in 1..=10 {
        give(&network, amount).await;
    }
    let mut first = follow(&network, 0);
    for expected in 1..=4 {
        let Followed::Transaction(one) = first.next().await else {
            panic!("a state before its transactions");
        };
        assert_eq!(one.inbound.unwrap().value.nano(), expected);
    }
    let mut second = follow(&network, first.delivered());
    assert_eq!(until_state(&mut second).await.0, (5..=10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_gap_beyond_what_memory_holds_is_crossed() {
    let network = Network::start();
    let count = super::MAX_READY as u64 * 2 + 100;
    for amount in 1..=count {
        network.chain.faucet(IT, Nanoton::new(amount)).await.unwrap();
        if amount % 1000 == 0 || amount == count {
            network.chain.block().await.unwrap();
        }
    }
    let mut follower = follow(&network, 0);
    let (amounts, _) = until_state(&mut follower).await;
    assert_eq!(amounts, (1..=count).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn failures_and_stalls_are_waited_out() {
    let network = Network::start();
    give(&network, 1).await;
    let mut follower = follow(&network, 0);
    assert_eq!(until_state(&mut follower).await.0, [1]);
    give(&network, 2).await;
    let away = Faults {
        unreachable: true,
        ..Faults::default()
    };
    network.chain.set_faults(away).await.unwrap();
    assert!(timeout(Duration::from_secs(600), follower.next()).await.is_err());
    assert!(follower.silence() > Duration::from_secs(500));
    let stalled = Faults {
        stall: true,
        ..Faults::default()
    };
    network.chain.set_faults(stalled).await.unwrap();
    assert_eq!(until_state(&mut follower).await.0, [2]);
    assert!(follower.silence() < Duration::from_secs(30));
    network.chain.faucet(IT, Nanoton::new(3)).await.unwrap();
    assert!(timeout(Duration::from_secs(600), follower.next()).await.is_err());
    network.chain.set_faults(Faults::default()).await.unwrap();
    assert_eq!(until_state(&mut follower).await.0, [3]);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_wait_loses_nothing() {
    let network = Network::start();
    let mut follower = follow(&network, 0);
    let mut seen = Vec::new();
    for amount in 1..=30 {
        give(&network, amount).await;
        // Cut at any point.
        let patience = Duration::from_millis(fastrand::u64(0..5000));
        while let Ok(event) = timeout(patience, follower.next()).await {
            if let Followed::Transaction(one) = event {
                seen.push(one.inbound.unwrap().value.nano());
            }
        }
    }
    while let Ok(event) = timeout(Duration::from_secs(60), follower.next()).await {
        if let Followed::Transaction(one) = event {
            seen.push(one.inbound.unwrap().value.nano());
        }
    }
    assert_eq!(seen, (1..=30).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_chain_that_is_behind_delivers_nothing_twice() {
    let network = Network::start();
    give(&network, 1).await;
    let last = network.chain.account(IT, At::Latest).await.unwrap().last.unwrap();
    let mut follower = follow(&network, last.lt + 5_000_000_000);
    assert!(timeout(Duration::from_secs(600), follower.next()).await.is_err());
}
