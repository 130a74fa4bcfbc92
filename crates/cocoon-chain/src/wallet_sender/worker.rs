//! The task behind a sender.

use std::{collections::VecDeque, sync::Arc};

use cocoon_contracts::wallet::{Storage, Wallet};
use tokio::{sync::mpsc, time::sleep};

use super::{
    Item, SendError, WalletSenderOptions, batch,
    flight::{Flight, outcomes},
};
use crate::{
    backoff::Backoff,
    chain::{Account, At, Chain, ChainError, Head, Status, Transaction},
};

/// Bounds of an external's validity, in seconds.
const VALID: std::ops::RangeInclusive<u64> = 60..=120;
/// Messages that are taken out of the queue at once.
const MAX_WAITING: usize = 16;

pub(super) struct Worker {
    chain: Arc<dyn Chain>,
    wallet: Wallet,
    options: WalletSenderOptions,
}

/// The wallet as the chain shows it, no older than `head`.
struct View {
    head: Head,
    account: Account,
    seqno: u32,
}

/// Where an external stands.
enum Fate {
    Waiting,
    /// It will never be executed.
    Dead,
    Done(Box<Transaction>),
}

impl Worker {
    pub(super) fn new(chain: Arc<dyn Chain>, wallet: Wallet, options: WalletSenderOptions) -> Self {
        Self {
            chain,
            wallet,
            options,
        }
    }

    pub(super) async fn run(self, mut items: mpsc::Receiver<Item>) {
        let mut waiting = VecDeque::new();
        loop {
            if waiting.is_empty() {
                match items.recv().await {
                    Some(item) => waiting.push_back(item),
                    None => return,
                }
            }
            while waiting.len() < MAX_WAITING
                && let Ok(item) = items.try_recv()
            {
                waiting.push_back(item);
            }
            let view = self.look().await;
            let batch = match self.next_batch(&mut waiting, &view) {
                Ok(batch) => batch,
                Err(error) => {
                    let first = waiting.pop_front();
                    answer(first.into_iter().collect(), |_| Err(error.clone()));
                    continue;
                }
            };
            match self.deliver(&batch, view).await {
                Ok(transaction) => {
                    let mut outcomes = outcomes(&batch, &transaction).into_iter();
                    answer(batch, |_| outcomes.next().unwrap_or(Err(SendError::Stopped)));
                }
                Err(error) => answer(batch, |_| Err(error.clone())),
            }
        }
    }

    fn next_batch(&self, waiting: &mut VecDeque<Item>, view: &View) -> Result<Vec<Item>, SendError> {
        if view.account.status == Status::Frozen {
            return Err(SendError::Account("it is frozen"));
        }
        let available = view.account.balance;
        let batch = batch::take(waiting, available, self.options.keep);
        match waiting.front() {
            Some(first) if batch.is_empty() => Err(SendError::Poor {
                needed: batch::needed(&first.outgoing, self.options.keep),
                available,
            }),
            _ => Ok(batch),
        }
    }

    /// Sends a batch until a transaction of the wallet shows it.
    async fn deliver(&self, batch: &[Item], mut view: View) -> Result<Transaction, SendError> {
        loop {
            let mut flight = self.build(batch, &view)?;
            loop {
                let handed = flight.hand_over(&*self.chain, self.options.resend).await;
                view = self.look().await;
                match self.fate(&flight, &view).await {
                    Fate::Done(transaction) => return Ok(*transaction),
                    Fate::Dead => break,
                    Fate::Waiting => handed.map_err(SendError::Refused)?,
                }
                sleep(self.options.poll).await;
            }
            tracing::info!(
                seqno = flight.seqno,
                "an external message has expired and is built anew"
            );
        }
    }

    fn build(&self, batch: &[Item], view: &View) -> Result<Flight, SendError> {
        let valid = self.options.valid.as_secs().clamp(*VALID.start(), *VALID.end());
        let valid_until = u32::try_from(view.head.time.saturating_add(valid)).unwrap_or(u32::MAX);
        let after_lt = view.account.last.map_or(0, |last| last.lt);
        Flight::new(&self.wallet, view.seqno, valid_until, after_lt, batch)
    }

    /// Every answer rests on what the chain shows, none on the time that passed here.
    async fn fate(&self, flight: &Flight, view: &View) -> Fate {
        if view.seqno == flight.seqno {
            return match view.head.time > u64::from(flight.valid_until) {
                true => Fate::Dead,
                false => Fate::Waiting,
            };
        }
        let mut backoff = Backoff::new(self.options.poll);
        loop {
            match self.find(flight, &view.account).await {
                Ok(Some(transaction)) => return Fate::Done(Box::new(transaction)),
                // Somebody else used the number.
                Ok(None) => return Fate::Dead,
                Err(error) => {
                    tracing::warn!(%error, "the wallet's transactions cannot be read");
                    backoff.wait().await;
                }
            }
        }
    }

    /// Looks through every transaction since the external was built.
    async fn find(&self, flight: &Flight, account: &Account) -> Result<Option<Transaction>, ChainError> {
        let mut next = account.last.filter(|last| last.lt > flight.after_lt);
        while let Some(newest) = next {
            let page = self
                .chain
                .transactions(self.wallet.address(), newest, flight.after_lt, PAGE)
                .await?;
            next = match page.last() {
                Some(last) => last.prev.filter(|prev| prev.lt > flight.after_lt),
                None => return Err(ChainError::Invalid("an empty page of transactions".into())),
            };
            if let Some(mine) = page.into_iter().find(|transaction| flight.is_mine(transaction)) {
                return Ok(Some(mine));
            }
        }
        Ok(None)
    }

    /// Looks at the wallet until the chain answers in a way that makes sense.
    async fn look(&self) -> View {
        let mut backoff = Backoff::new(self.options.poll);
        loop {
            match self.view().await {
                Ok(view) => return view,
                Err(error) => tracing::warn!(%error, "the wallet cannot be read"),
            }
            backoff.wait().await;
        }
    }

    async fn view(&self) -> Result<View, ChainError> {
        // The head first: then nothing that the account does not show yet can have an earlier time than the head.
        let head = self.chain.head().await?;
        let account = self.chain.account(self.wallet.address(), At::Latest).await?;
        if account.block < head.seqno {
            return Err(ChainError::Unreachable("the state is older than the head".into()));
        }
        let seqno = match (&account.status, &account.data) {
            (Status::Active, Some(data)) => {
                let storage = Storage::parse(data);
                storage
                    .map_err(|error| ChainError::Invalid(error.to_string()))?
                    .seqno
            }
            _ => 0,
        };
        Ok(View { head, account, seqno })
    }
}

/// Transactions that are read at once.
const PAGE: usize = 64;

fn answer(batch: Vec<Item>, mut outcome: impl FnMut(usize) -> Result<super::Sent, SendError>) {
    for (index, item) in batch.into_iter().enumerate() {
        // Who asked may have gone.
        let _ = item.done.send(outcome(index));
    }
}
