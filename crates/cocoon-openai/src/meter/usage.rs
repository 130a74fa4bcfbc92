//! The `usage` object in the shapes in which engines write it.
//!
//! | engine | cached prompt tokens | reasoning tokens |
//! |---|---|---|
//! | OpenAI, vLLM, llama.cpp | `prompt_tokens_details.cached_tokens` | `completion_tokens_details.reasoning_tokens` |
//! | SGLang | the same, or `null` | `reasoning_tokens` beside the sums |
//! | Ollama, LM Studio | the same or absent | the same or absent |
//!
//! What cannot be true: a part above its whole is cut down to it (a rounding habit of engines, and it cannot cost the
//! caller more); a number that is negative, a fraction or not a number counts as absent; an object without one usable sum, or with
//! a sum above [`Usage::MAX_COUNT`], counts as no usage at all.

use std::fmt;

use cocoon_types::Usage;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an answer, or of one chunk of it, that the meter reads. `Default` is what is not JSON.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    /// Outer: there is a usage object; inner: and it can be true.
    pub usage: Option<Option<Usage>>,
    pub has_choices: bool,
    pub is_error: bool,
}

/// Reads one event's data; what is not a JSON object has none of the members.
pub(super) fn of_chunk(data: &[u8]) -> Chunk {
    serde_json::from_slice::<Top<'_>>(data)
        .map(Chunk::from)
        .unwrap_or_default()
}

/// The usage in an answer of one piece; `None` when that is not a JSON object.
pub(super) fn of_answer(body: &[u8]) -> Option<Option<Usage>> {
    let top: Top<'_> = serde_json::from_slice(body).ok()?;
    Some(top.usage.and_then(|text| usage_of(text.get().as_bytes())))
}

/// Element by element the larger one.
pub(super) fn larger(one: Option<Usage>, other: Option<Usage>) -> Option<Usage> {
    let (Some(a), Some(b)) = (one, other) else {
        return one.or(other);
    };
    // The maxima of true usages are true: a part never passes its whole.
    Usage::new(
        a.prompt().max(b.prompt()),
        a.cached().max(b.cached()),
        a.completion().max(b.completion()),
        a.reasoning().max(b.reasoning()),
    )
    .ok()
}

/// Reads a `usage` object, in any of the shapes that engines write.
pub fn usage_of(text: &[u8]) -> Option<Usage> {
    // Derived readers take an array for an object.
    let raw: RawUsage<'_> = serde_json::from_slice(text.starts_with(b"{").then_some(text)?).ok()?;
    let total = count(raw.total_tokens);
    let prompt = count(raw.prompt_tokens);
    let completion = count(raw.completion_tokens);
    let (prompt, completion) = match (prompt, completion, total) {
        (Some(prompt), Some(completion), _) => (prompt, completion),
        // Embeddings report `prompt_tokens` and `total_tokens` only.
        (Some(prompt), None, total) => (prompt, total.map_or(0, |total| total.saturating_sub(prompt))),
        (None, Some(completion), total) => (
            total.map_or(0, |total| total.saturating_sub(completion)),
            completion,
        ),
        (None, None, Some(total)) => (total, 0),
        (None, None, None) => return None,
    };
    let cached = inner(raw.prompt_tokens_details, |details| details.cached_tokens).unwrap_or(0);
    let reasoning = inner(raw.completion_tokens_details, |details| details.reasoning_tokens)
        .or_else(|| count(raw.reasoning_tokens))
        .unwrap_or(0);
    Usage::new(prompt, cached.min(prompt), completion, reasoning.min(completion)).ok()
}

#[derive(serde::Deserialize)]
struct RawUsage<'a> {
    #[serde(borrow, default)]
    prompt_tokens: Option<&'a RawValue>,
    #[serde(borrow, default)]
    completion_tokens: Option<&'a RawValue>,
    #[serde(borrow, default)]
    total_tokens: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning_tokens: Option<&'a RawValue>,
    #[serde(borrow, default)]
    prompt_tokens_details: Option<&'a RawValue>,
    #[serde(borrow, default)]
    completion_tokens_details: Option<&'a RawValue>,
}

#[derive(serde::Deserialize)]
struct Details<'a> {
    #[serde(borrow, default)]
    cached_tokens: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning_tokens: Option<&'a RawValue>,
}

fn inner<'a>(text: Option<&'a RawValue>, pick: impl Fn(Details<'a>) -> Option<&'a RawValue>) -> Option<u64> {
    let text = text?.get();
    let details: Details<'a> = serde_json::from_str(text.starts_with('{').then_some(text)?).ok()?;
    count(pick(details))
}

fn count(value: Option<&RawValue>) -> Option<u64> {
    value?.get().parse().ok()
}

/// The top level of an answer. Read by hand because a doubled member must not make the whole unreadable.
#[derive(Default)]
struct Top<'a> {
    usage: Option<&'a RawValue>,
    has_choices: bool,
    is_error: bool,
}

impl<'de> Deserialize<'de> for Top<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Top<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Top<'de>, A::Error> {
                let mut top = Top::default();
                while let Some(name) = map.next_key::<Name>()? {
                    match name {
                        Name::Usage => top.usage = Some(map.next_value()?),
                        Name::Choices => {
                            let value: &RawValue = map.next_value()?;
                            let text = value.get();
                            let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
                            top.has_choices =
                                inside.map_or(text != "null", |text| !text.trim_ascii().is_empty());
                        }
                        Name::Error => {
                            let value: &RawValue = map.next_value()?;
                            top.is_error = value.get() != "null";
                        }
                        Name::Other => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(top)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Name {
    Usage,
    Choices,
    Error,
    #[serde(other)]
    Other,
}

impl From<Top<'_>> for Chunk {
    fn from(top: Top<'_>) -> Self {
        let usage = top.usage.filter(|text| text.get() != "null");
        Self {
            usage: usage.map(|text| usage_of(text.get().as_bytes())),
            has_choices: top.has_choices,
            is_error: top.is_error,
        }
    }
}
