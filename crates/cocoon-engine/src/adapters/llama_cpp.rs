//! llama.cpp's `llama-server`. Looked at: its schema of completion requests, mid 2026.
//!
//! It copies every unknown member of an OpenAI request into its own parameters, so those are what is listed. Its own
//! names of token limit and choices are in the common list. Passes: all samplers, `grammar` and `json_schema`,
//! `timings_per_token`, `return_progress`, and `cache_prompt`, which only turns reuse off for the caller itself.

use super::{Refused, refused};

pub(super) const REFUSED: &[Refused] = &[
    // Slots hold other callers' caches; the time of an answer tells what is in one.
    refused("id_slot", "choose a slot that holds another caller's cache"),
    refused("slot_id", "choose a slot that holds another caller's cache"),
    refused("n_cache_reuse", "reuse pieces of other callers' caches"),
    // Picks the members of the answer, so also drops its usage.
    refused("response_fields", "take the usage out of the answer"),
    // Set by the server from the model's template; from outside they reach its parsers unchecked.
    refused("chat_format", "set the engine's answer parser"),
    refused("chat_parser", "set the engine's answer parser"),
    refused("grammar_triggers", "set the engine's answer parser"),
    refused("preserved_tokens", "set the engine's answer parser"),
    // An interval of our line to the engine, and zero floods it.
    refused("sse_ping_interval", "set the pings of the engine's stream"),
];
