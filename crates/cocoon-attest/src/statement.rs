//! The statement of a node: what stands behind its link right now, over a quote of its own.
//!
//! A certificate's quote ties a key to an image and has no time in it. A statement says more about the same node (DESIGN
//! sections 2 and 3.1): a block that existed when it was made, the accelerators in use with the digest of their evidence,
//! the digests of model and engine, a sealing key. Its own quote has [`Statement::report_data`] in it, which begins with a
//! domain, so that neither kind of quote can stand in for the other. The bytes are in docs/attestation.md, section 6.
//!
//! Steps of [`verify_statement`], in this order; a [`StatementRefusal`] names the step:
//! 1. sizes and form;
//! 2. the key is the one of the link on which it came: a statement of somebody else is worth nothing;
//! 3. its window: begun, not over, no longer than [`MAX_AGE`], and not from before its block;
//! 4. its block: on the chain as the verifier knows it, not from the future, at most [`MAX_AGE`] old;
//! 5. GPU evidence is there if and only if it is named, and has the named digest;
//! 6. the quote, by the same lines as a certificate's; the same image as the link's, and simulated if and only if that is;
//! 7. each GPU's evidence, with the nonce of this key and block; as many as are in use;
//! 8. the tier, and the earliest end of everything.
//!
//! Freshness is as good as the verifier's view of the chain. The block's id cannot be known before the block is made, so a
//! statement cannot be made in advance by a machine whose keys are taken later; it can be up to an hour old.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256, SHA512};
use cocoon_types::Tier;

use crate::appraise::{Endorsements, Quoted, VerifiedPeer, tier};
use crate::gpu::{self, GpuClaims, GpuEvidence};
use crate::image::fixed;
use crate::policy::{Accelerators, Policy};
use crate::roots::Roots;

mod refusal;
mod wire;

pub use refusal::StatementRefusal;
pub use wire::{MAX_SEALING_KEY_BYTES, MAX_STATEMENT_BYTES, STATEMENT_VERSION};

/// Stands in front of everything that [`Statement::report_data`] hashes.
pub const STATEMENT_DOMAIN: &[u8; 20] = b"cocoon statement v1\0";

/// Oldest block and longest life of a statement, in seconds (DESIGN section 2: "at most one hour old").
pub const MAX_AGE: u64 = 3600;

/// How far the clocks of two nodes may be apart, in seconds: each may be 30 s from the chain's.
pub const CLOCK_TOLERANCE: u64 = 60;

/// What a node says of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Statement {
    /// The Ed25519 key of its certificate.
    pub key: [u8; 32],
    /// A block that existed when it was made.
    pub block: Block,
    /// How many accelerators its work uses.
    pub accelerators: u8,
    /// [`gpu::evidence_digest`] of the evidence of all of them; `None` when there is none.
    pub gpu_evidence: Option<[u8; 32]>,
    /// Where its engine comes from.
    pub engine: StatedEngine,
    /// SHA-256 of the model that it serves.
    pub model: Option<[u8; 32]>,
    /// SHA-256 of the engine's program.
    pub engine_digest: Option<[u8; 32]>,
    /// First Unix second at which it holds.
    pub valid_from: u64,
    /// Last Unix second at which it holds.
    pub valid_until: u64,
    /// The key to seal requests to; opaque here, empty without one.
    pub sealing_key: Vec<u8>,
}

/// A block of the masterchain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its number.
    pub seqno: u32,
    /// Its root hash.
    pub id: [u8; 32],
    /// Its time, Unix seconds.
    pub time: u64,
}

/// Where a node's engine comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatedEngine {
    /// It has none: a client or a proxy.
    None,
    /// The measured image started it.
    OfImage,
    /// From elsewhere: what it does with a prompt, nobody measured.
    Outside,
}

/// What comes with a statement.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// The statement, encoded.
    pub statement: &'a [u8],
    /// Quote or report over [`Statement::report_data`].
    pub quote: &'a [u8],
    /// [`gpu::encode_evidence`] of the accelerators' evidence; empty without any.
    pub gpu_evidence: &'a [u8],
    /// What the maker vouches for the quote.
    pub endorsements: Option<Endorsements<'a>>,
}

/// The chain as the verifier itself knows it.
#[derive(Clone, Copy, Debug)]
pub struct ChainView {
    /// The newest block.
    pub head: Block,
    /// The block whose number the statement names, if the verifier's chain has one.
    pub named: Option<Block>,
}

/// The proof that a statement was verified on a link. Only [`verify_statement`] makes one.
///
/// ```compile_fail,E0451
/// fn forge(peer: cocoon_attest::VerifiedPeer, statement: cocoon_attest::statement::Statement) {
///     let forged = cocoon_attest::statement::VerifiedStatement {
///         peer,
///         statement,
///         gpus: Vec::new(),
///     };
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedStatement {
    peer: VerifiedPeer,
    statement: Statement,
    gpus: Vec<GpuClaims>,
}

/// Verifies what came on the link of `peer`, at the Unix second `now`.
///
/// # Errors
/// The [`StatementRefusal`] of the first check that fails, in the order of this module's header.
pub fn verify_statement(
    presented: Presented<'_>,
    peer: &VerifiedPeer,
    policy: &Policy,
    roots: &Roots,
    chain: &ChainView,
    now: u64,
) -> Result<VerifiedStatement, StatementRefusal> {
    // Step 1.
    let statement = Statement::decode(presented.statement)?;
    // Step 2.
    if statement.key != *peer.key() {
        return Err(StatementRefusal::Key);
    }
    // Steps 3 and 4.
    statement.check_window(now)?;
    statement.check_block(chain, now)?;
    // Step 5.
    let evidence = statement.gpu_evidence_of(presented.gpu_evidence)?;
    // Step 6.
    let quoted = Quoted {
        quote: presented.quote,
        report_data: Statement::report_data(presented.statement),
        endorsements: presented.endorsements,
    };
    let worth = quoted.appraise(Accelerators::NotAttested, policy, roots, now)?;
    if worth.image_hash != *peer.image_hash() {
        return Err(StatementRefusal::Image);
    }
    let simulated = worth.tier == Tier::Simulated;
    if simulated != (peer.tier() == Tier::Simulated) {
        return Err(StatementRefusal::Kind);
    }
    // Step 7.
    let root = match roots.development_gpu() {
        Some(root) if simulated => root,
        _ => roots.nvidia(),
    };
    let gpus = statement.verify_gpus(&evidence, root, policy, now)?;
    // Step 8.
    let accelerators = match statement.accelerators {
        0 => Accelerators::None,
        _ => gpu::accelerators(&gpus),
    };
    let mut earned = tier(simulated, &policy.image_hashes, accelerators);
    if statement.engine == StatedEngine::Outside && !simulated {
        earned = Tier::Open;
    }
    let ends = [
        statement.valid_until,
        statement.block.time.saturating_add(MAX_AGE),
        worth.expires_at,
    ];
    let gpu_ends = gpus.iter().map(|gpu| gpu.expires_at);
    let expires_at = ends.into_iter().chain(gpu_ends).min().unwrap_or(0);
    Ok(VerifiedStatement {
        peer: peer.stated(earned, expires_at),
        statement,
        gpus,
    })
}

// === impl Statement ===

impl Statement {
    /// What the quote of an encoded statement must have for report data: SHA-512([`STATEMENT_DOMAIN`] ‖ statement).
    pub fn report_data(encoded: &[u8]) -> [u8; 64] {
        let mut hash = Context::new(&SHA512);
        hash.update(STATEMENT_DOMAIN);
        hash.update(encoded);
        fixed(hash.finish().as_ref())
    }

    /// SHA-256 of an encoded statement with its domain: the name that receipts and offers give it.
    pub fn digest(encoded: &[u8]) -> [u8; 32] {
        let mut hash = Context::new(&SHA256);
        hash.update(STATEMENT_DOMAIN);
        hash.update(encoded);
        fixed(hash.finish().as_ref())
    }

    /// The nonce that the accelerators' evidence must have.
    pub fn gpu_nonce(&self) -> [u8; 32] {
        gpu::nonce(&self.key, &self.block.id)
    }

    /// Step 3.
    fn check_window(&self, now: u64) -> Result<(), StatementRefusal> {
        let (from, until) = (self.valid_from, self.valid_until);
        if until < from || until.saturating_sub(from) > MAX_AGE || from < self.block.time {
            Err(StatementRefusal::Window)
        } else if from > now.saturating_add(CLOCK_TOLERANCE) {
            Err(StatementRefusal::NotYetValid { from })
        } else if now > until {
            Err(StatementRefusal::Expired { until })
        } else {
            Ok(())
        }
    }

    /// Step 4. What is known of the chain counts, not what the statement says of it.
    fn check_block(&self, chain: &ChainView, now: u64) -> Result<(), StatementRefusal> {
        if self.block.seqno > chain.head.seqno || self.block.time > chain.head.time {
            return Err(StatementRefusal::FutureBlock);
        }
        if chain.named != Some(self.block) {
            return Err(StatementRefusal::UnknownBlock);
        }
        // Whichever of the two clocks is ahead: holding one back does not make a statement younger.
        let age = chain.head.time.max(now).saturating_sub(self.block.time);
        if age > MAX_AGE {
            return Err(StatementRefusal::StaleBlock { age });
        }
        Ok(())
    }

    /// Step 5.
    fn gpu_evidence_of(&self, bytes: &[u8]) -> Result<Vec<GpuEvidence>, StatementRefusal> {
        match self.gpu_evidence {
            None if bytes.is_empty() => Ok(Vec::new()),
            Some(digest) if gpu::evidence_digest(bytes) == digest => Ok(gpu::decode_evidence(bytes)?),
            _ => Err(StatementRefusal::GpuEvidence),
        }
    }

    /// Step 7.
    fn verify_gpus(
        &self,
        evidence: &[GpuEvidence],
        root: &[u8],
        policy: &Policy,
        now: u64,
    ) -> Result<Vec<GpuClaims>, StatementRefusal> {
        // Without evidence the accelerators are not attested; with it, it is of all of them.
        if !evidence.is_empty() && evidence.len() != usize::from(self.accelerators) {
            return Err(StatementRefusal::GpuCount {
                used: self.accelerators,
                shown: evidence.len(),
            });
        }
        let nonce = self.gpu_nonce();
        let verified = evidence.iter().enumerate().map(|(number, one)| {
            gpu::verify(one, &nonce, root, &policy.gpu, now)
                .map_err(|refusal| StatementRefusal::Gpu { number, refusal })
        });
        verified.collect()
    }
}

impl fmt::Debug for Statement {
    /// Short enough for a log line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statement")
            .field("block", &self.block.seqno)
            .field("accelerators", &self.accelerators)
            .field("engine", &self.engine)
            .field("valid_until", &self.valid_until)
            .field("sealing_key_bytes", &self.sealing_key.len())
            .finish_non_exhaustive()
    }
}

// === impl VerifiedStatement ===

impl VerifiedStatement {
    /// The peer of the link, with the tier that the statement earns and with the earlier end of both.
    pub const fn peer(&self) -> &VerifiedPeer {
        &self.peer
    }

    /// What it says.
    pub const fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The tier that link and statement earn together.
    pub const fn tier(&self) -> Tier {
        self.peer.tier()
    }

    /// Last Unix second at which all of it holds.
    pub const fn expires_at(&self) -> u64 {
        self.peer.expires_at()
    }

    /// What the GPUs' evidence says, each with its verdict.
    pub fn gpus(&self) -> &[GpuClaims] {
        &self.gpus
    }
}

impl fmt::Debug for VerifiedStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedStatement")
            .field("peer", &self.peer)
            .field("statement", &self.statement)
            .field("gpus", &self.gpus.len())
            .finish()
    }
}

#[cfg(test)]
mod tests;
