//! What an external message would cost.

use cocoon_types::Address;
use tycho_types::{
    cell::Cell,
    dict::Dict,
    models::{ComputePhase, ExtInMsgInfo, MsgInfo, OwnedMessage, StateInit, TxInfo},
    num::Tokens,
};

use super::{
    Ledger, SubmitError,
    execute::{Envelope, Outcome, execute},
    read::std,
};
use crate::chain::ChainError;

/// Fees in nanoTON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fees {
    pub(crate) import: u64,
    pub(crate) storage: u64,
    pub(crate) gas: u64,
    pub(crate) forward: u64,
}

impl Ledger {
    /// Executes the message and forgets it.
    pub(crate) fn estimate(
        &self,
        address: Address,
        body: Cell,
        init: Option<(Cell, Cell)>,
        ignore_signature: bool,
        now: u64,
    ) -> Result<Fees, ChainError> {
        let broken = |error: tycho_types::error::Error| ChainError::Invalid(error.to_string());
        let message = tycho_types::cell::CellBuilder::build_from(OwnedMessage {
            info: MsgInfo::ExtIn(ExtInMsgInfo {
                src: None,
                dst: std(address).into(),
                import_fee: Tokens::ZERO,
            }),
            init: init.map(|(code, data)| StateInit {
                split_depth: None,
                special: None,
                code: Some(code),
                data: Some(data),
                libraries: Dict::new(),
            }),
            body: body.into(),
            layout: None,
        })
        .map_err(broken)?;
        let envelope = Envelope {
            destination: std(address),
            external: true,
            message,
        };
        let state = self.state(&envelope.destination)?;
        let mut params = self.params(self.block_time(now)?, self.head.lt);
        params.vm_modifiers.chksig_always_succeed = ignore_signature;
        let output = match execute(&self.config, &params, params.block_lt, &envelope, &state) {
            Outcome::Done(output) => output,
            Outcome::NotAccepted(exit_code) => return Err(SubmitError::NotAccepted { exit_code }.into()),
            Outcome::Broken(reason) => return Err(ChainError::Invalid(reason)),
        };
        let transaction = output.transaction.load().map_err(broken)?;
        let TxInfo::Ordinary(info) = transaction.load_info().map_err(broken)? else {
            return Err(ChainError::Invalid("not an ordinary transaction".into()));
        };
        let nano = |tokens: Tokens| u64::try_from(tokens.into_inner()).unwrap_or(u64::MAX);
        let gas = match info.compute_phase {
            ComputePhase::Executed(phase) => nano(phase.gas_fees),
            ComputePhase::Skipped(_) => 0,
        };
        let storage = info
            .storage_phase
            .map_or(0, |phase| nano(phase.storage_fees_collected));
        let (action, forward) = info.action_phase.map_or((0, 0), |phase| {
            let nano = |tokens: Option<Tokens>| tokens.map_or(0, nano);
            (nano(phase.total_action_fees), nano(phase.total_fwd_fees))
        });
        // What was paid and is none of the others is the import.
        let total = nano(transaction.total_fees.tokens);
        let import = total
            .saturating_sub(gas)
            .saturating_sub(storage)
            .saturating_sub(action);
        Ok(Fees {
            import,
            storage,
            gas,
            forward,
        })
    }
}
