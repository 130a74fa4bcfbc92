mod block;
mod chain;
mod config;
mod estimate;
mod execute;
mod faults;
mod getter;
mod queue;
mod read;
mod store;
mod submit;

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    path::Path,
};

use aws_lc_rs::digest;
use cocoon_types::{Address, Nanoton};
use tycho_executor::ParsedConfig;
use tycho_types::{
    cell::{CellBuilder, HashBytes, Lazy},
    models::{CurrencyCollection, IntMsgInfo, MsgInfo, OptionalAccount, OwnedMessage, ShardAccount, StdAddr},
};

pub(crate) use self::read::Logged;
pub use self::{
    block::Block,
    chain::LedgerChain,
    faults::Faults,
    getter::{GetMethodError, GetMethodOutput, StackItem},
    store::StoreError,
    submit::SubmitError,
};
use self::{
    execute::Envelope,
    queue::Queue,
    store::{HeadRow, Seed, Store},
};
use crate::chain::Head;

/// A TON chain in one process: accounts, logical time, message queue, blocks; real code, gas and storage fees.
///
/// Deterministic: the clock is an argument of every call that needs one, and the same calls give the same
/// [`hash`](Ledger::hash). Durable: a block counts when it is on disk, and a ledger that is opened again stands at its
/// last block; externals that waited for the next one are gone, as on any chain. Old transactions and states lie on
/// disk only. One workchain, no shards, no validators: whoever runs it is trusted.
pub struct Ledger {
    options: LedgerOptions,
    config: Box<ParsedConfig>,
    store: Store,
    head: HeadRow,
    /// Newest states of recently used accounts; the store has all.
    accounts: HashMap<StdAddr, ShardAccount>,
    queue: Queue,
    /// Externals that wait for a block, oldest first.
    pending: VecDeque<Pending>,
    faults: Faults,
    /// Externals that came in, for [`Faults::drop_every`].
    arrived: u64,
}

/// How a ledger behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerOptions {
    /// A network for tests: there is a faucet, the clock can be warped and faults can be set. Fixed when the ledger is
    /// made.
    pub is_test: bool,
    /// Sending through a [`LedgerChain`] and the faucet make a block at once instead of waiting for the next; and who asks
    /// for the head gets none that is older than a minute, as on a chain that makes blocks all the time.
    pub instant: bool,
}

/// Why the ledger does not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// Only a network for tests does that.
    #[error("only a test network has a faucet, a warp and faults")]
    NotATestNetwork,
    /// The ledger on disk is of the other kind.
    #[error("the ledger on disk {}", if *is_test { "is a test network" } else { "is not a test network" })]
    OtherNetwork {
        /// Whether the one on disk is a network for tests.
        is_test: bool,
    },
    /// The faucet has given all the coins that there may be.
    #[error("the faucet is empty: a ledger holds at most {MAX_SUPPLY}")]
    FaucetEmpty,
    /// Too many messages wait for a block.
    #[error("too many messages wait for a block")]
    Busy,
    /// The clock cannot be there.
    #[error("the chain's clock ends in 2106")]
    Clock,
    /// The disk failed.
    #[error("the ledger cannot be stored")]
    Store(#[from] StoreError),
    /// What is on disk cannot be read.
    #[error("the ledger on disk holds a malformed cell")]
    Cell(#[from] tycho_types::error::Error),
}

#[derive(Debug)]
struct Pending {
    envelope: Envelope,
    /// The first block that may take it.
    due: u32,
}

/// All the coins that there may be: five billion TON, as there are on mainnet, so that every sum fits 63 bits.
const MAX_SUPPLY: Nanoton = Nanoton::new(5_000_000_000 * 1_000_000_000);
/// Accounts whose state stays in memory after a block; a state is a few kilobytes, so 64 MiB or so.
const MAX_CACHED_ACCOUNTS: usize = 20_000;
/// Seconds after which an instant ledger makes a block for whoever asks for the head. Statements need blocks of the last
/// hour, and whoever compares clocks wants them fresher than nothing.
const OLD_HEAD: u32 = 60;
/// Where a new ledger's logical time begins, and the step from block to block, as on mainnet.
const LT_STEP: u64 = 1_000_000;
/// Whose messages the faucet's are: an account that nobody has a key for.
const FAUCET: StdAddr = StdAddr::new(0, HashBytes([0; 32]));
const GENESIS_DOMAIN: &[u8] = b"cocoon ledger genesis";

// === impl Ledger ===

impl Ledger {
    /// A ledger that is gone with the process. For tests: its log is in memory and not bounded.
    ///
    /// # Errors
    /// [`LedgerError::Clock`].
    pub fn in_memory(options: LedgerOptions, now: u64) -> Result<Self, LedgerError> {
        Self::with_store(Store::open(None)?, options, now)
    }

    /// The ledger of a directory that exists; a new one if there is none.
    ///
    /// # Errors
    /// [`LedgerError`], among others that another process has it open.
    pub fn open(dir: &Path, options: LedgerOptions, now: u64) -> Result<Self, LedgerError> {
        Self::with_store(Store::open(Some(dir))?, options, now)
    }

    fn with_store(store: Store, options: LedgerOptions, now: u64) -> Result<Self, LedgerError> {
        let head = match store.head()? {
            Some(head) if head.is_test != options.is_test => {
                return Err(LedgerError::OtherNetwork {
                    is_test: head.is_test,
                });
            }
            Some(head) => head,
            None => genesis(&store, options, now)?,
        };
        let queue = Queue::load(&store)?;
        Ok(Self {
            options,
            config: Box::new(config::parsed()?),
            store,
            head,
            accounts: HashMap::new(),
            queue,
            pending: VecDeque::new(),
            faults: Faults::default(),
            arrived: 0,
        })
    }

    /// The newest block.
    pub fn head(&self) -> Head {
        // What is missing is only the running hash, which the head has.
        self.head.block(self.head.seqno, self.head.time, &self.head.hash)
    }

    /// A hash over every transaction so far. Equal hashes mean equal histories.
    pub fn hash(&self) -> [u8; 32] {
        self.head.hash
    }

    /// As [`Ledger::head`]; an instant ledger, which nobody else makes blocks for, makes one first if its head is old.
    ///
    /// # Errors
    /// As [`Ledger::block`].
    pub fn fresh_head(&mut self, now: u64) -> Result<Head, LedgerError> {
        if self.options.instant && self.block_time(now)?.saturating_sub(self.head.time) >= OLD_HEAD {
            self.block(now)?;
        }
        Ok(self.head())
    }

    /// How it behaves.
    pub fn options(&self) -> LedgerOptions {
        self.options
    }

    /// All the coins that the faucet ever gave.
    pub fn minted(&self) -> Nanoton {
        Nanoton::new(self.head.minted)
    }

    /// Sends coins to an account with the next block, in a message that does not bounce.
    ///
    /// # Errors
    /// [`LedgerError::NotATestNetwork`], [`LedgerError::FaucetEmpty`].
    pub fn faucet(&mut self, to: Address, amount: Nanoton) -> Result<(), LedgerError> {
        self.only_for_tests()?;
        if !self.queue.has_room() {
            return Err(LedgerError::Busy);
        }
        let minted = self.minted().checked_add(amount).filter(|sum| *sum <= MAX_SUPPLY);
        let minted = minted.ok_or(LedgerError::FaucetEmpty)?;
        let lt = self.head.lt;
        let message = CellBuilder::build_from(OwnedMessage {
            info: MsgInfo::Int(IntMsgInfo {
                src: FAUCET.into(),
                dst: StdAddr::new(0, HashBytes(*to.as_bytes())).into(),
                value: CurrencyCollection::new(u128::from(amount.nano())),
                created_lt: lt,
                created_at: self.head.time,
                ..Default::default()
            }),
            init: None,
            body: CellBuilder::new().build()?.into(),
            layout: None,
        })?;
        self.head.minted = minted.nano();
        self.head.lt += 1;
        self.queue.push(&self.store, lt, message)?;
        Ok(())
    }

    /// Sets the chain's clock forward, from the next block on.
    ///
    /// # Errors
    /// [`LedgerError::NotATestNetwork`], [`LedgerError::Clock`].
    pub fn warp(&mut self, seconds: u64) -> Result<(), LedgerError> {
        self.only_for_tests()?;
        let warped = self.head.warped.checked_add(seconds);
        let in_time = |warped: &u64| {
            let time = u64::from(self.head.time).checked_add(*warped);
            time.is_some_and(|time| u32::try_from(time).is_ok())
        };
        let warped = warped.filter(in_time);
        self.head.warped = warped.ok_or(LedgerError::Clock)?;
        Ok(())
    }

    /// Makes the chain misbehave from now on.
    ///
    /// # Errors
    /// [`LedgerError::NotATestNetwork`].
    pub fn set_faults(&mut self, faults: Faults) -> Result<(), LedgerError> {
        self.only_for_tests()?;
        self.faults = faults;
        Ok(())
    }

    /// How the chain misbehaves.
    pub fn faults(&self) -> Faults {
        self.faults
    }

    fn only_for_tests(&self) -> Result<(), LedgerError> {
        if self.options.is_test {
            Ok(())
        } else {
            Err(LedgerError::NotATestNetwork)
        }
    }

    /// The time of a block that is made now: blocks never go back.
    fn block_time(&self, now: u64) -> Result<u32, LedgerError> {
        let now = now
            .checked_add(self.head.warped)
            .and_then(|now| u32::try_from(now).ok());
        Ok(now.ok_or(LedgerError::Clock)?.max(self.head.time))
    }

    /// The newest state of an account. Only blocks add to what is in memory, so that nobody can fill it by asking.
    fn state(&self, address: &StdAddr) -> Result<ShardAccount, LedgerError> {
        match self.accounts.get(address) {
            Some(state) => Ok(state.clone()),
            None => self.stored_state(address, u32::MAX),
        }
    }

    /// Goes back to what is on disk.
    fn reload(&mut self) -> Result<(), LedgerError> {
        self.accounts.clear();
        self.head = self.store.head()?.ok_or(StoreError::Damaged("it has no head"))?;
        self.queue = Queue::load(&self.store)?;
        Ok(())
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("options", &self.options)
            .field("head", &self.head)
            .field("pending", &self.pending.len())
            .finish_non_exhaustive()
    }
}

fn genesis(store: &Store, options: LedgerOptions, now: u64) -> Result<HeadRow, LedgerError> {
    let head = HeadRow {
        seqno: 0,
        time: u32::try_from(now).map_err(|_| LedgerError::Clock)?,
        lt: LT_STEP,
        hash: genesis_hash(),
        warped: 0,
        minted: 0,
        is_test: options.is_test,
        seed: Seed::random()?,
    };
    store.begin()?;
    store.put_recent(head.seqno, head.time)?;
    store.put_head(&head)?;
    store.commit()?;
    Ok(head)
}

/// The running hash before any transaction.
fn genesis_hash() -> [u8; 32] {
    sha256(&[GENESIS_DOMAIN])
}

fn empty_state() -> Result<ShardAccount, tycho_types::error::Error> {
    Ok(ShardAccount {
        account: Lazy::new(&OptionalAccount::EMPTY)?,
        last_trans_hash: HashBytes::ZERO,
        last_trans_lt: 0,
    })
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// The key of an account in the store.
fn key(address: &StdAddr) -> [u8; 33] {
    let mut key = [0; 33];
    key[0] = address.workchain.cast_unsigned();
    key[1..].copy_from_slice(address.address.as_slice());
    key
}

#[cfg(test)]
pub(crate) mod tests;
