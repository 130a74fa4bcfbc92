//! What effects become: messages of the wallet.

use std::sync::Arc;

use cocoon_accounting::{Effect, Kind, Party, Settlement};
use cocoon_chain::{At, Chain, SendError, Status, WalletSender};
use cocoon_contracts::{
    proxy::{self, Commit},
    signed,
    wallet::{Outgoing, mode},
};
use cocoon_types::{Address, Nanoton};

use super::{
    network::Network,
    statement::{Signer, query_id},
};

/// Coins that travel with a settlement; what is not used comes back. Above what the original's contracts demand
/// (spec/ton.md 2.7), five times what ours do.
const SETTLE_VALUE: Nanoton = Nanoton::new(150_000_000);
/// A commit is a log entry of the original's form (spec/ton.md 4.3).
const COMMIT_VALUE: Nanoton = Nanoton::new(1);

/// A message and what it is for.
#[derive(Debug)]
pub(super) struct Letter {
    outgoing: Outgoing,
    pub(super) settlement: Option<Settlement>,
    /// The worker's contract, if it may have to be deployed first: its owner shall be paid without doing anything.
    deploys: Option<cocoon_contracts::StateInit>,
}

impl Letter {
    /// Signs what an effect asks for.
    pub(super) fn new(effect: &Effect, network: &Network, signer: &Signer, excesses: Address) -> Self {
        match *effect {
            Effect::Commit {
                contract,
                seqno,
                session,
            } => {
                let commit = proxy::Message::Commit {
                    query_id: query_id(),
                    commit: Commit { seqno, session },
                };
                let outgoing = outgoing(contract, COMMIT_VALUE, commit.to_cell(), mode::PAY_FEE);
                Self {
                    outgoing,
                    settlement: None,
                    deploys: None,
                }
            }
            Effect::Settle(settlement) => Self::settle(settlement, network, signer, excesses),
        }
    }

    fn settle(settlement: Settlement, network: &Network, signer: &Signer, excesses: Address) -> Self {
        let Settlement {
            contract,
            party,
            kind,
            tokens,
            generation,
        } = settlement;
        let (to, deploys) = match party {
            Party::Client { owner } => (network.client(&owner), None),
            Party::Worker { owner } => (network.worker(&owner), Some(network.own.worker(&owner))),
            Party::Proxy => (contract, None),
        };
        let sign = |kind| signer.sign(kind, tokens, to).to_cell();
        let body = match kind {
            Kind::Charge => sign(signed::Kind::Charge),
            Kind::GrantRefund => sign(grant(generation)),
            Kind::Payout => sign(signed::Kind::Payout),
            Kind::LastPayout => sign(signed::Kind::LastPayout),
            Kind::CloseRequest => sign(signed::Kind::CloseRequest),
            Kind::CloseComplete => sign(signed::Kind::CloseComplete),
            Kind::Withdraw => proxy::Message::Payout {
                query_id: query_id(),
                excesses,
            }
            .to_cell(),
        };
        Self {
            outgoing: outgoing(to, SETTLE_VALUE, body, mode::ORDINARY),
            settlement: Some(settlement),
            deploys,
        }
    }

    /// Sends it. Being sent is not being done: that shows in the target's state.
    pub(super) async fn send(mut self, chain: Arc<dyn Chain>, wallet: WalletSender) -> Result<(), SendError> {
        if let Some(state_init) = self.deploys.take() {
            let account = chain.account(self.outgoing.to, At::Latest).await;
            let is_missing = account.is_ok_and(|account| account.status != Status::Active);
            self.outgoing.state_init = is_missing.then_some(state_init);
        }
        wallet.send(self.outgoing).await.map(|_| ())
    }
}

/// A refund for an account's first life, or for the one after so many reopenings (contracts/README.md).
pub(super) fn grant(generation: u32) -> signed::Kind {
    match generation {
        0 => signed::Kind::GrantRefund,
        generation => signed::Kind::GrantRefundOf { generation },
    }
}

fn outgoing(to: Address, value: Nanoton, body: cocoon_contracts::Cell, mode: u8) -> Outgoing {
    Outgoing {
        to,
        value,
        bounce: true,
        state_init: None,
        body: Some(body),
        mode,
        comment: None,
    }
}
