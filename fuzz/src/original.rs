//! `cocoon-original`: messages of peers of protocols 0 to 2, and the HTTP in them.
//!
//! The functions live in the crate (feature `fuzzing`), since they need its inner parts; its unit tests replay the corpus.

pub use cocoon_original::fuzzing::{TARGETS, http, message};
