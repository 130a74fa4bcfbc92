//! What a peer is told of its account: the levels, and a signed payment for the one that the chain secures.

use std::collections::HashMap;

use bytes::Bytes;
use cocoon_accounting::{Levels, Party};
use cocoon_contracts::{Signed, SigningKey, signed::Kind};
use cocoon_tl::proxy;
use cocoon_types::Address;

/// Signatures kept: one per peer that is here, some 300 bytes each. Making one takes a few dozen microseconds.
const MAX_CACHED: usize = 16_384;

/// What a peer is told of its account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// The signed payment as bytes; empty when nothing may be signed.
    pub payment: Bytes,
    /// The levels. The payment is for the chain's.
    pub levels: Levels,
}

/// What became of a settlement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// Adjusted tokens of this request.
    pub tokens: u64,
    /// Whose money it is.
    pub client_owner: Address,
    /// For the client.
    pub client: Statement,
    /// For the worker.
    pub worker: Statement,
}

/// Signs, and remembers what it signed last for whom.
#[derive(Debug)]
pub(super) struct Signer {
    key: SigningKey,
    /// Where the rest of the coins of a submitted payment goes, unless the submitter says otherwise.
    excesses: Address,
    last: HashMap<Party, Last>,
}

/// What was signed last for a peer.
#[derive(Debug)]
struct Last {
    /// Our contract with which it has its own.
    proxy: Address,
    tokens: u64,
    payment: Bytes,
}

// === impl Statement ===

impl Statement {
    /// As it travels.
    pub(crate) fn signed_payment(&self) -> proxy::SignedPayment {
        if self.payment.is_empty() {
            return proxy::SignedPayment::Empty(proxy::SignedPaymentEmpty {});
        }
        proxy::SignedPayment::Payment(proxy::SignedPaymentData {
            data: self.payment.clone(),
        })
    }

    /// The original's `db_tokens`.
    pub(crate) fn journal(&self) -> i64 {
        wire(self.levels.journal)
    }

    /// The original's `max_tokens`.
    pub(crate) fn memory(&self) -> i64 {
        wire(self.levels.memory)
    }
}

/// Counts travel as signed numbers; one that does not fit is no count of tokens that anybody used.
pub(crate) fn wire(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}

// === impl Signer ===

impl Signer {
    pub(super) fn new(key: SigningKey, excesses: Address) -> Self {
        Self {
            key,
            excesses,
            last: HashMap::new(),
        }
    }

    /// The payment for a peer of our contract `proxy`; the same bytes as last time while the count is the same. `contract`, where
    /// the peer's own is, is asked for only to sign: it takes a dozen hashes.
    pub(super) fn payment(
        &mut self,
        party: Party,
        proxy: Address,
        tokens: u64,
        contract: impl FnOnce() -> Address,
    ) -> Bytes {
        if let Some(last) = self.last.get(&party)
            && (last.proxy, last.tokens) == (proxy, tokens)
        {
            return last.payment.clone();
        }
        let kind = if matches!(party, Party::Client { .. }) {
            Kind::Charge
        } else {
            Kind::Payout
        };
        let payment = Bytes::from(self.sign(kind, tokens, contract()).to_boc());
        if self.last.len() >= MAX_CACHED {
            self.last.clear();
        }
        let last = Last {
            proxy,
            tokens,
            payment: payment.clone(),
        };
        self.last.insert(party, last);
        payment
    }

    pub(super) fn sign(&self, kind: Kind, tokens: u64, contract: Address) -> Signed {
        Signed::sign(&self.key, kind, query_id(), tokens, contract, self.excesses)
    }
}

/// Names a message so that its transaction can be found. Not a secret and nothing depends on it.
pub(super) fn query_id() -> u64 {
    fastrand::u64(..)
}
