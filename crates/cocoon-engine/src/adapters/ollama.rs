//! Ollama. Looked at: its OpenAI layer (`openai/openai.go`) and its own API, mid 2026.
//!
//! The OpenAI layer ignores unknown members today; what is listed are members of Ollama's own API that steer the
//! server, should the layer take them one day. It reads names without regard to case; folding covers that.

use super::{Refused, refused};

pub(super) const REFUSED: &[Refused] = &[
    // How long a model stays loaded: 0 unloads it under everybody, -1 keeps it for ever.
    refused("keep_alive", "load or unload models of the engine"),
    // Context length, threads, GPU layers, a second token limit: loads the model anew.
    refused("options", "set the engine's runtime options"),
    refused("template", "run a template of the caller's in the engine"),
    refused("raw", "pass the model's template by"),
    // Shows the prompt that the template made instead of answering: no usage.
    refused("_debug_render_only", "put the engine into a debugging mode"),
    refused("debugrenderonly", "put the engine into a debugging mode"),
];
