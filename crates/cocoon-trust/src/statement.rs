//! What travels of a statement, and why there is none or it is refused.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use cocoon_attest::gpu::MAX_GPU_EVIDENCE_BYTES;
use cocoon_attest::statement::{MAX_STATEMENT_BYTES, StatedEngine, Statement, StatementRefusal};
use cocoon_attest::tdx::{CollateralError, MAX_COMPACT_BYTES};
use cocoon_attest::{MAX_QUOTE_BYTES, Refusal};
use cocoon_chain::ChainError;
use cocoon_link::IdentityError;
use cocoon_tl::{TlError, TlObject as _, v3};

/// What a node states of itself, beside what [`Trust::state`](crate::Trust::state) knows: key, block, times.
#[derive(Clone, PartialEq, Eq)]
pub struct StatedContent {
    /// How many accelerators its work uses.
    pub accelerators: u8,
    /// Where its engine comes from.
    pub engine: StatedEngine,
    /// SHA-256 of the model that it serves, where it knows the file.
    pub model: Option<[u8; 32]>,
    /// SHA-256 of the engine's program, where it knows the file.
    pub engine_digest: Option<[u8; 32]>,
    /// The key to seal requests to; empty without one.
    pub sealing_key: Vec<u8>,
}

/// A statement with all that a verifier needs beside the certificate. Nothing in it is secret, and nothing verified.
#[derive(Clone, PartialEq, Eq)]
pub struct StatedEvidence {
    /// [`Statement::encode`]
    pub statement: Bytes,
    /// The quote or report over [`Statement::report_data`].
    pub quote: Bytes,
    /// What its maker vouches for it, in compact form; empty without.
    pub endorsements: Bytes,
    /// The accelerators' evidence; empty without.
    pub gpu_evidence: Bytes,
}

/// Why a node makes no statement.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// There is no chain, and so no block to name.
    #[error("a statement names a block, and no chain is configured")]
    NoChain,
    /// There is nothing to quote it with.
    #[error("this node has no evidence (tee)")]
    NoEvidence,
    /// The chain says no head.
    #[error("the chain's newest block cannot be had")]
    Chain(#[source] ChainError),
    /// The chain stands still.
    #[error("the chain's newest block is {0} s old; a statement needs one of the last hour")]
    OldHead(u64),
    /// No evidence could be made.
    #[error("the statement's evidence cannot be made")]
    Evidence(#[from] IdentityError),
    /// What the maker vouches for does not fit.
    #[error("the collateral for the statement's quote cannot travel")]
    Collateral(#[from] CollateralError),
    /// The content cannot be stated.
    #[error("this cannot be stated: {0}")]
    Content(StatementRefusal),
}

/// Why a statement is not believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// There is no chain to look the block up on.
    #[error("no chain is configured, so no statement can be verified")]
    NoChain,
    /// The chain does not answer; the statement may be good.
    #[error("the block that the statement names cannot be looked up")]
    Chain(#[source] ChainError),
    /// A part of it is over its limit.
    #[error("the {0} that came with the statement is too long")]
    TooLong(&'static str),
    /// What it came in cannot be read.
    #[error("the statement's message cannot be read")]
    Message(#[source] TlError),
    /// What came beside it cannot be read.
    #[error("what was vouched for with the statement's quote cannot be read")]
    Endorsements(#[source] CollateralError),
    /// The certificate beside it is refused.
    #[error("the certificate with the statement: {0}")]
    Certificate(Refusal),
    /// The statement is refused.
    #[error(transparent)]
    Refused(#[from] StatementRefusal),
}

// === impl StatedEvidence ===

impl StatedEvidence {
    /// The statement's name in offers and receipts. It covers the statement alone, not what proves it.
    pub fn digest(&self) -> [u8; 32] {
        Statement::digest(&self.statement)
    }

    /// [`StatedEvidence::digest`] in hex, as logs and statuses name it.
    pub fn name(&self) -> String {
        hex::encode(self.digest())
    }

    /// What it says, unverified.
    ///
    /// # Errors
    /// It is none.
    pub fn statement(&self) -> Result<Statement, StatementRefusal> {
        Statement::decode(&self.statement)
    }

    /// As it is sent on a link of protocol 3.
    pub fn to_boxed(&self) -> Bytes {
        let message = v3::Statement {
            statement: self.statement.clone(),
            quote: self.quote.clone(),
            endorsements: self.endorsements.clone(),
            gpu_evidence: self.gpu_evidence.clone(),
        };
        message.to_boxed()
    }

    /// What came on a link of protocol 3.
    ///
    /// # Errors
    /// It does not parse, or a part of it is too long.
    pub fn from_boxed(message: Bytes) -> Result<Self, StatementError> {
        let message = v3::Statement::from_boxed(message).map_err(StatementError::Message)?;
        let evidence = Self {
            statement: message.statement,
            quote: message.quote,
            endorsements: message.endorsements,
            gpu_evidence: message.gpu_evidence,
        };
        evidence.check_sizes()?;
        Ok(evidence)
    }

    /// Sizes first, before anything reads it.
    ///
    /// # Errors
    /// [`StatementError::TooLong`].
    pub fn check_sizes(&self) -> Result<(), StatementError> {
        let parts = [
            ("statement", &self.statement, MAX_STATEMENT_BYTES),
            ("quote", &self.quote, MAX_QUOTE_BYTES),
            ("collateral", &self.endorsements, MAX_COMPACT_BYTES),
            ("GPU evidence", &self.gpu_evidence, MAX_GPU_EVIDENCE_BYTES),
        ];
        match parts.into_iter().find(|(_, bytes, most)| bytes.len() > *most) {
            Some((name, ..)) => Err(StatementError::TooLong(name)),
            None => Ok(()),
        }
    }

    /// Over everything, with the certificate: what a verdict is remembered under.
    pub(crate) fn whole_digest(&self, certificate: &[u8]) -> [u8; 32] {
        let mut hash = Context::new(&SHA256);
        hash.update(b"cocoon stated evidence v1\0");
        let parts = [
            certificate,
            &self.statement,
            &self.quote,
            &self.endorsements,
            &self.gpu_evidence,
        ];
        for part in parts {
            hash.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(hash.finish().as_ref());
        digest
    }
}

impl fmt::Debug for StatedEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatedEvidence")
            .field("digest", &hex::encode(&self.digest()[..8]))
            .field("quote", &self.quote.len())
            .field("endorsements", &self.endorsements.len())
            .field("gpu_evidence", &self.gpu_evidence.len())
            .finish_non_exhaustive()
    }
}

// === impl StatedContent ===

impl Default for StatedContent {
    /// Of a node without an engine.
    fn default() -> Self {
        Self {
            accelerators: 0,
            engine: StatedEngine::None,
            model: None,
            engine_digest: None,
            sealing_key: Vec::new(),
        }
    }
}

impl fmt::Debug for StatedContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatedContent")
            .field("accelerators", &self.accelerators)
            .field("engine", &self.engine)
            .field("sealing_key_bytes", &self.sealing_key.len())
            .finish_non_exhaustive()
    }
}

// === impl StatementError ===

impl StatementError {
    /// Whether it is the statement that is bad; otherwise it may be good, and can be tried again.
    pub const fn is_refusal(&self) -> bool {
        !matches!(self, Self::NoChain | Self::Chain(_))
    }
}

#[cfg(test)]
mod tests;
