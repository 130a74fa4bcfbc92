//! What a node presents of itself, whom it takes, and whether its clock can be believed; one [`Trust`] for each node.
//!
//! It makes the node's identity from its TEE and renews it, turns the registry's lists and the local configuration into the
//! policies of its ports, follows the registry while the node runs, and compares the clock with the chain. It makes the
//! node's statements and has others' verified. It verifies nothing itself: that is `cocoon-attest`, for certificates through
//! the appraisers of `cocoon-link`. Roles call it.
#![forbid(unsafe_code)]

mod blocks;
mod clock;
mod judge;
mod keys;
mod policy;
mod state;
mod statement;
mod tee;
mod trust;

pub use cocoon_attest::statement::{Block, StatedEngine, Statement, VerifiedStatement};
pub use cocoon_tee::machine::accelerators;

pub use clock::{ClockFault, ClockWatch, TOLERANCE};
pub use keys::{MAX_IMAGES, TeeChoice, TrustConfig, TrustKeys, TrustKeysError};
pub use policy::Peers;
pub use statement::{StateError, StatedContent, StatedEvidence, StatementError};
pub use trust::{Trust, TrustError};
