//! One external that is under way.

use std::time::Duration;

use cocoon_contracts::{
    hash,
    wallet::{Outgoing, Wallet},
};
use tokio::time::Instant;
use tycho_types::cell::Cell;

use super::{Item, SendError, Sent};
use crate::chain::{Chain, ChainError, Transaction};

/// Refusals of an external that was never taken before it is given up: one may be a race with a block.
const MAX_REFUSALS: u32 = 3;

/// Messages in an external, and where it stands.
pub(super) struct Flight {
    pub(super) seqno: u32,
    /// On the chain's clock.
    pub(super) valid_until: u32,
    body_hash: [u8; 32],
    message: Cell,
    /// The wallet's newest transaction when the external was built; its own comes later.
    pub(super) after_lt: u64,
    /// Whether the chain may have it.
    maybe_taken: bool,
    refusals: u32,
    handed_over: Option<Instant>,
}

impl Flight {
    pub(super) fn new(
        wallet: &Wallet,
        seqno: u32,
        valid_until: u32,
        after_lt: u64,
        batch: &[Item],
    ) -> Result<Self, SendError> {
        let outgoing: Vec<Outgoing> = batch.iter().map(|item| item.outgoing.clone()).collect();
        let external = wallet.external(seqno, valid_until, &outgoing)?;
        Ok(Self {
            seqno,
            valid_until,
            body_hash: external.body_hash,
            message: external.message,
            after_lt,
            maybe_taken: false,
            refusals: 0,
            handed_over: None,
        })
    }

    /// Hands the external over, unless that was done a moment ago.
    ///
    /// # Errors
    /// The chain's refusal, if the external was never taken and will not be.
    pub(super) async fn hand_over(&mut self, chain: &dyn Chain, resend: Duration) -> Result<(), ChainError> {
        if self.handed_over.is_some_and(|when| when.elapsed() < resend) {
            return Ok(());
        }
        let answer = chain.send(&self.message).await;
        match answer {
            Ok(()) => {
                self.maybe_taken = true;
                self.handed_over = Some(Instant::now());
            }
            Err(error) if error.is_passing() => {
                // It may have arrived although no answer came.
                self.maybe_taken = true;
                tracing::warn!(%error, "an external message could not be handed over");
            }
            Err(error) => {
                self.refusals += 1;
                // A refusal of one that may be on its way says nothing: it may just have been executed.
                if !self.maybe_taken && self.refusals >= MAX_REFUSALS {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Whether this is the transaction of our external.
    pub(super) fn is_mine(&self, transaction: &Transaction) -> bool {
        let inbound = transaction.inbound.as_ref();
        inbound.is_some_and(|message| message.external && message.body_hash == self.body_hash)
    }
}

/// Tells for each message of a batch whether the wallet's transaction sent it. Both are in the same order, and the wallet
/// leaves out what it cannot send.
pub(super) fn outcomes(batch: &[Item], transaction: &Transaction) -> Vec<Result<Sent, SendError>> {
    let mut sent = transaction.outbound.iter();
    let left_out = SendError::LeftOut {
        transaction: transaction.id,
    };
    let mut outcomes = Vec::with_capacity(batch.len());
    for item in batch {
        let body_hash = item.outgoing.contents().map(|body| hash(&body)).ok();
        let mut ahead = sent.clone();
        let found = ahead.find(|message| {
            message.destination == Some(item.outgoing.to) && Some(message.body_hash) == body_hash
        });
        outcomes.push(match found {
            None => Err(left_out.clone()),
            Some(message) => {
                sent = ahead;
                Ok(Sent {
                    transaction: transaction.id,
                    created_lt: message.created_lt,
                    value: message.value,
                })
            }
        });
    }
    outcomes
}
