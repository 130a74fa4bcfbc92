//! What every byte string that is hashed, sealed or signed begins with (docs/sealing.md, section 1).

/// The first bytes of one kind of byte string.
#[derive(Clone, Copy)]
pub(crate) struct Domain(&'static str);

impl Domain {
    pub(crate) const fn bytes(self) -> &'static [u8] {
        self.0.as_bytes()
    }
}

macro_rules! domains {
    ($($name:ident = $text:literal,)*) => {
        $(pub(crate) const $name: Domain = Domain(concat!("cocoon seal v1: ", $text, "\0"));)*

        #[cfg(test)]
        pub(crate) const ALL: &[Domain] = &[$($name),*];
    };
}

domains! {
    SEALING_KEY = "sealing key",
    REQUEST_HEAD = "request head",
    WRAP = "wrap",
    WRAP_AAD = "wrap aad",
    SESSION_SECRET = "session secret",
    SESSION_ID = "session id",
    ANSWER_SECRET = "answer secret",
    WARM_WRAP = "warm wrap",
    CONTENT = "content",
    BODY_KEY = "body key",
    BODY_PIECE = "body piece",
    REQUEST_SALT = "request salt",
    REQUEST_TEXT = "request text",
    REQUEST = "request",
    SALT = "salt",
    ANSWER_HEAD = "answer head",
    ANSWER_KEY = "answer key",
    ANSWER_PART = "answer part",
    ANSWER_TEXT = "answer text",
    ANSWER = "answer",
    OFFER_LIST = "offer list",
    OFFER = "offer",
    STATEMENT = "statement",
    RECEIPT = "receipt",
    RECEIPT_LEAF = "receipt leaf",
    CHARGE = "charge",
    CHARGE_LEAF = "charge leaf",
    TREE_NODE = "tree node",
    BATCH = "batch",
    REFUSAL = "refusal",
    EVIDENCE_ITEM = "evidence item",
    EVIDENCE_SET = "evidence set",
    BUNDLE = "receipt bundle",
    BUNDLE_END = "bundle end",
    // Not on any wire: stretches the caller's randomness for the encapsulation.
    ENCAPSULATION = "encapsulation",
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn no_domain_is_the_beginning_of_another() {
        for (at, one) in ALL.iter().enumerate() {
            for (other_at, other) in ALL.iter().enumerate() {
                assert!(at == other_at || !other.bytes().starts_with(one.bytes()));
            }
            assert!(one.bytes().len() <= super::super::cipher::MAX_DOMAIN);
        }
    }
}
