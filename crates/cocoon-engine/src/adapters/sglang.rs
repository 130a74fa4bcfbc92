//! SGLang. Looked at: the request classes of its OpenAI entry points, mid 2026.
//!
//! Passes, though special to SGLang: all sampling parameters, `regex`, `ebnf`, `json_schema`, `cache_salt` and
//! `extra_key` (they only narrow what is shared), `separate_reasoning`, `input_ids`, token ids in the answer.

use super::{Refused, refused};

pub(super) const REFUSED: &[Refused] = &[
    // A pickled Python object that the engine loads and calls.
    refused("custom_logit_processor", "run code of the caller's in the engine"),
    refused("custom_params", "steer code in the engine"),
    // Continues or replaces a kept session, whoever's it is.
    refused(
        "session_params",
        "reach into a session that another caller may have",
    ),
    refused("session_id", "name a session that another caller may have"),
    // Ids are global in the engine, and ending a request goes by the beginning of its id.
    refused("rid", "choose an id that can clash with another caller's"),
    // Disaggregated serving and routing inside the server.
    refused(
        "bootstrap_host",
        "make the engine connect to hosts of the caller's choice",
    ),
    refused(
        "bootstrap_port",
        "make the engine connect to hosts of the caller's choice",
    ),
    refused(
        "bootstrap_room",
        "make the engine connect to hosts of the caller's choice",
    ),
    refused("data_parallel_rank", "choose a part of the engine"),
    refused("routed_dp_rank", "choose a part of the engine"),
    refused("disagg_prefill_dp_rank", "choose a part of the engine"),
    refused("priority", "pass other callers in the engine's line"),
    // Megabytes for each model token; the engine holds them until the answer ends.
    refused(
        "return_hidden_states",
        "make the engine keep and send its inner states",
    ),
    refused(
        "return_routed_experts",
        "make the engine keep and send its inner states",
    ),
    // Sizes and counts without limit, multiplied with each image.
    refused(
        "images_config",
        "set the engine's image processing without limits",
    ),
    refused(
        "max_dynamic_patch",
        "set the engine's image processing without limits",
    ),
    refused(
        "min_dynamic_patch",
        "set the engine's image processing without limits",
    ),
    // Text for the draft model that the server keeps for all.
    refused("ngram_corpus_id", "choose a corpus that the engine keeps"),
    // Labels of the server's metrics: one new series for each value.
    refused("custom_labels", "write labels into the engine's metrics"),
    // Members of the engine's own API; OpenAI's has no use for them, and media in them is fetched.
    refused("image_data", "make the engine fetch media"),
    refused("video_data", "make the engine fetch media"),
    refused("audio_data", "make the engine fetch media"),
    refused("input_embeds", "make the engine take embeddings for text"),
];
