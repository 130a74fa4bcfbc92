use cocoon_types::{Address, Nanoton};

use crate::{Cell, CellError, Flaw, client, op, reader::Reader, writer::Writer};

/// What a client contract says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientEvent {
    /// Of the message that caused it.
    pub query_id: u64,
    /// The client's wallet.
    pub owner: Address,
    /// After the client contract's own change.
    pub state: ClientState,
    /// What is asked of the proxy contract.
    pub request: Option<ClientRequest>,
}

/// A client contract as it describes itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientState {
    /// Open, closing or closed.
    pub state: client::State,
    /// What is left of what was paid in.
    pub balance: Nanoton,
    /// Part of it that stays.
    pub stake: Nanoton,
    /// Adjusted tokens that are charged.
    pub tokens_used: u64,
    /// SHA-256 of the client's secret; zeros when none is set.
    pub secret_hash: [u8; 32],
}

/// What a client contract asks of the proxy contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientRequest {
    /// Keep these coins.
    TopUp {
        /// How much was paid in.
        coins: Nanoton,
        /// Where the rest of the coins goes.
        excesses: Address,
    },
    /// Note that the owner knows this number.
    Register {
        /// The number that the proxy gave.
        nonce: u64,
    },
    /// Pay the client back.
    RefundGranted {
        /// How much.
        coins: Nanoton,
        /// Where the rest of the coins goes.
        excesses: Address,
    },
    /// Pay the client back out of the stake.
    RefundForced {
        /// How much at most.
        coins: Nanoton,
        /// Where the rest of the coins goes.
        excesses: Address,
    },
}

/// What a charge took from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientSettled {
    /// Of the charge.
    pub query_id: u64,
    /// The client's wallet.
    pub owner: Address,
    /// How much.
    pub coins: Nanoton,
    /// Where the rest of the coins goes.
    pub excesses: Address,
}

// === impl ClientEvent ===

impl ClientEvent {
    /// Writes the body that a client contract sends.
    pub fn to_cell(&self) -> Cell {
        let request = self.request.map(|request| request.to_cell());
        let writer = Writer::body(op::CLIENT_PROXY_REQUEST, self.query_id).address(&self.owner);
        writer
            .reference(&self.state.to_cell())
            .maybe_reference(request.as_ref())
            .finish()
    }

    pub(super) fn read(mut r: Reader<'_>) -> Result<Self, CellError> {
        let query_id = r.u64("query_id")?;
        let owner = r.address("owner")?;
        let state = ClientState::parse(&r.reference("state")?)?;
        let request = r.maybe_reference("request")?;
        r.finish()?;
        let request = request.as_ref().map(ClientRequest::parse).transpose()?;
        Ok(Self {
            query_id,
            owner,
            state,
            request,
        })
    }
}

// === impl ClientState ===

impl ClientState {
    fn to_cell(self) -> Cell {
        let writer = Writer::new()
            .uint(self.state.code(), 2)
            .coins(self.balance)
            .coins(self.stake);
        writer.u64(self.tokens_used).bytes(&self.secret_hash).finish()
    }

    fn parse(cell: &Cell) -> Result<Self, CellError> {
        let mut r = Reader::new(cell, "client state")?;
        let state = client::State::read(&mut r)?;
        let balance = r.coins("balance")?;
        let stake = r.coins("stake")?;
        let tokens_used = r.u64("tokens_used")?;
        let secret_hash = r.hash("secret_hash")?;
        r.finish()?;
        Ok(Self {
            state,
            balance,
            stake,
            tokens_used,
            secret_hash,
        })
    }
}

// === impl ClientRequest ===

impl ClientRequest {
    fn to_cell(self) -> Cell {
        let paid = |op, coins, excesses: Address| Writer::new().u32(op).coins(coins).address(&excesses);
        match self {
            Self::TopUp { coins, excesses } => paid(op::CLIENT_TOP_UP, coins, excesses),
            Self::Register { nonce } => Writer::body(op::CLIENT_REGISTER, nonce),
            Self::RefundGranted { coins, excesses } => paid(op::REFUND_GRANTED, coins, excesses),
            Self::RefundForced { coins, excesses } => paid(op::REFUND_FORCED, coins, excesses),
        }
        .finish()
    }

    fn parse(cell: &Cell) -> Result<Self, CellError> {
        let mut r = Reader::new(cell, "client request")?;
        let op = r.u32("inner op")?;
        if op == op::CLIENT_REGISTER {
            let nonce = r.u64("nonce")?;
            r.finish()?;
            return Ok(Self::Register { nonce });
        }
        if !matches!(op, op::CLIENT_TOP_UP | op::REFUND_GRANTED | op::REFUND_FORCED) {
            return Err(CellError::new("inner op", Flaw::Tag(op)));
        }
        let (coins, excesses) = (r.coins("coins")?, r.address("excesses")?);
        r.finish()?;
        Ok(match op {
            op::CLIENT_TOP_UP => Self::TopUp { coins, excesses },
            op::REFUND_GRANTED => Self::RefundGranted { coins, excesses },
            _ => Self::RefundForced { coins, excesses },
        })
    }
}

// === impl ClientSettled ===

impl ClientSettled {
    /// Writes the body that a client contract sends.
    pub fn to_cell(&self) -> Cell {
        let writer = Writer::body(op::CLIENT_SETTLED, self.query_id).address(&self.owner);
        writer.coins(self.coins).address(&self.excesses).finish()
    }

    pub(super) fn read(mut r: Reader<'_>) -> Result<Self, CellError> {
        let query_id = r.u64("query_id")?;
        let owner = r.address("owner")?;
        let coins = r.coins("coins")?;
        let excesses = r.address("excesses")?;
        r.finish()?;
        Ok(Self {
            query_id,
            owner,
            coins,
            excesses,
        })
    }
}
