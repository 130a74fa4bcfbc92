//! The proxy contract (spec/ton.md 2.2): it holds all coins of its clients.

use cocoon_types::{Address, Nanoton};

use crate::{Cell, CellError, Flaw, Params, reader::Reader, writer::Writer};

mod event;
mod message;

pub use event::{
    ClientEvent, ClientRequest, ClientSettled, ClientState, Commit, Event, WorkerEvent, WorkerPayout,
};
pub use message::Message;

/// What a proxy contract remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Who earns.
    pub owner: Address,
    /// The key that signs payments.
    pub key: [u8; 32],
    /// The root contract.
    pub root: Address,
    /// Open, closing or closed.
    pub state: State,
    /// The owner's share, to be taken out.
    pub balance: Nanoton,
    /// What backs forced refunds.
    pub stake: Nanoton,
    /// When a closing proxy may complete, in unix seconds; 0 else.
    pub unlock_at: u32,
    /// The network's parameters, with the codes of workers and clients.
    pub params: Params,
    /// What our contract adds; `None` in the initial state and in contracts of the original.
    pub pool: Option<Pool>,
}

/// Whose the contract's coins are (contracts/README.md). Where it is absent, all are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    /// Clients': paid in, neither charged nor paid back.
    pub prepaid: Nanoton,
    /// Workers': settled charges that are not paid out.
    pub payable: Nanoton,
    /// Paid out beyond settled charges, from the stake.
    pub advance: Nanoton,
}

/// State of a proxy contract. There is no way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Works.
    Open,
    /// The delay runs.
    Closing,
    /// Done.
    Closed,
}

// === impl Storage ===

impl Storage {
    /// The state with which a contract is deployed.
    pub fn initial(owner: Address, key: [u8; 32], root: Address, params: &Params) -> Self {
        Self {
            owner,
            key,
            root,
            state: State::Open,
            balance: Nanoton::ZERO,
            stake: Nanoton::ZERO,
            unlock_at: 0,
            params: params.with_codes(Params::PROXY_CODES),
            pool: None,
        }
    }

    /// Writes the account's data.
    pub fn to_cell(&self) -> Cell {
        let w = Writer::new()
            .address(&self.owner)
            .bytes(&self.key)
            .address(&self.root);
        let state = match self.state {
            State::Open => 0,
            State::Closing => 1,
            State::Closed => 2,
        };
        let w = w
            .uint(state, 2)
            .coins(self.balance)
            .coins(self.stake)
            .u32(self.unlock_at);
        let w = w.reference(&self.params.to_cell());
        match &self.pool {
            Some(pool) => w.reference(&pool.to_cell()),
            None => w,
        }
        .finish()
    }

    /// Reads the account's data.
    pub fn parse(cell: &Cell) -> Result<Self, CellError> {
        let mut r = Reader::new(cell, "proxy storage")?;
        let owner = r.address("owner")?;
        let key = r.hash("key")?;
        let root = r.address("root")?;
        let state = match r.uint(2, "state")? {
            0 => State::Open,
            1 => State::Closing,
            2 => State::Closed,
            other => return Err(CellError::new("state", Flaw::Range(other))),
        };
        let balance = r.coins("balance")?;
        let stake = r.coins("stake")?;
        let unlock_at = r.u32("unlock_at")?;
        let params = Params::parse(&r.reference("params")?)?;
        let pool = (r.references_left() > 0)
            .then(|| r.reference("pool"))
            .transpose()?;
        r.finish()?;
        let pool = pool.as_ref().map(Pool::parse).transpose()?;
        Ok(Self {
            owner,
            key,
            root,
            state,
            balance,
            stake,
            unlock_at,
            params,
            pool,
        })
    }
}

// === impl Pool ===

impl Pool {
    fn to_cell(self) -> Cell {
        Writer::new()
            .coins(self.prepaid)
            .coins(self.payable)
            .coins(self.advance)
            .finish()
    }

    fn parse(cell: &Cell) -> Result<Self, CellError> {
        let mut r = Reader::new(cell, "proxy pool")?;
        let prepaid = r.coins("prepaid")?;
        let payable = r.coins("payable")?;
        let advance = r.coins("advance")?;
        r.finish()?;
        Ok(Self {
            prepaid,
            payable,
            advance,
        })
    }
}
