use cocoon_types::Nanoton;
use tycho_types::models::{AccountState, ShardAccount};

use super::{Account, Malformed, Status, TxId};

/// Reads an account's state as the shard keeps it.
pub(crate) fn account_from_state(state: &ShardAccount, block: u32) -> Result<Account, Malformed> {
    let mut account = Account::missing(block);
    if state.last_trans_lt != 0 {
        account.last = Some(TxId {
            lt: state.last_trans_lt,
            hash: state.last_trans_hash.0,
        });
    }
    let Some(stored) = state.load_account()? else {
        return Ok(account);
    };
    let balance = u64::try_from(stored.balance.tokens.into_inner()).map_err(|_| Malformed::Amount)?;
    account.balance = Nanoton::new(balance);
    match stored.state {
        AccountState::Uninit => account.status = Status::Uninit,
        AccountState::Frozen(_) => account.status = Status::Frozen,
        AccountState::Active(init) => {
            account.status = Status::Active;
            account.code = init.code;
            account.data = init.data;
        }
    }
    Ok(account)
}

impl Account {
    /// An account that does not exist.
    pub(crate) fn missing(block: u32) -> Self {
        Self {
            balance: Nanoton::ZERO,
            status: Status::Missing,
            code: None,
            data: None,
            last: None,
            block,
        }
    }
}
