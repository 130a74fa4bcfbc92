//! SHA-256 under a domain.

use std::fmt;

use aws_lc_rs::digest;

use crate::domain::{self, Domain};

/// A SHA-256 digest; of what, says the field that holds it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest by which offers and receipts name a worker's statement.
    pub fn of_statement(statement: &[u8]) -> Self {
        hash(domain::STATEMENT, &[statement])
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// SHA-256 of bytes that begin with their own domain.
pub(crate) fn plain(bytes: &[u8]) -> Digest {
    finished(digest::digest(&digest::SHA256, bytes))
}

/// `H(domain, parts...)`.
pub(crate) fn hash(domain: Domain, parts: &[&[u8]]) -> Digest {
    // Short inputs, such as nodes of trees, in one go: a context is an allocation.
    let mut short = [0; SHORT];
    let mut left = &mut short[..];
    for part in [domain.bytes()].iter().chain(parts) {
        let Some((to, rest)) = left.split_at_mut_checked(part.len()) else {
            return hash_long(domain, parts);
        };
        to.copy_from_slice(part);
        left = rest;
    }
    let length = SHORT - left.len();
    plain(short.get(..length).unwrap_or_default())
}

/// What is hashed in one go: a domain and five digests fit.
const SHORT: usize = 256;

fn hash_long(domain: Domain, parts: &[&[u8]]) -> Digest {
    let mut hasher = Hasher::new(domain);
    for part in parts {
        hasher.update(part);
    }
    hasher.finish()
}

/// `H(domain, ...)` of what comes bit by bit.
#[derive(Clone)]
pub(crate) struct Hasher(digest::Context);

impl Hasher {
    pub(crate) fn new(domain: Domain) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(domain.bytes());
        Self(context)
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> Digest {
        finished(self.0.finish())
    }
}

fn finished(digest: digest::Digest) -> Digest {
    let mut bytes = [0; 32];
    // A SHA-256 digest has 32 bytes.
    for (to, from) in bytes.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    Digest(bytes)
}
