//! What a node presents of itself, whom it takes, and whether its clock can be believed; one [`Trust`] for each node.
//!
//! It makes the node's identity from its TEE and renews it, turns the registry's lists and the local configuration into the
//! policies of its ports, follows the registry while the node runs, and compares the clock with the chain. It verifies
//! nothing itself: that is `cocoon-attest`, through the appraisers of `cocoon-link`. Roles call it.
#![forbid(unsafe_code)]

mod clock;
mod keys;
mod policy;
mod tee;
mod trust;

pub use clock::{ClockFault, ClockWatch, TOLERANCE};
pub use keys::{MAX_IMAGES, TeeChoice, TrustConfig, TrustKeys, TrustKeysError};
pub use policy::Peers;
pub use trust::{Trust, TrustError};
