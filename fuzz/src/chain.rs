//! `cocoon-chain`: transactions and accounts, a ledger's answers, questions to a ledger. The entry functions live in the
//! crate, next to the parsers, which are not public.

pub use cocoon_chain::fuzzing::{TARGETS, answer, question, transaction};
