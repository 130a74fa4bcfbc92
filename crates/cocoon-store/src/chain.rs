//! The keyed chain over the rows.

use std::fmt;

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

/// Says what is authenticated, so that no tag of one kind passes for another.
const KEY_DOMAIN: &[u8] = b"cocoon journal key v1";
const START_DOMAIN: &[u8] = b"cocoon journal start v1";
const RECORD_DOMAIN: &[u8] = b"cocoon journal record v1";
const SNAPSHOT_DOMAIN: &[u8] = b"cocoon journal snapshot v1";
const HEAD_DOMAIN: &[u8] = b"cocoon journal head v1";

/// An HMAC-SHA-256.
pub(crate) type Tag = [u8; 32];

/// The key that a journal's rows are authenticated with.
#[derive(Clone)]
pub struct JournalKey(hmac::Key);

impl JournalKey {
    /// The key of the node with this secret. Another secret cannot read the journal.
    pub fn derive(secret: &[u8; 32]) -> Self {
        let from = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(hmac::sign(&from, KEY_DOMAIN).as_ref());
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()))
    }

    /// What stands before the first record.
    pub(crate) fn start(&self) -> Tag {
        self.tag(&[START_DOMAIN])
    }

    /// The tag of a record: over the tag before, its number and its body.
    pub(crate) fn record(&self, before: &Tag, number: u64, body: &[u8]) -> Tag {
        self.tag(&[RECORD_DOMAIN, before, &number.to_be_bytes(), body])
    }

    /// The tag of a snapshot after so many records, of which the last has the tag `chain`.
    pub(crate) fn snapshot(&self, chain: &Tag, records: u64, body: &[u8]) -> Tag {
        self.tag(&[SNAPSHOT_DOMAIN, chain, &records.to_be_bytes(), body])
    }

    /// The tag of the journal's length, so that a missing end is noticed.
    pub(crate) fn head(&self, chain: &Tag, records: u64) -> Tag {
        self.tag(&[HEAD_DOMAIN, chain, &records.to_be_bytes()])
    }

    fn tag(&self, parts: &[&[u8]]) -> Tag {
        let mut context = hmac::Context::with_key(&self.0);
        parts.iter().for_each(|part| context.update(part));
        let mut tag = [0; 32];
        tag.copy_from_slice(context.sign().as_ref());
        tag
    }
}

impl fmt::Debug for JournalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JournalKey")
    }
}
