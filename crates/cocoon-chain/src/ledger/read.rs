//! Looking at the ledger. Reads see blocks that are on disk, never half of one.

use cocoon_types::Address;
use tycho_types::{
    boc::{Boc, BocRepr},
    cell::{Cell, HashBytes},
    models::{ShardAccount, StdAddr},
};

use super::{Ledger, LedgerError, empty_state, genesis_hash, key, store::StoreError};
use crate::chain::{Account, At, ChainError, Head, Transaction, TxId, account_from_state};

/// Transactions that one call returns at most; each is a few kilobytes.
pub(crate) const MAX_TRANSACTIONS: usize = 256;

/// A transaction as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    pub(crate) lt: u64,
    /// Workchain and account id.
    pub(crate) account: [u8; 33],
    pub(crate) cell: Cell,
}

impl Ledger {
    /// An account's state.
    ///
    /// # Errors
    /// [`ChainError::NotFound`] for a block that is not there yet.
    pub fn account(&self, address: Address, at: At) -> Result<Account, ChainError> {
        let block = self.resolve(at)?;
        let state = self.shard_account(address, at)?;
        Ok(account_from_state(&state, block)?)
    }

    /// An account's transactions, as [`Chain::transactions`](crate::Chain::transactions); at most 256 of them.
    ///
    /// # Errors
    /// [`ChainError::NotFound`] where `newest` is not a transaction of the account.
    pub fn transactions(
        &self,
        address: Address,
        newest: TxId,
        until_lt: u64,
        limit: usize,
    ) -> Result<Vec<Transaction>, ChainError> {
        let rows = self.logged(address, newest.lt, until_lt, limit)?;
        let transactions = rows.iter().map(|row| Ok(Transaction::from_cell(&row.cell)?));
        let transactions: Vec<_> = transactions.collect::<Result<_, ChainError>>()?;
        if newest.lt > until_lt && transactions.first().map(|first| first.id) != Some(newest) {
            return Err(ChainError::NotFound(format!(
                "transaction {newest:?} of {address}"
            )));
        }
        Ok(transactions)
    }

    pub(crate) fn logged(
        &self,
        address: Address,
        newest: u64,
        until: u64,
        limit: usize,
    ) -> Result<Vec<Logged>, ChainError> {
        let most = i64::MAX.cast_unsigned();
        let rows = self
            .store
            .transactions(
                &key(&std(address)),
                newest.min(most),
                until.min(most),
                limit.min(MAX_TRANSACTIONS),
            )
            .map_err(LedgerError::Store)?;
        logged(rows)
    }

    /// Oldest first, with logical times above `lt`.
    pub(crate) fn logged_after(&self, address: Address, lt: u64) -> Result<Vec<Logged>, ChainError> {
        let lt = lt.min(i64::MAX.cast_unsigned());
        let rows = self
            .store
            .transactions_after(&key(&std(address)), lt, MAX_TRANSACTIONS);
        logged(rows.map_err(LedgerError::Store)?)
    }

    pub(crate) fn logged_in_block(&self, seqno: u32, limit: usize) -> Result<Vec<Logged>, ChainError> {
        let rows = self.store.block_transactions(seqno, limit);
        logged(rows.map_err(LedgerError::Store)?)
    }

    pub(crate) fn shard_account(&self, address: Address, at: At) -> Result<ShardAccount, ChainError> {
        let block = self.resolve(at)?;
        let state = if block == self.head.seqno {
            self.state(&std(address))
        } else {
            self.stored_state(&std(address), block)
        };
        Ok(state?)
    }

    /// A block of the last two hours.
    ///
    /// # Errors
    /// [`ChainError::NotFound`] for one that is not there yet, or that is older.
    pub fn block_at(&self, seqno: u32) -> Result<Head, ChainError> {
        let time = self.store.recent(seqno).map_err(LedgerError::Store)?;
        let time = time.ok_or_else(|| ChainError::NotFound(format!("block {seqno}")))?;
        let running = self.running_hash(seqno)?;
        Ok(self.head.block(seqno, time, &running))
    }

    /// The root hash of a block, however old.
    pub(crate) fn block_hash(&self, seqno: u32) -> Result<[u8; 32], ChainError> {
        Ok(self.head.block_id(seqno, &self.running_hash(seqno)?))
    }

    fn running_hash(&self, seqno: u32) -> Result<[u8; 32], ChainError> {
        if seqno == self.head.seqno {
            return Ok(self.head.hash);
        }
        let running = self.store.hash_at(seqno).map_err(LedgerError::Store)?;
        // Before the first block with transactions it is the hash of the beginning.
        Ok(running.unwrap_or_else(genesis_hash))
    }

    pub(crate) fn resolve(&self, at: At) -> Result<u32, ChainError> {
        match at {
            At::Latest => Ok(self.head.seqno),
            At::Block(seqno) if seqno <= self.head.seqno => Ok(seqno),
            At::Block(seqno) => Err(ChainError::NotFound(format!("block {seqno}"))),
        }
    }

    pub(super) fn stored_state(&self, address: &StdAddr, block: u32) -> Result<ShardAccount, LedgerError> {
        match self.store.state(&key(address), block)? {
            None => Ok(empty_state()?),
            Some(boc) => {
                Ok(BocRepr::decode(boc).map_err(|_| StoreError::Damaged("the state of an account"))?)
            }
        }
    }
}

fn logged(rows: Vec<super::store::LogRow>) -> Result<Vec<Logged>, ChainError> {
    let mut logged = Vec::with_capacity(rows.len());
    for row in rows {
        let cell = Boc::decode(&row.boc).map_err(|_| StoreError::Damaged("a transaction"));
        logged.push(Logged {
            cell: cell.map_err(LedgerError::Store)?,
            lt: row.lt,
            account: row.account,
        });
    }
    Ok(logged)
}

pub(super) fn std(address: Address) -> StdAddr {
    StdAddr::new(0, HashBytes(*address.as_bytes()))
}
