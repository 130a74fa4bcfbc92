//! LM Studio. Looked at: the documentation of its OpenAI-compatible server, mid 2026.

use super::{Refused, refused};

pub(super) const REFUSED: &[Refused] = &[
    // Seconds after which the model is unloaded, for everybody.
    refused("ttl", "load or unload models of the engine"),
    // Loads a second model.
    refused("draft_model", "make the engine load another model"),
    // A stored configuration of the server's owner.
    refused("preset", "choose a configuration of the engine's owner"),
    // Names servers of tools that LM Studio then calls.
    refused("integrations", "make the engine call other servers"),
];
