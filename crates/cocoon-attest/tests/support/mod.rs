//! Makers of development evidence in the makers' real formats, under roots made up on the spot. Every field of a draft is a
//! knob: change it and the evidence is bad in that one way.
#![allow(dead_code, reason = "each test program uses its part")]
#![allow(
    clippy::allow_attributes,
    reason = "an expectation would not hold in every program"
)]
#![allow(
    clippy::arithmetic_side_effects,
    reason = "lengths of made-up evidence, in unit tests too"
)]
#![allow(unreachable_pub, reason = "shared by several test programs")]

pub mod der;
pub mod event_log;
pub mod gpu;
pub mod snp;
pub mod x509;
