//! Requests that only workers which this gateway verified itself can read (docs/sealing.md).

#![expect(dead_code, reason = "the sealed path fills it")]

mod worker;

pub(crate) use worker::Worker;
