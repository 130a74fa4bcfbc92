use cocoon_types::{Address, Nanoton};

use crate::{Cell, CellError, op, reader::Reader, worker, writer::Writer};

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

// === impl WorkerEvent ===

impl WorkerEvent {
    /// Writes the body that a worker contract sends.
    pub fn to_cell(&self) -> Cell {
        let payout = self.payout.map(|payout| payout.to_cell());
        let writer = Writer::body(op::WORKER_PROXY_REQUEST, self.query_id).address(&self.owner);
        let writer = writer.uint(self.state.code(), 2).u64(self.tokens);
        writer.maybe_reference(payout.as_ref()).finish()
    }

    pub(super) fn read(mut r: Reader<'_>) -> Result<Self, CellError> {
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
