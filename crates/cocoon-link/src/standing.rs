//! A peer's standing on a link: that it was appraised, and that it is again when the rules change.

use std::sync::Arc;

use cocoon_attest::{Refusal, Side, VerifiedPeer};
use tokio::sync::watch;

use crate::appraiser::{Appraiser, Rules};
use crate::options::LinkOptions;

/// The other end of a stream, as it was appraised, and what to do that again with.
#[derive(Debug)]
pub(crate) struct Attested {
    pub(crate) peer: VerifiedPeer,
    /// What it presented, in DER, for whoever hands the peer's evidence on. Nothing for an end within this process.
    pub(crate) certificate: Option<Arc<[u8]>>,
    /// Nothing for an end within this process.
    pub(crate) standing: Option<Standing>,
}

/// A peer's certificate, and rules that may change.
#[derive(Debug)]
pub(crate) struct Standing {
    certificate: Arc<[u8]>,
    side: Side,
    appraiser: Appraiser,
    changes: watch::Receiver<Arc<Rules>>,
    clock: fn() -> u64,
}

/// Why a link that stands may not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fallen {
    #[error("the peer is refused by the rules that hold now: {0}")]
    Refused(Refusal),
    #[error("the peer's tier is another one by the rules that hold now")]
    OtherTier,
}

// === impl Standing ===

impl Standing {
    /// Appraises the owner of this certificate, who has shown that it holds the key.
    pub(crate) fn take(certificate: &[u8], side: Side, options: &LinkOptions) -> Result<Attested, Refusal> {
        let appraiser = options.appraiser().clone();
        // Before the appraisal, so that no change is missed between the two.
        let changes = appraiser.changes();
        let peer = appraiser.appraise(certificate, side, options.now())?;
        let certificate: Arc<[u8]> = Arc::from(certificate);
        let standing = Self {
            certificate: Arc::clone(&certificate),
            side,
            appraiser,
            changes,
            clock: options.clock(),
        };
        Ok(Attested {
            peer,
            certificate: Some(certificate),
            standing: Some(standing),
        })
    }

    /// Waits until the peer must go.
    pub(crate) async fn fall(mut self, peer: &VerifiedPeer) -> Fallen {
        loop {
            if self.changes.changed().await.is_err() {
                // Not while we hold an appraiser.
                return std::future::pending().await;
            }
            let certificate = Arc::clone(&self.certificate);
            let now = (self.clock)();
            match self.appraiser.appraise_again(certificate, self.side, now).await {
                Ok(again) if again.tier() == peer.tier() => {}
                Ok(_) => return Fallen::OtherTier,
                Err(refusal) => return Fallen::Refused(refusal),
            }
        }
    }
}

impl From<VerifiedPeer> for Attested {
    fn from(peer: VerifiedPeer) -> Self {
        Self {
            peer,
            certificate: None,
            standing: None,
        }
    }
}
