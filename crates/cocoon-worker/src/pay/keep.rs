//! Takes the worker's pay when it is due, or when a person asks. One message to the contract at a time.

use std::{sync::Arc, time::Duration};

use cocoon_accounting::{Status, WorkerState};
use cocoon_chain::{At, ChainError, Purse, SendError, Status as AccountStatus};
use cocoon_contracts::{
    wallet::{Outgoing, mode},
    worker,
};
use cocoon_types::Nanoton;
use cocoon_web::clock::unix_now;
use tokio::time::{sleep, timeout};

use super::Pay;
use crate::shop::Shop;

/// Between two looks at the contract while nothing happens.
const CALM: Duration = Duration::from_secs(15);
/// Two looks are never closer.
const SOON: Duration = Duration::from_secs(1);
/// What deploys the contract: its float, of which the rest comes back at the end (docs/contracts.md).
const DEPLOY: Nanoton = Nanoton::new(20_000_000);
/// What carries a payout; nearly all of it comes back (docs/contracts.md).
const CARRIAGE: Nanoton = Nanoton::new(40_000_000);

#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error("the chain does not answer: {0}")]
    Chain(#[from] ChainError),
    #[error("the wallet cannot send: {0}")]
    Send(#[from] SendError),
    #[error("the account's data does not parse: {0}")]
    Data(#[from] cocoon_contracts::CellError),
}

/// Looks at all accounts and acts, one after the other: they share one wallet.
pub(crate) async fn keep(shop: Arc<Shop>, purse: Arc<Purse>) {
    loop {
        for (_, pay) in shop.pays() {
            if let Err(error) = pay.step(&purse).await {
                let trouble = error.to_string();
                let mut state = pay.lock();
                // The same trouble every few seconds is said once.
                if state.trouble.as_ref() != Some(&trouble) {
                    tracing::warn!(contract = %pay.contract, trouble, "the pay cannot be taken");
                    state.trouble = Some(trouble);
                }
            }
        }
        sleep(SOON).await;
        let _ = timeout(CALM, shop.payday.notified()).await;
    }
}

impl Pay {
    async fn step(&self, purse: &Purse) -> Result<(), KeepError> {
        let is_deployed = self.read(purse).await?;
        let payment = {
            let mut state = self.lock();
            state.trouble = None;
            let paid = state.view.contract().tokens;
            let due = if std::mem::take(&mut state.wish) {
                Some(state.view.levels().chain).filter(|signed| *signed > paid)
            } else {
                state.view.due(&self.policy, state.running == 0, unix_now())
            };
            due.and_then(|tokens| state.payment.clone().filter(|payment| payment.tokens == tokens))
        };
        let Some(payment) = payment else {
            return Ok(());
        };
        tracing::info!(contract = %self.contract, tokens = payment.tokens, "taking the pay");
        let mut messages = Vec::new();
        if !is_deployed {
            messages.push(Outgoing {
                to: self.contract,
                value: DEPLOY,
                bounce: false,
                state_init: Some(self.init.clone()),
                body: None,
                mode: mode::PAY_FEE,
                comment: None,
            });
        }
        messages.push(Outgoing {
            to: self.contract,
            value: CARRIAGE,
            bounce: true,
            state_init: None,
            body: Some(payment.repack(purse.address())),
            mode: mode::PAY_FEE,
            comment: None,
        });
        purse.send(messages).await?;
        self.read(purse).await?;
        Ok(())
    }

    /// Reads the contract; whether there is one.
    async fn read(&self, purse: &Purse) -> Result<bool, KeepError> {
        let account = purse.chain().account(self.contract, At::Latest).await?;
        let Some(data) = account.data.filter(|_| account.status == AccountStatus::Active) else {
            return Ok(false);
        };
        let storage = worker::Storage::parse(&data)?;
        self.lock().view.contract_read(WorkerState {
            status: match storage.state {
                worker::State::Open => Status::Open,
                worker::State::Closed => Status::Closed,
            },
            tokens: storage.tokens,
        });
        Ok(true)
    }
}
