//! `cocoon-tee`: what a collateral service answers. The entry function lives in the crate, next to the parsers, which are not
//! public.

pub use cocoon_tee::collateral::fuzzing::{TARGETS, answer};
