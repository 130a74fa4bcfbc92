use cocoon_types::{Address, Nanoton};
use tycho_types::{
    cell::{Cell, CellBuilder, CellSliceParts},
    models::{ComputePhase, IntAddr, MsgInfo, OwnedMessage, Transaction as Stored, TxInfo},
    num::Tokens,
};

use super::{Malformed, Message, Transaction, TxId};

impl Transaction {
    /// Reads a transaction's cell.
    pub(crate) fn from_cell(cell: &Cell) -> Result<Self, Malformed> {
        let stored: Stored = cell.parse()?;
        let TxInfo::Ordinary(info) = stored.load_info()? else {
            return Err(Malformed::Kind);
        };
        let exit_code = match &info.compute_phase {
            ComputePhase::Executed(phase) => Some(phase.exit_code),
            ComputePhase::Skipped(_) => None,
        };
        let ran = matches!(&info.compute_phase, ComputePhase::Executed(phase) if phase.success);
        let acted = info.action_phase.as_ref().is_some_and(|phase| phase.success);
        let inbound = stored.in_msg.as_ref().map(Message::from_cell).transpose()?;
        let mut outbound = Vec::new();
        for message in stored.out_msgs.values() {
            outbound.push(Message::from_cell(&message?)?);
        }
        Ok(Self {
            id: TxId {
                lt: stored.lt,
                hash: cell.repr_hash().0,
            },
            prev: (stored.prev_trans_lt != 0).then_some(TxId {
                lt: stored.prev_trans_lt,
                hash: stored.prev_trans_hash.0,
            }),
            time: u64::from(stored.now),
            exit_code,
            action_code: info.action_phase.map(|phase| phase.result_code),
            aborted: info.aborted,
            success: ran && acted && !info.aborted,
            inbound,
            outbound,
            fees: amount(stored.total_fees.tokens)?,
        })
    }
}

impl Message {
    /// Reads a message's cell.
    pub(crate) fn from_cell(cell: &Cell) -> Result<Self, Malformed> {
        let stored: OwnedMessage = cell.parse()?;
        let body = body_cell(stored.body)?;
        let mut message = Self {
            source: None,
            destination: None,
            value: Nanoton::ZERO,
            forward_fee: Nanoton::ZERO,
            created_lt: 0,
            bounced: false,
            external: true,
            body_hash: body.repr_hash().0,
            body,
        };
        match stored.info {
            MsgInfo::Int(info) => {
                message.external = false;
                message.source = address(&info.src);
                message.destination = address(&info.dst);
                message.value = amount(info.value.tokens)?;
                message.forward_fee = amount(info.fwd_fee)?;
                message.created_lt = info.created_lt;
                message.bounced = info.bounced;
            }
            MsgInfo::ExtIn(info) => message.destination = address(&info.dst),
            MsgInfo::ExtOut(info) => {
                message.source = address(&info.src);
                message.created_lt = info.created_lt;
            }
        }
        Ok(message)
    }
}

/// The body as a cell of its own, whichever way the message holds it.
pub(crate) fn body_cell((range, cell): CellSliceParts) -> Result<Cell, Malformed> {
    if range.is_full(cell.as_ref()) {
        return Ok(cell);
    }
    let mut builder = CellBuilder::new();
    builder.store_slice(range.apply(&cell)?)?;
    Ok(builder.build()?)
}

fn amount(tokens: Tokens) -> Result<Nanoton, Malformed> {
    u64::try_from(tokens.into_inner())
        .map(Nanoton::new)
        .map_err(|_| Malformed::Amount)
}

/// Addresses of other workchains have no form here: nodes compare them with their own and find them different.
fn address(address: &IntAddr) -> Option<Address> {
    match address {
        IntAddr::Std(std) if std.workchain == 0 && std.anycast.is_none() => Some(Address::new(std.address.0)),
        _ => None,
    }
}
