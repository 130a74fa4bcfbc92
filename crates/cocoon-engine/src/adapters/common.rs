//! What no engine may receive, whatever its kind.

use super::{Refused, refused};

pub(super) const REFUSED: &[Refused] = &[
    // Templates are programs. Engines sandbox them in different ways, and sandboxes have been left before.
    refused("chat_template", "run a template of the caller's in the engine"),
    // An adapter is a path or a name that the engine loads, or a change of scales that all callers share.
    refused("lora", "change the adapters that the engine applies"),
    refused(
        "lora_path",
        "make the engine load an adapter of the caller's choice",
    ),
    refused(
        "lora_request",
        "make the engine load an adapter of the caller's choice",
    ),
    // Embeddings come as serialised tensors; reading those has run code and written out of bounds.
    refused("prompt_embeds", "make the engine read a serialised tensor"),
    // Names of the token limit and of the number of choices outside OpenAI's API: they would overrule what was agreed.
    refused("n_predict", "set a second token limit; use `max_tokens`"),
    refused("num_predict", "set a second token limit; use `max_tokens`"),
    refused("max_new_tokens", "set a second token limit; use `max_tokens`"),
    refused("n_cmpl", "set a second number of choices; use `n`"),
];
