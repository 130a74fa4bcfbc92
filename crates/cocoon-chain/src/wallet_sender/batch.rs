//! Which messages go together, and what they may cost.

use std::collections::VecDeque;

use cocoon_contracts::wallet::{Outgoing, mode};
use cocoon_types::Nanoton;
use tycho_types::cell::Cell;

use super::Item;

/// Messages of one external: with contracts' codes in them they stay far below the 64 KiB of an external.
const MAX_BATCH: usize = 8;
/// What the wallet's own work costs at most: its gas and the import of the external, with some storage to be paid.
const WORK: u64 = 10_000_000;
/// Carriage of a message in nanoTON, as on mainnet: a lump sum, for a bit, for a cell.
const LUMP: u64 = 400_000;
const PER_BIT: u64 = 400;
const PER_CELL: u64 = 40_000;
/// Cells of one message that are counted; above that its carriage would cost 100 TON.
const MAX_CELLS: usize = 8192;

/// Takes the next messages that the balance allows, in order; none if the first is too dear.
pub(super) fn take(waiting: &mut VecDeque<Item>, available: Nanoton, keep: Nanoton) -> Vec<Item> {
    let mut batch = Vec::new();
    let mut cost = base(keep);
    while let Some(next) = waiting.front() {
        // Everything that the wallet has can only go alone.
        let alone = is_everything(&next.outgoing)
            || batch
                .last()
                .is_some_and(|item: &Item| is_everything(&item.outgoing));
        let with_next = cost.and_then(|cost| cost.checked_add(message_cost(&next.outgoing)?));
        let fits = with_next.is_some_and(|cost| cost <= available);
        if batch.len() >= MAX_BATCH || (alone && !batch.is_empty()) || !fits {
            break;
        }
        cost = with_next;
        batch.extend(waiting.pop_front());
    }
    batch
}

/// What one message needs when it goes alone.
pub(super) fn needed(outgoing: &Outgoing, keep: Nanoton) -> Nanoton {
    let needed = base(keep).and_then(|base| base.checked_add(message_cost(outgoing)?));
    needed.unwrap_or(Nanoton::new(u64::MAX))
}

fn base(keep: Nanoton) -> Option<Nanoton> {
    keep.checked_add(Nanoton::new(WORK))
}

fn message_cost(outgoing: &Outgoing) -> Option<Nanoton> {
    let carriage = Nanoton::new(carriage(outgoing));
    match is_everything(outgoing) {
        true => Some(carriage),
        false => outgoing.value.checked_add(carriage),
    }
}

fn carriage(outgoing: &Outgoing) -> u64 {
    let init = outgoing.state_init.as_ref().map(|init| init.to_cell());
    [init.as_ref(), outgoing.body.as_ref()]
        .into_iter()
        .flatten()
        .map(weight)
        .fold(LUMP + PER_CELL, u64::saturating_add)
}

fn weight(cell: &Cell) -> u64 {
    let Some(stats) = cell.compute_unique_stats(MAX_CELLS) else {
        return u64::MAX;
    };
    let (bits, cells) = (stats.bit_count, stats.cell_count);
    bits.saturating_mul(PER_BIT)
        .saturating_add(cells.saturating_mul(PER_CELL))
}

fn is_everything(outgoing: &Outgoing) -> bool {
    outgoing.mode & mode::ALL != 0
}
