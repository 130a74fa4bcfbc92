//! Externals at the door.

use tycho_executor::{Executor, ExecutorInspector, ExecutorParams, TxError};
use tycho_types::{boc::Boc, cell::Cell};

use super::{Ledger, LedgerError, Pending, execute::Envelope};
use crate::chain::ChainError;

/// Why an external message was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// Larger or deeper than TON lets in.
    #[error(
        "the message is larger than {MAX_EXTERNAL_BYTES} bytes or deeper than {MAX_EXTERNAL_DEPTH} cells"
    )]
    TooLarge,
    /// Not an inbound external message to an account of workchain 0.
    #[error("not an external message to an account of workchain 0")]
    NotExternal,
    /// The account did not accept it.
    #[error("the account did not accept the message{}", exit_code.map_or_else(|| ": it has no code or cannot pay for the import".to_owned(), |code| format!(", exit code {code}")))]
    NotAccepted {
        /// How the code ended, if it ran.
        exit_code: Option<i32>,
    },
    /// Too many messages wait.
    #[error("too many messages wait for a block")]
    Busy,
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// As on mainnet.
pub(crate) const MAX_EXTERNAL_BYTES: usize = 65_535;
const MAX_EXTERNAL_DEPTH: u16 = 512;
/// Externals that wait for a block; each is at most 64 KiB and held once.
const MAX_PENDING: usize = 1024;

impl Ledger {
    /// Takes an external message for the next block, if the account accepts it as things stand.
    ///
    /// A message that waits already is taken again without effect.
    ///
    /// # Errors
    /// [`SubmitError`]
    pub fn submit(&mut self, external: &Cell, now: u64) -> Result<(), SubmitError> {
        if external.repr_depth() > MAX_EXTERNAL_DEPTH || Boc::encode(external).len() > MAX_EXTERNAL_BYTES {
            return Err(SubmitError::TooLarge);
        }
        let envelope = Envelope::read(external.clone())
            .filter(|envelope| envelope.external && envelope.destination.workchain == 0)
            .ok_or(SubmitError::NotExternal)?;
        if self
            .pending
            .iter()
            .any(|pending| pending.envelope.message == envelope.message)
        {
            return Ok(());
        }
        if self.pending.len() >= MAX_PENDING || self.queue.is_overflowing() {
            return Err(SubmitError::Busy);
        }
        self.check(&envelope, now)?;
        self.arrived += 1;
        if !self.faults.drops(self.arrived) {
            let due = (self.head.seqno + 1).saturating_add(self.faults.delay_blocks);
            self.pending.push_back(Pending { envelope, due });
        }
        Ok(())
    }

    /// Whether the account would accept the message in a block that is made now.
    fn check(&self, envelope: &Envelope, now: u64) -> Result<(), SubmitError> {
        let state = self.state(&envelope.destination)?;
        let params = self.params(self.block_time(now)?, self.head.lt);
        let config = &self.config;
        let checked = super::execute::guarded(|| {
            let mut inspector = ExecutorInspector::default();
            let checked = Executor::new(&params, config)
                .with_min_lt(params.block_lt)
                .check_ordinary_ext(
                    &envelope.destination,
                    &envelope.message,
                    &state,
                    Some(&mut inspector),
                );
            match checked {
                Ok(()) => Ok(()),
                Err(TxError::Skipped) => Err(inspector.exit_code),
                Err(TxError::Fatal(_)) => Err(None),
            }
        });
        match checked {
            Some(Ok(())) => Ok(()),
            Some(Err(exit_code)) => Err(SubmitError::NotAccepted { exit_code }),
            None => Err(SubmitError::NotAccepted { exit_code: None }),
        }
    }

    pub(super) fn params(&self, time: u32, lt: u64) -> ExecutorParams {
        ExecutorParams {
            block_unixtime: time,
            block_lt: lt,
            rand_seed: super::sha256(&[b"cocoon ledger seed", &self.head.hash, &lt.to_be_bytes()]).into(),
            charge_action_fees_on_fail: true,
            strict_extra_currency: true,
            ..Default::default()
        }
    }
}

impl From<SubmitError> for ChainError {
    fn from(error: SubmitError) -> Self {
        let reason = error.to_string();
        match error {
            SubmitError::NotAccepted { exit_code } => Self::Refused { exit_code, reason },
            SubmitError::TooLarge | SubmitError::NotExternal => Self::Invalid(reason),
            SubmitError::Busy => Self::Unreachable(reason),
            SubmitError::Ledger(error) => error.into(),
        }
    }
}

impl From<LedgerError> for ChainError {
    fn from(error: LedgerError) -> Self {
        // The disk, and nothing else that a reader of the chain could do anything about.
        Self::Unreachable(error.to_string())
    }
}
