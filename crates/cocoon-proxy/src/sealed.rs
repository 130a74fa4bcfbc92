//! What clients that seal past this proxy are offered, and what both sides sign of what they were served.
//!
//! The key is the one that signs this proxy's payments, which its contract names; the domains of `cocoon-seal` keep the
//! signatures apart. Without payments there is no such key, and nothing sealed is taken.

mod offers;
mod receipts;
mod record;

use std::sync::Arc;

use cocoon_seal::SigningKey;

pub(crate) use offers::{LastEpoch, Named, NoOffers, Offers, Published};
pub(crate) use receipts::{Receipts, Served};
pub(crate) use record::Record;

/// The desk for sealed requests.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) offers: Offers,
    pub(crate) receipts: Receipts,
}

// === impl Sealed ===

impl Sealed {
    /// With the key of this proxy's payments. `last` remembers in which epoch something was offered last.
    pub(crate) fn new(key: SigningKey, last: LastEpoch) -> Self {
        let key = Arc::new(key);
        Self {
            offers: Offers::new(Arc::clone(&key), last),
            receipts: Receipts::new(key),
        }
    }
}
