//! Engines: an HTTP client for any server of OpenAI's API, what each kind of it is refused, how one is found on its
//! usual port, and the supervisor of the built-in engine's process.
//!
//! It does not run models (`cocoon-engine-llama` does), does not count usage (`cocoon_openai::UsageMeter` does) and knows
//! no network. The worker calls it. Spec: issue 2, "Worker engines"; `spec/network.md` 6.5.3 and 6.7 for what the
//! original does.
//!
//! Bodies pass through and never reach a log or an error.
#![forbid(unsafe_code)]

mod adapters;
mod address;
mod answer;
mod client;
mod connection;
mod discovery;
mod kind;
#[cfg(test)]
mod scripted;
mod supervisor;

pub use address::{AddressError, EngineAddress};
pub use answer::{EngineAnswer, EngineBody};
pub use client::{Engine, EngineKey, EngineKeyError, EngineModel, EngineOptions, Timers};
pub use discovery::{Found, USUAL_PORTS, detect, discover};
pub use kind::{EngineKind, EngineKindError};
pub use supervisor::{BuiltInEngine, BuiltInOptions, EngineState, ReadyEngine};
