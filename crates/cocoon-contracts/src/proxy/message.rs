use cocoon_types::{Address, Nanoton};

use super::Commit;
use crate::{Cell, CellError, Flaw, Signed, op, reader::Reader, writer::Writer};

/// A message that people and nodes send to a proxy contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A close request or its completion; anybody may submit it.
    Signed(Signed),
    /// Pay the owner's share out. Anybody may.
    Payout {
        /// By which the sender finds its transaction.
        query_id: u64,
        /// Where the rest of the coins goes.
        excesses: Address,
    },
    /// Add to the stake. Anybody may; the coins travel with the message.
    IncreaseStake {
        /// By which the sender finds its transaction.
        query_id: u64,
        /// How much more.
        coins: Nanoton,
        /// Where the rest of the coins goes.
        excesses: Address,
    },
    /// The owner begins to close the proxy.
    OwnerClose {
        /// By which the sender finds its transaction.
        query_id: u64,
        /// Where the rest of the coins goes.
        excesses: Address,
    },
    /// The proxy's state, as a log entry.
    Commit {
        /// Random.
        query_id: u64,
        /// The state.
        commit: Commit,
    },
}

// === impl Message ===

impl Message {
    /// Writes the body.
    pub fn to_cell(&self) -> Cell {
        let simple = |op, query_id: &u64, excesses| Writer::body(op, *query_id).address(excesses).finish();
        match self {
            Self::Signed(signed) => signed.to_cell(),
            Self::Payout { query_id, excesses } => simple(op::PROXY_PAYOUT, query_id, excesses),
            Self::IncreaseStake {
                query_id,
                coins,
                excesses,
            } => {
                let writer = Writer::body(op::PROXY_INCREASE_STAKE, *query_id);
                writer.coins(*coins).address(excesses).finish()
            }
            Self::OwnerClose { query_id, excesses } => simple(op::PROXY_OWNER_CLOSE, query_id, excesses),
            Self::Commit { query_id, commit } => {
                let writer = Writer::body(op::DO_NOT_PROCESS, *query_id).u32(op::SAVE_STATE);
                writer.u32(commit.seqno).bytes(&commit.session).finish()
            }
        }
    }

    /// Reads a body.
    pub fn parse(cell: &Cell) -> Result<Self, CellError> {
        let mut r = Reader::new(cell, "proxy message")?;
        let op = r.u32("op")?;
        if matches!(op, op::PROXY_CLOSE | op::PROXY_CLOSE_COMPLETE) {
            return Signed::parse(cell).map(Self::Signed);
        }
        let query_id = r.u64("query_id")?;
        let message = match op {
            op::PROXY_PAYOUT => Self::Payout {
                query_id,
                excesses: r.address("excesses")?,
            },
            op::PROXY_INCREASE_STAKE => {
                let coins = r.coins("coins")?;
                Self::IncreaseStake {
                    query_id,
                    coins,
                    excesses: r.address("excesses")?,
                }
            }
            op::PROXY_OWNER_CLOSE => Self::OwnerClose {
                query_id,
                excesses: r.address("excesses")?,
            },
            op::DO_NOT_PROCESS => {
                r.expect_op(op::SAVE_STATE, "inner op")?;
                let commit = Commit {
                    seqno: r.u32("seqno")?,
                    session: r.hash("session")?,
                };
                Self::Commit { query_id, commit }
            }
            other => return Err(CellError::new("op", Flaw::Tag(other))),
        };
        r.finish()?;
        Ok(message)
    }
}
