//! The worker: admits requests, calls its engine, streams and meters answers.
//!
//! It dials every configured proxy and keeps the links up, announces what its engine serves and whether it is well, and
//! serves the requests that come: the body is checked and edited to what was agreed (model, token limit, usage in
//! streams), the engine is asked, and its answer goes back chunk by chunk as it comes, with the usage that the engine
//! reported. It never looks further into a body than that, and logs nothing of it.
//!
//! Usage is exact or nothing: an engine that reports none is answered for with a usage of zero, so that nobody is ever
//! charged for a guess; the owner sees it in the metric `cocoon_worker_answers_without_usage` and in a warning.
//!
//! The binary and the test kit start it: [`Options`] -> [`Config`] -> [`App`]. Wire: spec/network.md 6.4, and protocol 3
//! of `cocoon_tl::v3`. What the original does instead, and what came of it: spec/network.md 6.5.3, 6.7 to 6.9 and 10.
#![forbid(unsafe_code)]

mod app;
mod earnings;
mod engine;
mod handshake;
mod leg;
mod legs;
mod metrics;
mod options;
mod pay;
mod sealing;
mod serve;
mod shop;
mod stating;
mod status;

pub use app::{App, RunError, StartError};
pub use options::{Config, ConfigError, EngineChoice, Options};
