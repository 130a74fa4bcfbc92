//! Entry functions for `/fuzz` and for the replay of its corpus; no part of the interface.

use crate::collateral::fuzzing::answer;
use crate::development::DevelopmentTee;

/// The name of a target and of its corpus directory, and its entry function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("tee_collateral_answer", collateral_answer),
    ("tee_development_file", development_file),
];

/// As [`crate::collateral`] reads a service's answer.
pub fn collateral_answer(data: &[u8]) {
    answer(data);
}

/// The file of a development TEE.
///
/// # Panics
/// What is read would be written otherwise.
pub fn development_file(data: &[u8]) {
    if let Ok(Some(tee)) = DevelopmentTee::from_bytes(data) {
        assert_eq!(tee.to_bytes(), data);
    }
}

#[cfg(test)]
mod tests;
