//! A server that nobody told us about: it may be any of the known ones behind a proxy, so all lists hold.

use super::{Refused, common, llama_cpp, lm_studio, ollama, sglang, vllm};

pub(super) const LISTS: &[&[Refused]] = &[
    common::REFUSED,
    vllm::REFUSED,
    sglang::REFUSED,
    llama_cpp::REFUSED,
    ollama::REFUSED,
    lm_studio::REFUSED,
];
