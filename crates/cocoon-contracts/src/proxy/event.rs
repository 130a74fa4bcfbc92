use super::Message;
use crate::{Cell, CellError, op, reader::Reader};

mod client;
mod worker;

pub use client::{ClientEvent, ClientRequest, ClientSettled, ClientState};
pub use worker::{WorkerEvent, WorkerPayout};

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
