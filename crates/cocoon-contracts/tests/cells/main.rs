//! Cells against the vectors of spec/ton.md 13, against themselves, and against mischief.

mod setup;
mod vectors;
