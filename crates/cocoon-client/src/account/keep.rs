//! Keeps an account filled, and does what a person asked of it. One message to the contract at a time.

use std::{sync::Arc, time::Duration};

use cocoon_accounting::{ClientAction, ClientState, Status};
use cocoon_chain::{At, ChainError, Purse, SendError, Status as AccountStatus};
use cocoon_contracts::{
    client::{self, Action, Message},
    wallet::{Outgoing, mode},
};
use cocoon_types::{Address, Nanoton, error_line};
use cocoon_web::clock::unix_now;
use tokio::time::{sleep, timeout};

use super::Account;

/// Between two looks at the contract while nothing happens.
const CALM: Duration = Duration::from_secs(10);
/// Between two looks after something happened; a busy gateway is told of every request.
const SOON: Duration = Duration::from_secs(1);
/// For a contract to come to be after its deployment, and for the proxy to see what we did.
const DEPLOYED: Duration = Duration::from_secs(120);
/// What carries a message beside its coins, and builds the contract's float; most of it comes back (docs/contracts.md).
const CARRIAGE: Nanoton = Nanoton::new(40_000_000);

/// A refund that settles something sends two messages of value (docs/contracts.md).
const REFUND_CARRIAGE: Nanoton = Nanoton::new(60_000_000);
/// How long the proxy's word for a refund is waited for.
const PROXY_PATIENCE: Duration = Duration::from_secs(30);

/// The account could not be made ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    #[error("the chain does not answer")]
    Chain(#[from] ChainError),
    #[error("the wallet cannot send")]
    Send(#[from] SendError),
    #[error("the account's data does not parse: {0}")]
    Data(#[from] cocoon_contracts::CellError),
    #[error("the contract has not come to be within {DEPLOYED:?}")]
    Late,
    #[error("the account is closing; it can be opened again when it is closed")]
    Closing,
    #[error("the sum overflows")]
    Overflow,
}

/// Looks at the account and acts, for as long as it is wanted.
pub(crate) async fn keep(account: Arc<Account>, purse: Arc<Purse>) {
    loop {
        let pause = match account.step(&purse).await {
            Ok(true) => SOON,
            Ok(false) => CALM,
            Err(error) => {
                let trouble = error_line(&error);
                let mut state = account.lock();
                // The same trouble every few seconds is said once.
                if state.trouble.as_ref() != Some(&trouble) {
                    tracing::warn!(contract = %account.contract, trouble, "the account cannot be kept");
                    state.trouble = Some(trouble);
                }
                CALM
            }
        };
        // Told or not: two looks are never closer than that.
        sleep(SOON).await;
        let _ = timeout(pause, account.nudge.notified()).await;
    }
}

impl Account {
    /// Reads the contract, and sends what is due. Whether there was anything.
    async fn step(&self, purse: &Purse) -> Result<bool, KeepError> {
        if self.read(purse).await?.is_none() {
            return Ok(false);
        }
        let (refund, action) = {
            let mut state = self.lock();
            state.trouble = None;
            state.requests.forget_old();
            let status = state.view.contract().map(|(contract, _)| contract.status);
            if status == Some(Status::Closed) {
                state.closing = None;
            }
            let wish = state.wish.take().map(ClientAction::TopUp);
            let due = wish.or_else(|| state.view.due(&self.policy, unix_now()));
            // While the proxy answers, its word closes the account at once; the contract's own way takes its delay.
            let waits = status == Some(Status::Open)
                && state
                    .closing
                    .is_some_and(|since| since.elapsed() < PROXY_PATIENCE);
            let due = due.filter(|action| !(waits && *action == ClientAction::RequestRefund));
            (state.refund.take(), due)
        };
        if let Some(refund) = refund {
            tracing::info!(contract = %self.contract, "taking everything back");
            let outgoing = self.outgoing(refund.repack(purse.address()), REFUND_CARRIAGE);
            purse.send(vec![outgoing]).await?;
            self.read(purse).await?;
            return Ok(true);
        }
        let Some(action) = action else {
            return Ok(false);
        };
        tracing::info!(contract = %self.contract, ?action, "acting on the account");
        let outgoing = match action {
            ClientAction::TopUp(coins) if self.is_closed() => {
                self.request(purse, Action::Reopen { coins }, coins)?
            }
            ClientAction::TopUp(coins) => self.request(purse, Action::TopUp { coins }, coins)?,
            ClientAction::IncreaseStake(stake) => {
                self.request(purse, Action::IncreaseStake { stake }, Nanoton::ZERO)?
            }
            ClientAction::Withdraw => self.request(purse, Action::Withdraw, Nanoton::ZERO)?,
            ClientAction::RequestRefund => self.request(purse, Action::RequestRefund, Nanoton::ZERO)?,
            ClientAction::Charge { tokens } => {
                let payment = self.lock().payment.clone();
                match payment.filter(|payment| payment.tokens == tokens) {
                    Some(payment) => self.outgoing(payment.repack(purse.address()), CARRIAGE),
                    None => return Ok(false),
                }
            }
        };
        purse.send(vec![outgoing]).await?;
        self.read(purse).await?;
        Ok(true)
    }

    /// Makes the account one that the proxy will take: deployed, filled, with our secret. All in one message, so that a
    /// tenth of a TON is enough to begin. Whether anything had to be done.
    pub(crate) async fn prepare(&self, purse: &Purse) -> Result<bool, KeepError> {
        let found = self.read(purse).await?;
        let wanted = self.policy.top_up.unwrap_or_else(|| self.init_stake());
        let hash = self.secret.hash();
        let message = match &found {
            None => {
                let action = Action::ChangeSecretHashAndTopUp { coins: wanted, hash };
                Outgoing {
                    state_init: Some(self.init.clone()),
                    bounce: false,
                    ..self.request(purse, action, wanted)?
                }
            }
            Some(storage) => match storage.state {
                client::State::Closing => return Err(KeepError::Closing),
                client::State::Closed => self.request(purse, Action::Reopen { coins: wanted }, wanted)?,
                client::State::Open if storage.balance.nano() < wanted.nano() / 2 => {
                    let coins = wanted.saturating_sub(storage.balance);
                    self.request(purse, Action::ChangeSecretHashAndTopUp { coins, hash }, coins)?
                }
                client::State::Open if storage.secret_hash != hash => {
                    self.request(purse, Action::ChangeSecretHash { hash }, Nanoton::ZERO)?
                }
                client::State::Open => return Ok(false),
            },
        };
        tracing::info!(contract = %self.contract, deploys = found.is_none(), "making the account ready");
        purse.send(vec![message]).await?;
        timeout(DEPLOYED, async {
            loop {
                let found = self.read(purse).await?;
                // A reopened account gets its secret with the next look.
                if found.is_some_and(|storage| {
                    storage.state == client::State::Open && storage.balance > Nanoton::ZERO
                }) {
                    return Ok(true);
                }
                sleep(SOON).await;
            }
        })
        .await
        .unwrap_or(Err(KeepError::Late))
    }

    /// Announces the account with the number that its proxy gave.
    pub(crate) async fn register(&self, purse: &Purse, nonce: u64) -> Result<(), KeepError> {
        tracing::info!(contract = %self.contract, "announcing the account to its proxy");
        let message = self.request(purse, Action::Register { nonce }, Nanoton::ZERO)?;
        Ok(purse.send(vec![message]).await?)
    }

    /// Reads the contract; `None` while there is none.
    pub(crate) async fn read(&self, purse: &Purse) -> Result<Option<client::Storage>, KeepError> {
        let account = purse.chain().account(self.contract, At::Latest).await?;
        let Some(data) = account.data.filter(|_| account.status == AccountStatus::Active) else {
            return Ok(None);
        };
        let storage = client::Storage::parse(&data)?;
        let mut state = self.lock();
        state.generation = storage.own.map_or(0, |own| own.generation);
        state.view.contract_read(
            ClientState {
                status: match storage.state {
                    client::State::Open => Status::Open,
                    client::State::Closing => Status::Closing,
                    client::State::Closed => Status::Closed,
                },
                balance: storage.balance,
                stake: storage.stake,
                tokens: storage.tokens_used,
                secret_hash: storage.secret_hash,
            },
            storage.unlock_at,
        );
        drop(state);
        Ok(Some(storage))
    }

    fn is_closed(&self) -> bool {
        let contract = self.lock().view.contract();
        contract.is_some_and(|(contract, _)| contract.status == Status::Closed)
    }

    fn init_stake(&self) -> Nanoton {
        client::Storage::parse(&self.init.data).map_or(Nanoton::ZERO, |storage| storage.stake)
    }

    fn request(&self, purse: &Purse, action: Action, coins: Nanoton) -> Result<Outgoing, KeepError> {
        let message = Message::Request {
            query_id: random(),
            action,
            excesses: purse.address(),
        };
        let value = CARRIAGE.checked_add(coins).ok_or(KeepError::Overflow)?;
        Ok(self.outgoing(message.to_cell(), value))
    }

    fn outgoing(&self, body: cocoon_contracts::Cell, value: Nanoton) -> Outgoing {
        outgoing(self.contract, body, value)
    }
}

fn outgoing(to: Address, body: cocoon_contracts::Cell, value: Nanoton) -> Outgoing {
    Outgoing {
        to,
        value,
        bounce: true,
        state_init: None,
        body: Some(body),
        mode: mode::PAY_FEE,
        comment: None,
    }
}

/// Names a message so that its transaction can be found; nothing depends on it.
fn random() -> u64 {
    fastrand::u64(..)
}
