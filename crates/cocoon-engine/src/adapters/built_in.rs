//! The built-in engine: it ignores what it does not know, so the common list is enough.

use super::Refused;

pub(super) const REFUSED: &[Refused] = &[];
