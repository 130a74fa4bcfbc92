//! What a peer believes of its account at a proxy, and what it holds against the proxy.
//!
//! The views verify no signature and read no cell: the caller does, and tells the counts.

mod client;
mod worker;

pub use client::{ClientAction, ClientPolicy, ClientView};
pub use worker::{WorkerPolicy, WorkerView};

use crate::levels::Levels;

/// The levels that a proxy tells, with the signed payment that comes along reduced to its count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToldLevels {
    /// The count of the signed payment, verified by the caller; `None` where the proxy sent the empty one.
    pub signed: Option<u64>,
    /// The original's `db`.
    pub journal: u64,
    /// The original's `max`.
    pub memory: u64,
}

/// What a proxy said that cannot be true. The link ends, and the proxy is left until it says something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lie {
    /// A level that only grows has fallen.
    #[error("the proxy's {level} level fell from {from} to {to}")]
    Fell {
        /// Which.
        level: &'static str,
        /// From here.
        from: u64,
        /// To there.
        to: u64,
    },
    /// What is signed must be in the journal, and that in memory.
    #[error(
        "the proxy tells levels in the wrong order: {signed} signed, {journal} in its journal, {memory} in all"
    )]
    Order {
        /// Signed.
        signed: u64,
        /// In the journal.
        journal: u64,
        /// In all.
        memory: u64,
    },
    /// A client is said to owe more than its requests can have cost.
    #[error("the proxy says that we owe {told} tokens, our requests came to {most} at most")]
    Overcharged {
        /// What it says.
        told: u64,
        /// What it can be.
        most: u64,
    },
    /// A worker is said to have earned less than the requests that it served to the end.
    #[error("the proxy says that we earned {told} tokens, what we served comes to {least} at least")]
    Underpaid {
        /// What it says.
        told: u64,
        /// What it must be.
        least: u64,
    },
    /// It gave no signature where there must be one.
    #[error("the proxy gave no signed payment")]
    Unsigned,
}

/// What was pushed over one link. Pushes keep their order there. Between links (while one is renewed there are two) and between a
/// link's pushes and its answers the order is lost: an answer may be heard before what was pushed earlier, and after what was pushed
/// later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed(Levels);

/// Checks what is told when a link opens, against what was known when it was asked for; `best` is all that was ever told. A proxy
/// that was ended by force has forgotten what was in its memory alone, so that level may have fallen, down to the journal's.
fn greet(best: &mut Levels, asked: Levels, told: ToldLevels) -> Result<Pushed, Lie> {
    let mut then = asked;
    compare(&mut then, told, None)?;
    let unchanged = *best == asked;
    // Another link may have told more meanwhile.
    *best = if unchanged { then } else { highest(*best, then) };
    Ok(Pushed(then))
}

/// Checks a push against the one before it on its link.
fn push(best: &mut Levels, before: &mut Pushed, told: ToldLevels) -> Result<(), Lie> {
    let memory = before.0.memory;
    compare(&mut before.0, told, Some(memory))?;
    *best = highest(*best, before.0);
    Ok(())
}

/// Checks an answer against what was known when it was asked for.
fn answer(best: &mut Levels, asked: Levels, told: ToldLevels) -> Result<(), Lie> {
    let mut then = asked;
    compare(&mut then, told, Some(asked.memory))?;
    *best = highest(*best, then);
    Ok(())
}

fn highest(one: Levels, other: Levels) -> Levels {
    Levels {
        memory: one.memory.max(other.memory),
        journal: one.journal.max(other.journal),
        chain: one.chain.max(other.chain),
    }
}

fn compare(known: &mut Levels, told: ToldLevels, memory: Option<u64>) -> Result<(), Lie> {
    let signed = told.signed.unwrap_or(known.chain);
    if signed > told.journal || told.journal > told.memory {
        return Err(Lie::Order {
            signed,
            journal: told.journal,
            memory: told.memory,
        });
    }
    let levels = [
        ("signed", known.chain, signed),
        ("journal", known.journal, told.journal),
        ("memory", memory.unwrap_or(0), told.memory),
    ];
    for (level, from, to) in levels {
        if to < from {
            return Err(Lie::Fell { level, from, to });
        }
    }
    *known = Levels {
        memory: told.memory,
        journal: told.journal,
        chain: signed,
    };
    Ok(())
}

#[cfg(test)]
mod tests;
