//! The client contract (spec/ton.md 2.4): one per client wallet and proxy contract.

use cocoon_types::{Address, Nanoton};

use crate::{Cell, CellError, Flaw, Params, reader::Reader, writer::Writer};

mod message;

pub use message::{Action, Message};

/// What a client contract remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Open, closing or closed.
    pub state: State,
    /// What is left of what was paid in: a claim on the proxy contract's coins.
    pub balance: Nanoton,
    /// The part of the balance that cannot be withdrawn while open, and the limit of unsettled usage.
    pub stake: Nanoton,
    /// Adjusted tokens that are charged.
    pub tokens_used: u64,
    /// When a closing account may be closed by force, in unix seconds; 0 else.
    pub unlock_at: u32,
    /// SHA-256 of the secret with which the client may authorise itself; zeros when none is set.
    pub secret_hash: [u8; 32],
    /// The client's wallet.
    pub owner: Address,
    /// The proxy contract.
    pub proxy: Address,
    /// The key that signs charges.
    pub proxy_key: [u8; 32],
    /// The network's parameters, without codes.
    pub params: Params,
    /// What our contract adds; `None` in the initial state and in contracts of the original.
    pub own: Option<Own>,
}

/// What our client contract remembers beyond the original's (contracts/README.md). Where it is absent, all are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// Coins that the proxy contract has confirmed and neither paid back nor settled.
    pub secured: Nanoton,
    /// Charged, but the proxy contract has not been told yet.
    pub unreported: Nanoton,
    /// How often the account was reopened.
    pub generation: u32,
}

/// State of a client contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// May be used.
    Open,
    /// The client asked for its money.
    Closing,
    /// The client has been paid.
    Closed,
}

// === impl Storage ===

impl Storage {
    /// The state with which a contract is deployed.
    pub fn initial(owner: Address, proxy: Address, proxy_key: [u8; 32], params: &Params) -> Self {
        Self {
            state: State::Open,
            balance: Nanoton::ZERO,
            stake: params.min_client_stake,
            tokens_used: 0,
            unlock_at: 0,
            secret_hash: [0; 32],
            owner,
            proxy,
            proxy_key,
            params: params.with_codes(Params::NO_CODES),
            own: None,
        }
    }

    /// Writes the account's data.
    pub fn to_cell(&self) -> Cell {
        let constant = Writer::new().address(&self.owner).address(&self.proxy);
        let constant = constant.bytes(&self.proxy_key).finish();
        let writer = Writer::new()
            .uint(self.state.code(), 2)
            .coins(self.balance)
            .coins(self.stake);
        let writer = writer
            .u64(self.tokens_used)
            .u32(self.unlock_at)
            .bytes(&self.secret_hash);
        let writer = match &self.own {
            Some(own) => writer
                .coins(own.secured)
                .coins(own.unreported)
                .u32(own.generation),
            None => writer,
        };
        writer
            .reference(&constant)
            .reference(&self.params.to_cell())
            .finish()
    }

    /// Reads the account's data.
    pub fn parse(cell: &Cell) -> Result<Self, CellError> {
        let mut r = Reader::new(cell, "client storage")?;
        let state = State::read(&mut r)?;
        let balance = r.coins("balance")?;
        let stake = r.coins("stake")?;
        let tokens_used = r.u64("tokens_used")?;
        let unlock_at = r.u32("unlock_at")?;
        let secret_hash = r.hash("secret_hash")?;
        let own = (r.bits_left() > 0).then(|| Own::read(&mut r)).transpose()?;
        let constant = r.reference("constant part")?;
        let params = Params::parse(&r.reference("params")?)?;
        r.finish()?;
        let mut r = Reader::new(&constant, "client storage, constant part")?;
        let owner = r.address("owner")?;
        let proxy = r.address("proxy")?;
        let proxy_key = r.hash("proxy_key")?;
        r.finish()?;
        Ok(Self {
            state,
            balance,
            stake,
            tokens_used,
            unlock_at,
            secret_hash,
            owner,
            proxy,
            proxy_key,
            params,
            own,
        })
    }
}

// === impl Own ===

impl Own {
    fn read(r: &mut Reader<'_>) -> Result<Self, CellError> {
        let secured = r.coins("secured")?;
        let unreported = r.coins("unreported")?;
        Ok(Self {
            secured,
            unreported,
            generation: r.u32("generation")?,
        })
    }
}

// === impl State ===

impl State {
    pub(crate) const fn code(self) -> u64 {
        match self {
            Self::Open => 0,
            Self::Closing => 1,
            Self::Closed => 2,
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, CellError> {
        match r.uint(2, "state")? {
            0 => Ok(Self::Open),
            1 => Ok(Self::Closing),
            2 => Ok(Self::Closed),
            other => Err(CellError::new("state", Flaw::Range(other))),
        }
    }
}
