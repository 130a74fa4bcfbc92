//! Making this node's statement.

use std::sync::Arc;

use bytes::Bytes;
use cocoon_attest::statement::{MAX_AGE, Statement};
use cocoon_link::Identity;

use crate::blocks::block;
use crate::statement::{StateError, StatedContent, StatedEvidence};
use crate::trust::Trust;

impl Trust {
    /// States this of the node, now: with the key of its identity, and the chain's newest block. The quote is made off the
    /// runtime's threads, and may take seconds.
    ///
    /// # Errors
    /// [`StateError`] says what is missing.
    pub async fn state(&self, content: &StatedContent) -> Result<StatedEvidence, StateError> {
        let blocks = self.blocks().ok_or(StateError::NoChain)?;
        let identity = self.identity().get();
        if !identity.has_evidence() {
            return Err(StateError::NoEvidence);
        }
        let head = blocks.head().await.map_err(StateError::Chain)?;
        let now = self.now();
        let block = block(head);
        // A statement does not begin before its block, whatever this node's clock says.
        let valid_from = now.max(block.time);
        let valid_until = block.time.saturating_add(MAX_AGE).min(identity.expires_at());
        if valid_until <= valid_from {
            return Err(StateError::OldHead(now.saturating_sub(block.time)));
        }
        let statement = Statement {
            key: *identity.public_key(),
            block,
            accelerators: content.accelerators,
            // Nothing asks NVIDIA's driver yet; then a machine with accelerators is `attested` at most.
            gpu_evidence: None,
            engine: content.engine,
            model: content.model,
            engine_digest: content.engine_digest,
            valid_from,
            valid_until,
            sealing_key: content.sealing_key.clone(),
        };
        let statement = statement.encode().map_err(StateError::Content)?;
        off_runtime(move || quoted(&identity, statement, now)).await
    }
}

fn quoted(identity: &Arc<Identity>, statement: Vec<u8>, now: u64) -> Result<StatedEvidence, StateError> {
    let report_data = Statement::report_data(&statement);
    let presented = identity.evidence(&report_data, now)?;
    let presented = presented.ok_or(StateError::NoEvidence)?;
    let endorsements = presented.collateral.map(|collateral| collateral.to_compact());
    Ok(StatedEvidence {
        statement: statement.into(),
        quote: presented.quote.into(),
        endorsements: endorsements.transpose()?.unwrap_or_default().into(),
        gpu_evidence: Bytes::new(),
    })
}

/// Runs work that blocks, or takes milliseconds of a core.
pub(crate) async fn off_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going down; nothing that waits here will run again.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests;
