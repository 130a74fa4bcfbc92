//! The task that owns the accounts.
//!
//! It takes what comes (questions, transactions, the clock), applies the records that follow, and hands all of one turn to
//! the journal at once. What must be durable (a charge before its answer's end, a record before the message that it
//! speaks of) waits in line for the journal's flush; everything else goes on.

mod asks;
mod follow;
mod moving;

use std::{
    collections::{HashMap, VecDeque},
    path::Path,
    sync::{Arc, PoisonError},
    time::Duration,
};

use cocoon_accounting::{Accounts, ApplyError, Effect, Policy, Record, Settlement};
use cocoon_chain::{Chain, Followed, Registry, RegistryOptions, SendError, WalletSender};
use cocoon_store::{Flush, Journal, JournalKey, StoreError};
use cocoon_types::Address;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{JoinSet, spawn_blocking},
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use self::{asks::Late, follow::follow, moving::Moving};
use super::{
    books::{Ask, Books, Left, MAIL},
    network::{self, Network, Payments, PaymentsError},
    outgoing::Letter,
    statement::Signer,
};

/// Between two looks at what is due.
const TICK: Duration = Duration::from_secs(1);
/// Questions taken in one turn: the journal's group.
const TURN: usize = 256;
/// Records between two snapshots: replay of so many takes a fraction of a second.
const SNAPSHOT_EVERY: u64 = 50_000;
/// Transactions on their way from the followers.
const EVENTS: usize = 256;
/// Clients that may be registering at once: each has found a proof of work.
const MAX_REGISTERING: usize = 16_384;
/// How long a number is good for, in seconds (spec/ton.md 5.1).
const REGISTRATION: u64 = 300;

/// Keeps the accounts; [`Bookkeeper::run`] makes it work.
#[derive(Debug)]
pub struct Bookkeeper {
    accounts: Accounts,
    journal: Journal,
    signer: Signer,
    wallet: WalletSender,
    chain: Arc<dyn Chain>,
    registry: Registry,
    policy: Policy,
    poll: Duration,
    clock: fn() -> u64,
    /// The newest block that was heard of: contracts go by the chain's time.
    chain_time: u64,
    root: Address,
    network: watch::Sender<Arc<Network>>,
    old: HashMap<Address, Arc<Network>>,
    moving: Moving,
    ready: watch::Sender<bool>,
    mail: mpsc::Receiver<Ask>,
    left: Left,
    registering: HashMap<(Address, u64), Registering>,
    turn: Turn,
    line: VecDeque<Waiting>,
    sending: JoinSet<(Option<Settlement>, Result<(), SendError>)>,
    following: JoinSet<()>,
    followed: HashMap<Address, tokio::task::AbortHandle>,
    events: mpsc::Receiver<(Address, Followed)>,
    events_in: mpsc::Sender<(Address, Followed)>,
    snapshot_at: u64,
}

/// Why the accounts cannot go on. The node must end: nothing is acknowledged any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BooksError {
    /// The journal cannot be written.
    #[error("the journal of the accounts cannot be written")]
    Journal(#[from] StoreError),
    /// A defect of ours.
    #[error("the accounts contradict themselves")]
    Apply(#[from] ApplyError),
    /// The contract cannot be deployed.
    #[error("the proxy's contract cannot be deployed")]
    Deploy(#[source] PaymentsError),
}

/// A client that was given a number to send to its contract.
#[derive(Debug)]
struct Registering {
    until: u64,
    is_seen: bool,
    answer: Option<oneshot::Sender<()>>,
}

/// What one turn comes to.
#[derive(Debug, Default)]
struct Turn {
    records: Vec<Record>,
    answers: Vec<Late>,
    effects: Vec<Effect>,
}

/// Waits for the journal.
#[derive(Debug)]
struct Waiting {
    flush: Flush,
    records: u64,
    answers: Vec<Late>,
    effects: Vec<Effect>,
}

// === impl Bookkeeper ===

impl Bookkeeper {
    /// Opens the journal and reads the registry. Nothing is sent before [`Self::run`].
    ///
    /// # Errors
    /// [`PaymentsError`] says what is missing.
    pub async fn open(
        payments: Payments,
        is_test: bool,
        clock: fn() -> u64,
    ) -> Result<(Self, Books), PaymentsError> {
        let Payments {
            chain,
            root,
            owner,
            key,
            wallet,
            directory,
            policy,
            poll,
            registry_poll,
        } = payments;
        let options = RegistryOptions {
            is_test,
            poll: registry_poll,
        };
        let registry = Registry::start(Arc::clone(&chain), root, options)
            .await
            .map_err(PaymentsError::Registry)?;
        let network = Network::new(root, &registry.config(), owner, key.public())?;
        let (journal, accounts) = open_journal(&directory, JournalKey::derive(key.seed())).await?;
        if let Some(halt) = accounts.halted() {
            // It opens all the same: people must be able to look at it.
            tracing::error!(%halt, "{}", HALTED);
        }
        let wallet = network::start_wallet(&chain, wallet);
        let (network, network_seen) = watch::channel(Arc::new(network));
        let (ready, ready_seen) = watch::channel(false);
        let (post, mail) = mpsc::channel(MAIL);
        let (events_in, events) = mpsc::channel(EVENTS);
        let left = Left::default();
        let books = Books::new(post, network_seen, ready_seen, Arc::clone(&left));
        let bookkeeper = Self {
            signer: Signer::new(key, wallet.address()),
            snapshot_at: accounts.applied().saturating_add(SNAPSHOT_EVERY),
            accounts,
            journal,
            wallet,
            chain,
            registry,
            policy,
            poll,
            clock,
            chain_time: 0,
            root,
            network,
            old: HashMap::new(),
            moving: Moving::default(),
            ready,
            mail,
            left,
            registering: HashMap::new(),
            turn: Turn::default(),
            line: VecDeque::new(),
            sending: JoinSet::new(),
            following: JoinSet::new(),
            followed: HashMap::new(),
            events,
            events_in,
        };
        Ok((bookkeeper, books))
    }

    /// Keeps the accounts until `stopped`; what was asked by then is on disk when it returns.
    ///
    /// # Errors
    /// [`BooksError`]: the node must end.
    pub async fn run(mut self, stopped: CancellationToken) -> Result<(), BooksError> {
        let begun = tokio::select! {
            begun = self.begin() => begun,
            () = stopped.cancelled() => return Ok(()),
        };
        begun?;
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut asks = Vec::with_capacity(TURN);
        loop {
            tokio::select! {
                flushed = next_flushed(&mut self.line) => self.flushed(flushed?),
                count = self.mail.recv_many(&mut asks, TURN) => {
                    if count == 0 {
                        break;
                    }
                    for ask in asks.drain(..) {
                        self.answer(ask)?;
                    }
                }
                Some((contract, followed)) = self.events.recv() => self.hear(contract, followed)?,
                Some(Ok((settlement, sent))) = self.sending.join_next() => self.sent(settlement, sent)?,
                Some(deployed) = self.moving.deployed() => self.deployed(deployed)?,
                _ = ticks.tick() => self.tick()?,
                () = stopped.cancelled() => break,
            }
            self.end_turn().await?;
        }
        self.mail.close();
        while let Ok(ask) = self.mail.try_recv() {
            self.answer(ask)?;
        }
        self.end_turn().await?;
        while !self.line.is_empty() {
            let waiting = next_flushed(&mut self.line).await?;
            self.flushed(waiting);
        }
        self.journal.clone().close().await;
        Ok(())
    }

    /// The contract, a new session, and its commit.
    async fn begin(&mut self) -> Result<(), BooksError> {
        if self.accounts.halted().is_some() {
            return Ok(());
        }
        let network = Arc::clone(&self.network.borrow());
        network
            .deploy(&*self.chain, &self.wallet)
            .await
            .map_err(BooksError::Deploy)?;
        let now = self.now();
        if self.accounts.terms().map(|terms| terms.contract) != Some(network.own.address()) {
            // After a start no request is open, so only a defect or too many old contracts can be in the way.
            match self.accounts.open(network.own.terms, now) {
                Ok(record) => self.apply(record)?,
                Err(refused) => {
                    tracing::error!(%refused, "the new terms cannot be taken over");
                    return Ok(());
                }
            }
        }
        self.start_session()?;
        for record in self.accounts.interrupted(now) {
            self.apply(record)?;
        }
        self.end_turn().await?;
        self.read_old().await;
        self.follow_all();
        Ok(())
    }

    fn start_session(&mut self) -> Result<(), BooksError> {
        let mut session = [0; 32];
        if aws_lc_rs::rand::fill(&mut session).is_err() {
            tracing::error!("the system gave no random bytes: no session is started");
            return Ok(());
        }
        match self.accounts.start_session(session, self.now()) {
            Ok((record, effect)) => {
                self.apply(record)?;
                self.turn.effects.push(effect);
            }
            Err(refused) => tracing::error!(%refused, "no session can be started"),
        }
        Ok(())
    }

    /// Unix seconds: the later of this machine's clock and the chain's.
    fn now(&self) -> u64 {
        (self.clock)().max(self.chain_time)
    }

    fn apply(&mut self, record: Record) -> Result<(), BooksError> {
        self.accounts.apply(&record)?;
        self.turn.records.push(record);
        Ok(())
    }

    fn tick(&mut self) -> Result<(), BooksError> {
        self.accounts.flushed(*self.journal.flushed().borrow());
        let left = std::mem::take(&mut *self.left.lock().unwrap_or_else(PoisonError::into_inner));
        for (client, request) in left {
            self.release(client, request)?;
        }
        self.follow_registry()?;
        let now = self.now();
        for step in self.accounts.due(&self.policy, now) {
            self.apply(step.record)?;
            self.turn.effects.extend(step.effect);
        }
        self.tell_ready();
        Ok(())
    }

    fn tell_ready(&self) {
        let is_ready = self.accounts.is_ready();
        self.ready.send_if_modified(|ready| {
            let changes = *ready != is_ready;
            *ready = is_ready;
            changes
        });
    }

    /// Hands the turn to the journal.
    async fn end_turn(&mut self) -> Result<(), BooksError> {
        let turn = std::mem::take(&mut self.turn);
        let waits = !turn.answers.is_empty() || !turn.effects.is_empty();
        if !turn.records.is_empty() || waits {
            let first = self.accounts.applied().saturating_sub(turn.records.len() as u64);
            // Without records it still resolves after all those before it.
            let flush = self.journal.append(first, &turn.records).await?;
            if waits {
                self.line.push_back(Waiting {
                    flush,
                    records: self.accounts.applied(),
                    answers: turn.answers,
                    effects: turn.effects,
                });
            }
        }
        if self.accounts.applied() >= self.snapshot_at {
            self.snapshot_at = self.accounts.applied().saturating_add(SNAPSHOT_EVERY);
            self.journal.snapshot(&self.accounts).await?;
        }
        Ok(())
    }

    /// What waited for the journal goes on.
    fn flushed(&mut self, waiting: Waiting) {
        self.accounts.flushed(waiting.records);
        for late in waiting.answers {
            self.tell(late);
        }
        for effect in &waiting.effects {
            self.send(effect);
        }
    }

    fn send(&mut self, effect: &Effect) {
        let contract = match effect {
            Effect::Commit { contract, .. } => *contract,
            Effect::Settle(settlement) => settlement.contract,
        };
        let Some(network) = self.network_of(&contract) else {
            // It is sent when the old contract was read, after its time is up.
            tracing::warn!(%contract, "an old contract has not been read yet");
            return;
        };
        let letter = Letter::new(effect, &network, &self.signer, self.wallet.address());
        let (chain, wallet) = (Arc::clone(&self.chain), self.wallet.clone());
        self.sending.spawn(async move {
            let settlement = letter.settlement;
            (settlement, letter.send(chain, wallet).await)
        });
    }

    /// Being sent is not being done; but what was not sent has failed.
    fn sent(
        &mut self,
        settlement: Option<Settlement>,
        sent: Result<(), SendError>,
    ) -> Result<(), BooksError> {
        let Err(error) = sent else { return Ok(()) };
        tracing::warn!(%error, ?settlement, "the wallet did not send");
        let now = self.now();
        let failed = settlement.and_then(|failed| {
            self.accounts
                .settlement_ended(failed.contract, failed.party, false, now)
        });
        failed.map_or(Ok(()), |record| self.apply(record))
    }

    fn network_of(&self, contract: &Address) -> Option<Arc<Network>> {
        let current = Arc::clone(&self.network.borrow());
        if current.own.address() == *contract {
            return Some(current);
        }
        self.old.get(contract).cloned()
    }

    /// Follows the current contract and those that are being closed.
    fn follow_all(&mut self) {
        let old = self.accounts.old_contracts().map(|(terms, _)| terms.contract);
        let current = self.accounts.terms().map(|terms| terms.contract);
        let contracts: Vec<_> = old.chain(current).collect();
        for contract in contracts {
            if self.followed.contains_key(&contract) {
                continue;
            }
            let after = self.accounts.cursor(&contract).map_or(0, |tx| tx.lt);
            let (chain, events) = (Arc::clone(&self.chain), self.events_in.clone());
            let task = self
                .following
                .spawn(follow(chain, contract, after, self.poll, events));
            self.followed.insert(contract, task);
        }
    }
}

/// The first in line, once it is on disk. Cancel-safe.
async fn next_flushed(line: &mut VecDeque<Waiting>) -> Result<Waiting, StoreError> {
    let Some(first) = line.front_mut() else {
        return std::future::pending().await;
    };
    (&mut first.flush).await?;
    line.pop_front().ok_or(StoreError::Closed)
}

async fn open_journal(directory: &Path, key: JournalKey) -> Result<(Journal, Accounts), PaymentsError> {
    let directory = directory.to_owned();
    let opened = spawn_blocking(move || Journal::open(&directory, &key)).await;
    Ok(opened.map_err(|_| PaymentsError::Task)??)
}

/// What to do after a halt.
pub(super) const HALTED: &str = "the accounts serve and sign nothing any more. Look whether another process runs with \
    this key and stop it; put back the newest copy of the journal if this one is old. If there is none, make an empty file \
    `given-up` beside the journal and start again: that begins anew with a new key and so a new contract. What was \
    signed stays valid at the old one; clients take their money back there by force.";
