//! Intel's collateral for this machine's quotes: fetched, kept on disk, renewed at half its life, used offline to its end.
//!
//! It comes from Intel's provisioning service (PCS) or a cache of it (PCCS). Everything in it is signed by Intel, so where it
//! came from decides nothing: what does not verify for the quote up to the root, or is older than what is there, is thrown
//! away. A platform that turns out to be revoked is news like any other, and is kept.
//!
//! What is asked for is read from the quote, which nobody has verified then: six bytes and one of two words. No address
//! comes from a quote, a certificate or an answer, and redirects are not followed.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cocoon_attest::tdx::{self, Collateral, PlatformId};
use tokio::sync::Mutex;

mod client;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod store;
mod wire;

use client::Source;
pub use error::{CollateralServiceError, FetchError};

/// Intel's own service.
pub const INTEL_PCS: &str = "https://api.trustedservices.intel.com";

/// Where collateral comes from and where it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollateralOptions {
    /// Base address of the PCS or a PCCS, `http` or `https`. Default: [`INTEL_PCS`].
    pub url: String,
    /// Address of the root's revocation list. Default: Intel's for Intel's service, else what a PCCS has below `url`.
    pub root_crl_url: Option<String>,
    /// Directory to keep it in; `None` keeps it in memory alone.
    pub directory: Option<PathBuf>,
    /// Time to connect. Default: 5 s.
    pub connect: Duration,
    /// Time for one answer, from the question to its last byte. Default: 15 s.
    pub deadline: Duration,
    /// Attempts for one answer. Default: 3.
    pub attempts: u32,
    /// Pause after the first failed attempt; doubled after each. Default: 500 ms.
    pub pause: Duration,
}

/// Fetches and keeps collateral. Asked by many tasks at once, it fetches once.
#[derive(Debug)]
pub struct CollateralService {
    source: Source,
    store: store::Store,
    root_der: Vec<u8>,
    clock: fn() -> u64,
    kept: Mutex<HashMap<PlatformId, Kept>>,
}

/// What is kept for one platform.
#[derive(Clone, Debug)]
struct Kept {
    collateral: Arc<Collateral>,
    /// From half its life on, newer is asked for.
    renew_at: u64,
    expires_at: u64,
    /// Not asked again before: set when a renewal failed.
    wait_until: u64,
}

/// Platforms whose collateral is kept in memory: a node has one, a verifier that fetches for others a few kinds.
const MAX_PLATFORMS: usize = 64;

/// Seconds between attempts to renew what still holds.
const RETRY_RENEWAL: u64 = 600;

// === impl CollateralService ===

impl CollateralService {
    /// A service that keeps what verifies up to this root, in DER. `clock` gives Unix seconds.
    ///
    /// # Errors
    /// An address is none, or the machine has no certificate roots for `https`.
    pub fn new(
        options: CollateralOptions,
        root_der: &[u8],
        clock: fn() -> u64,
    ) -> Result<Self, CollateralServiceError> {
        Ok(Self {
            source: Source::new(&options)?,
            store: store::Store::new(options.directory),
            root_der: root_der.to_vec(),
            clock,
            kept: Mutex::new(HashMap::new()),
        })
    }

    /// Collateral for this quote: from memory or disk while it holds, and newer from half its life on. What cannot be renewed
    /// is used to its end.
    ///
    /// # Errors
    /// There is none that holds, and none could be fetched: [`CollateralServiceError`] has a hint.
    pub async fn of(&self, quote: &[u8]) -> Result<Arc<Collateral>, CollateralServiceError> {
        let platform = tdx::platform_of(quote).map_err(CollateralServiceError::Quote)?;
        let now = (self.clock)();
        // Held while fetching: who asks for the same waits for it instead of asking too.
        let mut kept = self.kept.lock().await;
        let had = match kept.get(&platform) {
            Some(found) => Some(found.clone()),
            None => self.stored(platform, quote, now).await,
        };
        let holds = had.as_ref().filter(|found| now <= found.expires_at);
        if let Some(found) = holds
            && now < found.renew_at.max(found.wait_until)
        {
            let collateral = Arc::clone(&found.collateral);
            Self::keep(&mut kept, platform, found.clone());
            return Ok(collateral);
        }
        match self.fetch(platform, quote, had.as_ref(), now).await {
            Ok(fresh) => {
                let collateral = Arc::clone(&fresh.collateral);
                Self::keep(&mut kept, platform, fresh);
                Ok(collateral)
            }
            Err(error) => match holds {
                Some(found) => {
                    tracing::warn!(%error, "collateral was not renewed; what is there holds to {}", found.expires_at);
                    let collateral = Arc::clone(&found.collateral);
                    let found = Kept {
                        wait_until: now.saturating_add(RETRY_RENEWAL),
                        ..found.clone()
                    };
                    Self::keep(&mut kept, platform, found);
                    Ok(collateral)
                }
                None => Err(CollateralServiceError::None {
                    expired_at: had.map(|found| found.expires_at),
                    error,
                }),
            },
        }
    }

    /// The second at which [`Self::of`] should be asked again for this quote: half the life of what is there, or soon.
    pub async fn renew_at(&self, quote: &[u8]) -> u64 {
        let kept = self.kept.lock().await;
        let found = tdx::platform_of(quote)
            .ok()
            .and_then(|platform| kept.get(&platform));
        match found {
            Some(found) => found.renew_at.max(found.wait_until),
            None => (self.clock)().saturating_add(RETRY_RENEWAL),
        }
    }

    fn keep(kept: &mut HashMap<PlatformId, Kept>, platform: PlatformId, found: Kept) {
        if kept.len() >= MAX_PLATFORMS && !kept.contains_key(&platform) {
            // The one that ends first; what is on disk comes back.
            let first = kept.iter().min_by_key(|(_, one)| one.expires_at);
            if let Some(platform) = first.map(|(platform, _)| *platform) {
                kept.remove(&platform);
            }
        }
        kept.insert(platform, found);
    }

    /// From disk: what verified once is verified again, because anybody may have written there since.
    async fn stored(&self, platform: PlatformId, quote: &[u8], now: u64) -> Option<Kept> {
        let collateral = self.store.read(platform).await?;
        let expires_at = collateral.expires_at().ok()?;
        // Of an expired one only the date is told.
        let at = now.min(expires_at);
        match tdx::verify_collateral(quote, &collateral, &self.root_der, at) {
            Ok(()) => Kept::of(collateral).ok(),
            Err(error) => {
                tracing::warn!(%error, "collateral on disk does not verify and is not used");
                None
            }
        }
    }

    async fn fetch(
        &self,
        platform: PlatformId,
        quote: &[u8],
        had: Option<&Kept>,
        now: u64,
    ) -> Result<Kept, FetchError> {
        let collateral = self.source.fetch(platform).await?;
        // Verified before it is kept: bad collateral never replaces good.
        tdx::verify_collateral(quote, &collateral, &self.root_der, now).map_err(FetchError::Refused)?;
        let fresh = Kept::of(collateral).map_err(FetchError::Refused)?;
        if let Some(had) = had {
            let (old, new) = (had.collateral.issued_at(), fresh.collateral.issued_at());
            if let (Ok(old), Ok(new)) = (old, new)
                && new.iter().zip(old).any(|(new, old)| *new < old)
            {
                return Err(FetchError::Older);
            }
        }
        if let Err(error) = self.store.write(platform, &fresh.collateral).await {
            tracing::warn!(%error, "collateral cannot be kept on disk; it is used from memory");
        }
        Ok(fresh)
    }
}

// === impl Kept ===

impl Kept {
    fn of(collateral: Collateral) -> Result<Self, tdx::TdxRefusal> {
        let expires_at = collateral.expires_at()?;
        let issued = collateral.issued_at()?.into_iter().max().unwrap_or(0);
        Ok(Self {
            renew_at: issued.saturating_add(expires_at.saturating_sub(issued) / 2),
            expires_at,
            wait_until: 0,
            collateral: Arc::new(collateral),
        })
    }
}

// === impl CollateralOptions ===

impl CollateralOptions {
    /// Intel's service, kept in this directory, or in memory alone.
    pub fn intel(directory: Option<PathBuf>) -> Self {
        Self {
            url: INTEL_PCS.to_owned(),
            root_crl_url: None,
            directory,
            connect: Duration::from_secs(5),
            deadline: Duration::from_secs(15),
            attempts: 3,
            pause: Duration::from_millis(500),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
