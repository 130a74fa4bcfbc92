//! vLLM. Looked at: the request classes of its OpenAI entry points (chat, completion, embedding), mid 2026.
//!
//! Passes, though special to vLLM: all sampling parameters, `guided_*` and `structured_outputs` (without the choice
//! of backend), `cache_salt` (it only narrows what is shared), `documents`, `continue_final_message`, token ids and
//! log probabilities in the answer. `use_beam_search` needs no rule: its width is `n`, which is counted.

use super::{Refused, refused};

pub(super) const REFUSED: &[Refused] = &[
    // Disaggregated serving: host, port and engine id of the peer to take or send caches are in these members.
    refused(
        "kv_transfer_params",
        "make the engine connect to hosts of the caller's choice",
    ),
    refused(
        "ec_transfer_params",
        "make the engine connect to hosts of the caller's choice",
    ),
    // Up to 0.8 a list of Python names that are imported and called.
    refused(
        "logits_processors",
        "run code of the caller's choice in the engine",
    ),
    // Handed to whatever plug-ins the server has; no telling what they do with it.
    refused("vllm_xargs", "steer extensions of the engine"),
    // Sizes and counts without limit, multiplied with each image or frame.
    refused(
        "mm_processor_kwargs",
        "set the engine's image processing without limits",
    ),
    refused(
        "media_io_kwargs",
        "set the engine's media decoding without limits",
    ),
    // Backends differ in what a hostile grammar does to them; the server's owner has chosen one.
    refused("guided_decoding_backend", "choose the engine's grammar backend"),
    // The line in front of the engine is the worker's and the proxy's, not a caller's.
    refused("priority", "pass other callers in the engine's line"),
    // Ids are global in the engine: the same one twice breaks the other request. Sessions are shared by name.
    refused("request_id", "choose an id that can clash with another caller's"),
    refused("session_id", "name a session that another caller may have"),
];
