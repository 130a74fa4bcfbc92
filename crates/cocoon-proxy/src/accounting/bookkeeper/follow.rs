//! Follows contracts and hears what they tell.

use std::{sync::Arc, time::Duration};

use cocoon_chain::{Chain, Followed, Follower, Transaction};
use cocoon_types::Address;
use tokio::sync::mpsc;

use super::{Bookkeeper, BooksError, HALTED};
use crate::accounting::{
    events,
    network::{Network, contract_state},
};

/// Hands on what happens to a contract, in order, for ever.
pub(super) async fn follow(
    chain: Arc<dyn Chain>,
    contract: Address,
    after: u64,
    poll: Duration,
    events: mpsc::Sender<(Address, Followed)>,
) {
    let mut follower = Follower::new(chain, contract, after, poll);
    loop {
        let followed = follower.next().await;
        if events.send((contract, followed)).await.is_err() {
            return;
        }
    }
}

impl Bookkeeper {
    pub(super) fn hear(&mut self, contract: Address, followed: Followed) -> Result<(), BooksError> {
        match followed {
            Followed::Transaction(transaction) => self.hear_transaction(contract, &transaction),
            Followed::State(account) => {
                let now = self.now();
                let seen = contract_state(&account)
                    .and_then(|state| self.accounts.contract_seen(contract, state, now));
                if let Some(record) = seen {
                    self.apply(record)?;
                }
                self.forget_closed();
                Ok(())
            }
        }
    }

    fn hear_transaction(&mut self, contract: Address, transaction: &Transaction) -> Result<(), BooksError> {
        self.chain_time = self.chain_time.max(transaction.time);
        let now = self.now();
        let Some(network) = self.network_of(&contract) else {
            return Ok(());
        };
        let wallet = self.wallet.address();
        let heard = events::hear(&self.accounts, &network, &wallet, transaction, now);
        if let Some(refused) = heard.told.refused {
            tracing::warn!(%contract, %refused, "what the chain shows is not taken over");
        }
        for record in heard.told.records {
            self.apply(record)?;
        }
        if self.accounts.halted().is_some() && *self.ready.borrow() {
            tracing::error!("{HALTED}");
        }
        if let Some((owner, nonce)) = heard.registered {
            self.registered(owner, nonce, true);
        }
        self.tell_ready();
        // A commit that was seen may make a charge due, and a charge a payout.
        self.tick()
    }

    /// Contracts that are closed need no following any more.
    fn forget_closed(&mut self) {
        let known: Vec<_> = self
            .accounts
            .old_contracts()
            .map(|(terms, _)| terms.contract)
            .collect();
        let current = self.accounts.terms().map(|terms| terms.contract);
        self.followed.retain(|contract, task| {
            let stays = current == Some(*contract) || known.contains(contract);
            if !stays {
                task.abort();
            }
            stays
        });
    }

    /// Reads the old contracts whose addresses cannot be derived from the registry any more.
    pub(super) async fn read_old(&mut self) {
        let key = self.network.borrow().own.key;
        let old: Vec<_> = self
            .accounts
            .old_contracts()
            .map(|(terms, _)| terms.contract)
            .collect();
        for contract in old {
            if self.old.contains_key(&contract) {
                continue;
            }
            match Network::old(&*self.chain, contract, key).await {
                Ok(Some(network)) => {
                    self.old.insert(contract, Arc::new(network));
                }
                Ok(None) => tracing::error!(%contract, "an old contract is not there"),
                Err(error) => tracing::error!(%contract, %error, "an old contract cannot be read"),
            }
        }
    }
}
