//! The worker contract (spec/ton.md 2.3): one per worker owner and proxy contract.

use cocoon_types::Address;

use crate::{Cell, CellError, Flaw, Params, Signed, op, reader::Reader, writer::Writer};

/// What a worker contract remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Who is paid.
    pub owner: Address,
    /// The proxy contract.
    pub proxy: Address,
    /// The key that signs payouts.
    pub proxy_key: [u8; 32],
    /// Open or closed.
    pub state: State,
    /// Adjusted tokens that are paid.
    pub tokens: u64,
    /// The network's parameters, without codes.
    pub params: Params,
    /// Of `tokens`, those that the proxy contract has not paid yet. Only our contract has it, and not in its initial state.
    pub owed_tokens: Option<u64>,
}

/// State of a worker contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Takes payouts.
    Open,
    /// Takes nothing any more.
    Closed,
}

/// A message to a worker contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A payout or last payout; anybody may submit it.
    Signed(Signed),
    /// Announces the worker. Only the owner may.
    Register {
        /// By which the sender finds its transaction.
        query_id: u64,
        /// Where the rest of the coins goes.
        excesses: Address,
    },
    /// Ours: ask again for what is owed. Anybody may.
    Claim {
        /// By which the sender finds its transaction.
        query_id: u64,
        /// Where the rest of the coins goes.
        excesses: Address,
    },
    /// Ours, from the proxy contract: these tokens were not paid.
    PayoutRefused {
        /// Of the payout.
        query_id: u64,
        /// How many.
        tokens: u64,
        /// Where the rest of the coins goes.
        excesses: Address,
    },
}

// === impl Storage ===

impl Storage {
    /// The state with which a contract is deployed.
    pub fn initial(owner: Address, proxy: Address, proxy_key: [u8; 32], params: &Params) -> Self {
        let params = params.with_codes(Params::NO_CODES);
        Self {
            owner,
            proxy,
            proxy_key,
            state: State::Open,
            tokens: 0,
            params,
            owed_tokens: None,
        }
    }

    /// Writes the account's data.
    pub fn to_cell(&self) -> Cell {
        let writer = Writer::new()
            .address(&self.owner)
            .address(&self.proxy)
            .bytes(&self.proxy_key);
        let writer = writer.uint(self.state.code(), 2).u64(self.tokens);
        let writer = match self.owed_tokens {
            Some(owed) => writer.u64(owed),
            None => writer,
        };
        writer.reference(&self.params.to_cell()).finish()
    }

    /// Reads the account's data.
    pub fn parse(cell: &Cell) -> Result<Self, CellError> {
        let mut r = Reader::new(cell, "worker storage")?;
        let owner = r.address("owner")?;
        let proxy = r.address("proxy")?;
        let proxy_key = r.hash("proxy_key")?;
        let state = State::read(&mut r)?;
        let tokens = r.u64("tokens")?;
        let owed_tokens = (r.bits_left() > 0).then(|| r.u64("owed_tokens")).transpose()?;
        let params = Params::parse(&r.reference("params")?)?;
        r.finish()?;
        Ok(Self {
            owner,
            proxy,
            proxy_key,
            state,
            tokens,
            params,
            owed_tokens,
        })
    }
}

// === impl State ===

impl State {
    /// 1 is never used.
    pub(crate) const fn code(self) -> u64 {
        match self {
            Self::Open => 0,
            Self::Closed => 2,
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, CellError> {
        match r.uint(2, "state")? {
            0 => Ok(Self::Open),
            2 => Ok(Self::Closed),
            other => Err(CellError::new("state", Flaw::Range(other))),
        }
    }
}

// === impl Message ===

impl Message {
    /// Writes the body.
    pub fn to_cell(&self) -> Cell {
        match self {
            Self::Signed(signed) => signed.to_cell(),
            Self::Register { query_id, excesses } => Writer::body(op::WORKER_REGISTER, *query_id)
                .address(excesses)
                .finish(),
            Self::Claim { query_id, excesses } => Writer::body(op::WORKER_CLAIM, *query_id)
                .address(excesses)
                .finish(),
            Self::PayoutRefused {
                query_id,
                tokens,
                excesses,
            } => {
                let writer = Writer::body(op::PAYOUT_REFUSED, *query_id);
                writer.u64(*tokens).address(excesses).finish()
            }
        }
    }

    /// Reads a body.
    pub fn parse(cell: &Cell) -> Result<Self, CellError> {
        let mut r = Reader::new(cell, "worker message")?;
        let op = r.u32("op")?;
        if matches!(op, op::WORKER_PAYOUT | op::WORKER_LAST_PAYOUT) {
            return Signed::parse(cell).map(Self::Signed);
        }
        let query_id = r.u64("query_id")?;
        let message = match op {
            op::WORKER_REGISTER => Self::Register {
                query_id,
                excesses: r.address("excesses")?,
            },
            op::WORKER_CLAIM => Self::Claim {
                query_id,
                excesses: r.address("excesses")?,
            },
            op::PAYOUT_REFUSED => {
                let tokens = r.u64("tokens")?;
                Self::PayoutRefused {
                    query_id,
                    tokens,
                    excesses: r.address("excesses")?,
                }
            }
            other => return Err(CellError::new("op", Flaw::Tag(other))),
        };
        r.finish()?;
        Ok(message)
    }
}
