//! `cocoon-tee`: what a collateral service answers, and the file of a development TEE. The entry functions live in the crate, next
//! to the parsers, which are not public.

pub use cocoon_tee::fuzzing::{TARGETS, collateral_answer, development_file};
