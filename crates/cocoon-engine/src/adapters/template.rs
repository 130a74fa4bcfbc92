//! `chat_template_kwargs`: variables of the model's chat template.
//!
//! Engines hand them on as arguments of the function that applies the template, so a name like `tokenize`,
//! `chat_template` or `continue_final_message` changes what that function does. Known switches of thinking pass, with
//! plain values; nothing else.

use std::collections::BTreeMap;

use cocoon_openai::fold_name;
use cocoon_types::Refusal;
use serde_json::value::RawValue;

use super::unsupported;

/// Variables that published templates read (Qwen, DeepSeek, Granite, GLM, Kimi, gpt-oss, Nemotron).
const SAFE: [&str; 8] = [
    "clear_thinking",
    "enable_thinking",
    "force_nonempty_content",
    "low_effort",
    "preserve_thinking",
    "reasoning_effort",
    "thinking",
    "thinking_budget",
];

/// Longest value: a number, a truth value, a word such as "high".
const MAX_VALUE_BYTES: usize = 32;

pub(super) fn check(value: &[u8]) -> Result<(), Refusal> {
    let refuse = || {
        unsupported(
            "chat_template_kwargs",
            "set variables other than the switches of thinking",
        )
    };
    let variables: BTreeMap<String, &RawValue> = serde_json::from_slice(value).map_err(|_| refuse())?;
    let is_safe = |(name, value): (&String, &&RawValue)| {
        SAFE.contains(&name.as_str())
            && fold_name(name) == name.as_str()
            && value.get().len() <= MAX_VALUE_BYTES
            && !value.get().starts_with(['{', '['])
    };
    if variables.iter().all(is_safe) {
        Ok(())
    } else {
        Err(refuse())
    }
}
