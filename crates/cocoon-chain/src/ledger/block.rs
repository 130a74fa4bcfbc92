//! Making a block.

use std::collections::BTreeSet;

use tycho_executor::{ExecutorOutput, ExecutorParams};
use tycho_types::{
    boc::{Boc, BocRepr},
    cell::Cell,
    models::{MsgInfo, StdAddr},
};

use super::{
    LT_STEP, Ledger, LedgerError, MAX_CACHED_ACCOUNTS, Pending,
    execute::{Envelope, Outcome, execute},
    key, sha256,
    store::{HeadRow, StoreError},
};

/// What a block did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its number; the same as before where the chain is stalled.
    pub seqno: u32,
    /// Transactions in it.
    pub transactions: usize,
    /// Messages are left for the next one.
    pub is_full: bool,
}

/// Transactions in a block: about a second of one core.
const MAX_BLOCK_TRANSACTIONS: usize = 10_000;

/// A block in the making.
struct Making {
    head: HeadRow,
    params: ExecutorParams,
    first_lt: u64,
    transactions: usize,
    touched: BTreeSet<StdAddr>,
    hashes: Vec<u8>,
}

impl Ledger {
    /// Makes a block: executes what waits and writes it to disk.
    ///
    /// # Errors
    /// [`LedgerError`]; then the ledger stands where it stood, and the externals of this block are gone.
    pub fn block(&mut self, now: u64) -> Result<Block, LedgerError> {
        if self.faults.stall {
            return Ok(Block {
                seqno: self.head.seqno,
                transactions: 0,
                is_full: false,
            });
        }
        let made = self.make(now);
        if made.is_err() {
            self.store.rollback();
            self.reload()?;
        }
        if self.accounts.len() > MAX_CACHED_ACCOUNTS {
            self.accounts.clear();
        }
        made
    }

    fn make(&mut self, now: u64) -> Result<Block, LedgerError> {
        let mut head = self.head;
        head.seqno = head.seqno.checked_add(1).ok_or(LedgerError::Clock)?;
        head.time = self.block_time(now)?;
        head.lt = head.lt.next_multiple_of(LT_STEP);
        let mut making = Making {
            params: self.params(head.time, head.lt),
            first_lt: head.lt,
            head,
            transactions: 0,
            touched: BTreeSet::new(),
            hashes: Vec::new(),
        };
        self.store.begin()?;
        self.drain(&mut making)?;
        for pending in self.due(making.head.seqno) {
            if making.is_full() {
                self.pending.push_back(pending);
                continue;
            }
            self.run(&mut making, pending.envelope)?;
            self.drain(&mut making)?;
        }
        let (transactions, is_full) = (making.transactions, making.is_full());
        self.finish(making)?;
        Ok(Block {
            seqno: self.head.seqno,
            transactions,
            is_full,
        })
    }

    /// The externals that this block may take.
    fn due(&mut self, seqno: u32) -> Vec<Pending> {
        let (mut due, later): (Vec<_>, Vec<_>) =
            self.pending.drain(..).partition(|pending| pending.due <= seqno);
        self.pending.extend(later);
        if self.faults.reorder {
            due.reverse();
        }
        due
    }

    /// Executes internal messages until none is left or the block is full.
    fn drain(&mut self, making: &mut Making) -> Result<(), LedgerError> {
        while !making.is_full() {
            let Some(message) = self.queue.pop(&self.store)? else {
                break;
            };
            if let Some(envelope) = Envelope::read(message) {
                self.run(making, envelope)?;
            }
        }
        Ok(())
    }

    fn run(&mut self, making: &mut Making, envelope: Envelope) -> Result<(), LedgerError> {
        let state = self.state(&envelope.destination)?;
        match execute(&self.config, &making.params, making.head.lt, &envelope, &state) {
            Outcome::Done(output) => self.record(making, envelope.destination, *output),
            Outcome::NotAccepted(exit_code) => {
                tracing::debug!(?exit_code, "an external message was not accepted any more");
                Ok(())
            }
            Outcome::Broken(error) => {
                tracing::warn!(%error, "a message that cannot be executed was dropped");
                Ok(())
            }
        }
    }

    fn record(
        &mut self,
        making: &mut Making,
        address: StdAddr,
        output: ExecutorOutput,
    ) -> Result<(), LedgerError> {
        let lt = output.new_state.last_trans_lt;
        let transaction = output.transaction.inner();
        self.store
            .put_transaction(lt, &key(&address), making.head.seqno, &Boc::encode(transaction))?;
        making
            .hashes
            .extend_from_slice(transaction.repr_hash().as_slice());
        making.transactions += 1;
        // Above every logical time that the transaction used, so that each is used once in the whole ledger.
        making.head.lt = output.transaction_meta.next_lt;
        for message in output.transaction_meta.out_msgs {
            let message = message.into_inner();
            if let Some(lt) = created_lt(&message) {
                self.queue.push(&self.store, lt, message)?;
            }
        }
        self.accounts.insert(address.clone(), output.new_state);
        making.touched.insert(address);
        Ok(())
    }

    fn finish(&mut self, making: Making) -> Result<(), LedgerError> {
        let mut head = making.head;
        for address in &making.touched {
            let state = self.accounts.get(address);
            let state = state.ok_or(StoreError::Damaged("a touched account is not in memory"))?;
            self.store
                .put_state(&key(address), head.seqno, &BocRepr::encode(state)?)?;
        }
        if making.transactions > 0 {
            let (seqno, time) = (head.seqno.to_be_bytes(), head.time.to_be_bytes());
            head.hash = sha256(&[&head.hash, &seqno, &time, &making.hashes]);
            self.store.put_block(&head, making.first_lt)?;
        }
        self.queue.flush(&self.store)?;
        self.store.put_recent(head.seqno, head.time)?;
        self.store.put_head(&head)?;
        self.store.commit()?;
        self.head = head;
        Ok(())
    }
}

impl Making {
    fn is_full(&self) -> bool {
        self.transactions >= MAX_BLOCK_TRANSACTIONS
    }
}

/// The logical time of an internal message; `None` for one that leaves the chain.
fn created_lt(message: &Cell) -> Option<u64> {
    match message.parse::<MsgInfo>() {
        Ok(MsgInfo::Int(info)) => Some(info.created_lt),
        _ => None,
    }
}
