//! OpenAI-shaped bodies: edits that keep what they do not know, server-sent events, usage, error bodies.
//!
//! Reads only what the network must agree on (model, token limit, choices, streaming, our own `cocoon` object) and
//! carries everything else byte for byte. It does not judge which members an engine may receive: that is
//! `cocoon-engine`. Holds no I/O, no clock, no randomness. Called by gateway, worker, engine adapters and test kit.
//! Spec: `spec/network.md` 6.5.1, 6.7, 6.8 (what the original does, and what it gets wrong); DESIGN section 4.
//!
//! Nothing here quotes a body in an error.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod body;
mod errors;
mod json;
mod meter;
mod note;
mod options;
mod sse;

pub use body::{MAX_CHOICES, MAX_MEMBERS, RequestBody};
pub use errors::{error_body, error_event};
pub use json::{MAX_DEPTH, fold_name};
pub use meter::{MAX_ANSWER_BYTES, MeterError, Metered, UsageMeter, usage_of};
pub use note::{Costs, Note, NotedStream, noted, unnoted, usage_in};
pub use options::{CocoonOptions, MAX_TIMEOUT};
pub use sse::{MAX_EVENT_BYTES, SseBatch, SseError, SseEvent, SseReader};
