//! Programs that are built in.

use crate::{Cell, boc};

/// Reads a program that is part of this binary.
pub(crate) fn embedded(bytes: &[u8]) -> Cell {
    match boc::decode(bytes) {
        Ok(cell) => cell,
        Err(error) => unreachable!("invariant: embedded programs are sound, which a test checks: {error}"),
    }
}
