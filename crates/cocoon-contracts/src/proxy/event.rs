use cocoon_types::{Address, Nanoton};

use super::Message;
use crate::{Cell, CellError, Flaw, client, op, reader::Reader, worker, writer::Writer};

/// What an inbound body of a proxy contract tells its node (spec/ton.md 2.2, 4.6).
///
/// Who may say it is for the caller to check: a client or worker event counts only when the message's source is the address
/// that derives from the owner in it, a commit only when it comes from the proxy's own wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Coins for the contract's own gas, or a deployment.
    Empty,
    /// From a client contract.
    Client(ClientEvent),
    /// Ours, from a client contract: a charge has been settled.
    Settled(ClientSettled),
    /// From a worker contract.
    Worker(WorkerEvent),
    /// From people and nodes.
    Message(Message),
    /// Nothing that concerns the node: excesses, text, foreign log entries, operations of others.
    Other {
        /// Its first 32 bits.
        op: u32,
    },
}

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

/// What a worker contract says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerEvent {
    /// Of the message that caused it.
    pub query_id: u64,
    /// Who is paid.
    pub owner: Address,
    /// Open or closed.
    pub state: worker::State,
    /// Adjusted tokens that are paid.
    pub tokens: u64,
    /// What is to be paid now.
    pub payout: Option<WorkerPayout>,
}

/// Coins that a worker contract asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerPayout {
    /// To the worker's owner.
    pub worker_part: Nanoton,
    /// To the proxy's owner.
    pub proxy_part: Nanoton,
    /// Where the rest of the coins goes.
    pub excesses: Address,
}

/// A proxy's state, committed to the chain (spec/ton.md 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Grows with every save. The original reads it as signed, so it stays below 2^31.
    pub seqno: u32,
    /// Random for every start of the program.
    pub session: [u8; 32],
}

// === impl Event ===

impl Event {
    /// Reads an inbound body.
    pub fn parse(body: &Cell) -> Result<Self, CellError> {
        let mut r = Reader::new(body, "proxy event")?;
        if r.is_empty() {
            return Ok(Self::Empty);
        }
        let op = r.u32("op")?;
        match op {
            op::CLIENT_PROXY_REQUEST => ClientEvent::read(r).map(Self::Client),
            op::CLIENT_SETTLED => ClientSettled::read(r).map(Self::Settled),
            op::WORKER_PROXY_REQUEST => WorkerEvent::read(r).map(Self::Worker),
            op::DO_NOT_PROCESS => {
                // Log entries of others are theirs.
                let ours = r.u64("query_id").is_ok() && r.u32("inner op") == Ok(op::SAVE_STATE);
                if ours {
                    Message::parse(body).map(Self::Message)
                } else {
                    Ok(Self::Other { op })
                }
            }
            op::PROXY_PAYOUT
            | op::PROXY_INCREASE_STAKE
            | op::PROXY_OWNER_CLOSE
            | op::PROXY_CLOSE
            | op::PROXY_CLOSE_COMPLETE => Message::parse(body).map(Self::Message),
            _ => Ok(Self::Other { op }),
        }
    }
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

    fn read(mut r: Reader<'_>) -> Result<Self, CellError> {
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

    fn read(mut r: Reader<'_>) -> Result<Self, CellError> {
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

// === impl WorkerEvent ===

impl WorkerEvent {
    /// Writes the body that a worker contract sends.
    pub fn to_cell(&self) -> Cell {
        let payout = self.payout.map(|payout| payout.to_cell());
        let writer = Writer::body(op::WORKER_PROXY_REQUEST, self.query_id).address(&self.owner);
        let writer = writer.uint(self.state.code(), 2).u64(self.tokens);
        writer.maybe_reference(payout.as_ref()).finish()
    }

    fn read(mut r: Reader<'_>) -> Result<Self, CellError> {
        let query_id = r.u64("query_id")?;
        let owner = r.address("owner")?;
        let state = worker::State::read(&mut r)?;
        let tokens = r.u64("tokens")?;
        let payout = r.maybe_reference("payout")?;
        r.finish()?;
        let payout = payout.as_ref().map(WorkerPayout::parse).transpose()?;
        Ok(Self {
            query_id,
            owner,
            state,
            tokens,
            payout,
        })
    }
}

// === impl WorkerPayout ===

impl WorkerPayout {
    fn to_cell(self) -> Cell {
        let writer = Writer::new()
            .u32(op::WORKER_PAYOUT_REQUEST)
            .coins(self.worker_part);
        writer.coins(self.proxy_part).address(&self.excesses).finish()
    }

    fn parse(cell: &Cell) -> Result<Self, CellError> {
        let mut r = Reader::new(cell, "worker payout")?;
        r.expect_op(op::WORKER_PAYOUT_REQUEST, "inner op")?;
        let worker_part = r.coins("worker_part")?;
        let proxy_part = r.coins("proxy_part")?;
        let excesses = r.address("excesses")?;
        r.finish()?;
        Ok(Self {
            worker_part,
            proxy_part,
            excesses,
        })
    }
}
