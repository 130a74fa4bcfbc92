use std::{sync::Arc, time::Duration};

use cocoon_contracts::{
    SigningKey, StateInit,
    wallet::{Network, Outgoing, Wallet, mode},
};
use cocoon_types::{Address, Nanoton};
use futures_util::future::join_all;

use super::{SendError, WalletSender, WalletSenderOptions};
use crate::{
    chain::{At, Chain, ChainError, Status},
    ledger::Faults,
    testing::{Network as TestNetwork, TON},
};

fn wallet(number: u8) -> Wallet {
    Wallet::new(SigningKey::from_seed([number; 32]).unwrap(), Network::Main)
}

fn to(number: u8, nano: u64) -> Outgoing {
    Outgoing {
        to: Address::new([number; 32]),
        value: Nanoton::new(nano),
        bounce: false,
        state_init: None,
        body: None,
        mode: mode::PAY_FEE,
        comment: Some(format!("number {number}")),
    }
}

async fn funded(network: &TestNetwork, nano: u64) -> WalletSender {
    let wallet = wallet(1);
    network
        .chain
        .faucet(wallet.address(), Nanoton::new(nano))
        .await
        .unwrap();
    network.chain.block().await.unwrap();
    let chain: Arc<dyn Chain> = Arc::new(network.chain.clone());
    WalletSender::start(chain, wallet, WalletSenderOptions::default())
}

async fn received(network: &TestNetwork, number: u8) -> Vec<u64> {
    let address = Address::new([number; 32]);
    let account = network.chain.account(address, At::Latest).await.unwrap();
    let Some(last) = account.last else {
        return Vec::new();
    };
    let log = network.chain.transactions(address, last, 0, 100).await.unwrap();
    log.iter()
        .map(|one| one.inbound.as_ref().unwrap().value.nano())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_new_wallet_sends_is_deployed_and_the_message_is_named() {
    let network = TestNetwork::start();
    let sender = funded(&network, 2 * TON).await;
    let sent = sender.send(to(9, TON)).await.unwrap();
    assert_eq!(sent.value, Nanoton::new(TON));
    let account = network.chain.account(sender.address(), At::Latest).await.unwrap();
    assert_eq!(account.status, Status::Active);
    assert_eq!(account.last, Some(sent.transaction));
    assert_eq!(received(&network, 9).await, [TON]);
}

#[tokio::test(start_paused = true)]
async fn messages_that_wait_travel_together_and_in_order() {
    let network = TestNetwork::start();
    let sender = funded(&network, 100 * TON).await;
    let sendings: Vec<_> = (10..30)
        .map(|number| sender.enqueue(to(number, TON)).unwrap())
        .collect();
    let sent: Vec<_> = join_all(sendings).await.into_iter().map(Result::unwrap).collect();
    assert!(
        sent.windows(2)
            .all(|pair| pair[0].created_lt < pair[1].created_lt)
    );
    let mut externals: Vec<_> = sent.iter().map(|sent| sent.transaction.lt).collect();
    externals.dedup();
    assert!(
        externals.len() <= 4,
        "20 messages in {} externals",
        externals.len()
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_wallet_cannot_pay_for_is_refused_at_once_and_the_rest_goes_on() {
    let network = TestNetwork::start();
    let sender = funded(&network, 3 * TON).await;
    let small = sender.enqueue(to(8, TON)).unwrap();
    let large = sender.enqueue(to(9, 50 * TON)).unwrap();
    let last = sender.enqueue(to(10, TON)).unwrap();
    small.await.unwrap();
    let error = large.await.unwrap_err();
    assert!(
        matches!(error, SendError::Poor { available, .. } if available < Nanoton::new(2 * TON)),
        "{error:?}"
    );
    last.await.unwrap();
    // Exactly what is there is too much: the fees are missing.
    let left = network
        .chain
        .account(sender.address(), At::Latest)
        .await
        .unwrap()
        .balance;
    assert!(matches!(
        sender.send(to(11, left.nano())).await,
        Err(SendError::Poor { .. })
    ));
    // All that is there can go, alone.
    let all = Outgoing {
        mode: mode::ALL,
        ..to(12, 0)
    };
    sender.send(all).await.unwrap();
    assert_eq!(
        network
            .chain
            .account(sender.address(), At::Latest)
            .await
            .unwrap()
            .balance,
        Nanoton::ZERO
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_that_the_wallet_leaves_out_is_not_called_sent() {
    let network = TestNetwork::start();
    let sender = funded(&network, 10 * TON).await;
    // A mode that does not exist.
    let odd = Outgoing {
        mode: 4,
        ..to(9, TON)
    };
    let (before, odd, after) = (
        sender.enqueue(to(8, TON)).unwrap(),
        sender.enqueue(odd).unwrap(),
        sender.enqueue(to(10, TON)).unwrap(),
    );
    before.await.unwrap();
    let odd = odd.await;
    after.await.unwrap();
    assert!(matches!(odd, Err(SendError::LeftOut { .. })), "{odd:?}");
    assert_eq!(received(&network, 9).await, [0; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_contract_is_deployed_through_it() {
    let network = TestNetwork::start();
    let sender = funded(&network, 10 * TON).await;
    let other = wallet(2);
    let StateInit { code, data } = other.state_init().clone();
    let deploy = Outgoing {
        to: other.address(),
        state_init: Some(StateInit { code, data }),
        comment: None,
        ..to(0, TON)
    };
    sender.send(deploy).await.unwrap();
    let account = network.chain.account(other.address(), At::Latest).await.unwrap();
    assert_eq!(account.status, Status::Active);
}

/// Twenty messages to twenty addresses under each fault: every one arrives, none arrives twice.
#[tokio::test(start_paused = true)]
async fn nothing_is_lost_and_nothing_is_sent_twice() {
    let none = Faults::default();
    let faults = [
        none,
        Faults { drop_next: 6, ..none },
        Faults {
            drop_every: 2,
            ..none
        },
        Faults {
            delay_blocks: 7,
            ..none
        },
        // Later than any external is valid.
        Faults {
            delay_blocks: 200,
            ..none
        },
        Faults {
            delay_blocks: 130,
            drop_every: 3,
            reorder: true,
            ..none
        },
        Faults {
            reorder: true,
            ..none
        },
    ];
    for faults in faults {
        let network = TestNetwork::start();
        let sender = funded(&network, 100 * TON).await;
        network.chain.set_faults(faults).await.unwrap();
        let sendings = (10..30).map(|number| sender.enqueue(to(number, TON)).unwrap());
        let sending = join_all(sendings.collect::<Vec<_>>());
        let mut healing = tokio::task::JoinSet::new();
        let chain = network.chain.clone();
        healing.spawn(async move {
            // A delay beyond the validity never ends by itself.
            tokio::time::sleep(Duration::from_secs(450)).await;
            chain.set_faults(Faults::default()).await.unwrap();
        });
        for sent in sending.await {
            sent.unwrap_or_else(|error| panic!("{faults:?}: {error:?}"));
        }
        // Whatever is still on its way comes now.
        network.chain.set_faults(Faults::default()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(220)).await;
        for number in 10..30 {
            assert_eq!(received(&network, number).await, [TON], "{faults:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_chain_that_stalls_or_goes_away_delays_and_nothing_more() {
    for faults in [
        Faults {
            stall: true,
            ..Faults::default()
        },
        Faults {
            unreachable: true,
            ..Faults::default()
        },
    ] {
        let network = TestNetwork::start();
        let sender = funded(&network, 100 * TON).await;
        sender.send(to(5, TON)).await.unwrap();
        network.chain.set_faults(faults).await.unwrap();
        let sending = sender.enqueue(to(6, TON)).unwrap();
        let healing = async {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            assert_eq!(received_by_ledger(&network, 6).await, 0);
            network.chain.set_faults(Faults::default()).await.unwrap();
        };
        let (sent, ()) = tokio::join!(sending, healing);
        sent.unwrap();
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert_eq!(received(&network, 6).await, [TON]);
    }
}

/// Past the fault, at the ledger itself.
async fn received_by_ledger(network: &TestNetwork, number: u8) -> u64 {
    let address = Address::new([number; 32]);
    let account = network
        .chain
        .with(move |ledger, _| ledger.account(address, At::Latest).unwrap())
        .await;
    account.balance.nano()
}

/// A second program with the same wallet takes seqnos away; both still send everything once.
#[tokio::test(start_paused = true)]
async fn two_senders_of_one_wallet_do_not_harm_each_other() {
    let network = TestNetwork::start();
    let first = funded(&network, 100 * TON).await;
    let chain: Arc<dyn Chain> = Arc::new(network.chain.clone());
    let second = WalletSender::start(chain, wallet(1), WalletSenderOptions::default());
    let sendings = (10..40).map(|number| {
        let sender = if number % 2 == 0 { &first } else { &second };
        sender.enqueue(to(number, TON)).unwrap()
    });
    for sent in join_all(sendings.collect::<Vec<_>>()).await {
        sent.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(300)).await;
    for number in 10..40 {
        assert_eq!(received(&network, number).await, [TON]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_bounded_and_ends_are_told() {
    let network = TestNetwork::start();
    let sender = funded(&network, TON).await;
    let faults = Faults {
        unreachable: true,
        ..Faults::default()
    };
    network.chain.set_faults(faults).await.unwrap();
    let mut sendings = Vec::new();
    let full = loop {
        match sender.enqueue(to(9, 1)) {
            Ok(sending) => sendings.push(sending),
            Err(error) => break error,
        }
    };
    assert_eq!(full, SendError::Full);
    assert!(sendings.len() <= 256 + 16);
    drop(sender);
    for sent in join_all(sendings).await {
        assert_eq!(sent, Err(SendError::Stopped));
    }
    let long = Outgoing {
        comment: Some("x".repeat(200)),
        ..to(9, 1)
    };
    let sender = funded(&TestNetwork::start(), TON).await;
    assert!(matches!(sender.enqueue(long), Err(SendError::Message(_))));
}

#[tokio::test(start_paused = true)]
async fn a_wallet_that_refuses_is_an_error_and_not_a_loop() {
    let network = TestNetwork::start();
    // An account at the wallet's address that is no wallet cannot be; one that cannot pay the import can.
    let wallet = wallet(1);
    network
        .chain
        .faucet(wallet.address(), Nanoton::new(TON))
        .await
        .unwrap();
    network.chain.block().await.unwrap();
    let chain: Arc<dyn Chain> = Arc::new(Refuser(network.chain.clone()));
    let sender = WalletSender::start(chain, wallet, WalletSenderOptions::default());
    let refused = sender.send(to(9, 1)).await;
    assert!(
        matches!(refused, Err(SendError::Refused(ChainError::Refused { .. }))),
        "{refused:?}"
    );
}

/// A chain that takes no externals.
#[derive(Debug)]
struct Refuser(crate::LedgerChain);

impl Chain for Refuser {
    fn head(&self) -> futures_util::future::BoxFuture<'_, Result<crate::Head, ChainError>> {
        self.0.head()
    }

    fn block_at(&self, seqno: u32) -> futures_util::future::BoxFuture<'_, Result<crate::Head, ChainError>> {
        self.0.block_at(seqno)
    }

    fn account(
        &self,
        address: Address,
        at: At,
    ) -> futures_util::future::BoxFuture<'_, Result<crate::Account, ChainError>> {
        self.0.account(address, at)
    }

    fn transactions(
        &self,
        address: Address,
        newest: crate::TxId,
        until_lt: u64,
        limit: usize,
    ) -> futures_util::future::BoxFuture<'_, Result<Vec<crate::Transaction>, ChainError>> {
        self.0.transactions(address, newest, until_lt, limit)
    }

    fn send<'a>(
        &'a self,
        _: &'a cocoon_contracts::Cell,
    ) -> futures_util::future::BoxFuture<'a, Result<(), ChainError>> {
        Box::pin(async {
            Err(ChainError::Refused {
                exit_code: Some(133),
                reason: "no".into(),
            })
        })
    }
}

#[test]
fn carriage_is_estimated_from_above() {
    // What the ledger's chain takes for it, measured: see `no_coin_appears_or_disappears`.
    let deploy = Outgoing {
        state_init: Some(wallet(3).state_init().clone()),
        ..to(9, TON)
    };
    let plain = super::batch::needed(&to(9, TON), Nanoton::ZERO);
    let with_code = super::batch::needed(&deploy, Nanoton::ZERO);
    assert!(plain < with_code);
    assert!(with_code < Nanoton::new(TON + TON / 10));
    assert_eq!(
        super::batch::needed(&to(9, u64::MAX), Nanoton::ZERO),
        Nanoton::new(u64::MAX)
    );
}
