//! `cocoon-link`: the frame reader, the dispatch of a session, and its streams, driven step by step.
//!
//! The functions live in the crate (feature `fuzzing`), since they need its inner parts; what they assert is said there,
//! and its unit tests replay the corpus.

pub use cocoon_link::fuzzing::{TARGETS, bytes, script};
