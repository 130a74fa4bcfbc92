//! The chain as statements need it: the newest block, and those that peers name.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cocoon_attest::statement::{Block, ChainView};
use cocoon_chain::{Chain, ChainError, Head};
use tokio::time::{Instant, sleep, timeout};

/// For one question to the chain.
const DEADLINE: Duration = Duration::from_secs(10);

/// A head that was seen so long ago is still the newest, for whoever asks about an older block.
const FRESH: Duration = Duration::from_secs(10);

/// Named blocks that are remembered; nodes name new blocks all the time, and several the same.
const MAX_NAMED: usize = 128;

/// A peer may hear of a block a moment before us: its chain's server is another one.
const LAG: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_millis(1500),
    Duration::from_secs(3),
];

/// How many blocks ahead of ours that may be.
const MAX_LAG: u32 = 16;

/// Asks the chain, and remembers.
pub(crate) struct Blocks {
    chain: Arc<dyn Chain>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    head: Option<(Head, Instant)>,
    named: VecDeque<Head>,
}

// === impl Blocks ===

impl Blocks {
    pub(crate) fn new(chain: Arc<dyn Chain>) -> Self {
        Self {
            chain,
            known: Mutex::default(),
        }
    }

    /// The newest block, asked now.
    pub(crate) async fn head(&self) -> Result<Head, ChainError> {
        let asked = timeout(DEADLINE, self.chain.head()).await;
        let head = asked.map_err(|_| late())??;
        let mut known = self.known();
        // A server that is behind does not take us back.
        if known.head.is_none_or(|(before, _)| before.seqno <= head.seqno) {
            known.head = Some((head, Instant::now()));
        }
        Ok(head)
    }

    /// What the chain says about the block of this number.
    pub(crate) async fn view(&self, seqno: u32) -> Result<ChainView, ChainError> {
        let head = self.head_beyond(seqno).await?;
        let named = if seqno > head.seqno {
            None
        } else if seqno == head.seqno {
            Some(head)
        } else {
            self.named(seqno).await?
        };
        Ok(ChainView {
            head: block(head),
            named: named.map(block),
        })
    }

    /// A head that is not older than the block of this number, if there is one.
    async fn head_beyond(&self, seqno: u32) -> Result<Head, ChainError> {
        let known = self.known().head;
        if let Some((head, seen)) = known
            && head.seqno >= seqno
            && seen.elapsed() < FRESH
        {
            return Ok(head);
        }
        let mut head = self.head().await?;
        for pause in LAG {
            if head.seqno >= seqno || seqno - head.seqno > MAX_LAG {
                break;
            }
            sleep(pause).await;
            head = self.head().await?;
        }
        Ok(head)
    }

    async fn named(&self, seqno: u32) -> Result<Option<Head>, ChainError> {
        if let Some(known) = self.known().named.iter().find(|known| known.seqno == seqno) {
            return Ok(Some(*known));
        }
        let asked = timeout(DEADLINE, self.chain.block_at(seqno)).await;
        match asked.map_err(|_| late())? {
            Ok(named) => {
                let mut known = self.known();
                known.named.push_back(named);
                if known.named.len() > MAX_NAMED {
                    known.named.pop_front();
                }
                Ok(Some(named))
            }
            Err(ChainError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Each change leaves it whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocks").finish_non_exhaustive()
    }
}

/// As statements name it.
pub(crate) const fn block(head: Head) -> Block {
    Block {
        seqno: head.seqno,
        id: head.id,
        time: head.time,
    }
}

fn late() -> ChainError {
    ChainError::Unreachable("no answer in time".into())
}

#[cfg(test)]
mod tests;
