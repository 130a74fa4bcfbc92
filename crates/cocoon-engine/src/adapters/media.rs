//! Images, audio, video and files in a request: given inline they pass, named by address or path they do not.
//!
//! An engine that is given an address fetches it: from inside the worker's network, and telling its owner that a request
//! came. Engines read local paths too (SGLang any that ends like an image, llama.cpp and vLLM below a directory).
//! So whatever stands where an engine looks for media must be a `data:` address or plain base64.
//!
//! The rules go by the names of members, read as the most lenient engine reads them, and hold at any depth. Text,
//! tool calls and their results are free: an address in them is only text.

use std::fmt;

use cocoon_openai::fold_name;
use cocoon_types::{Fault, Refusal};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Refuses a member of the body (`messages`, `input`, `prompt`) that refers to media outside the request.
///
/// # Errors
/// [`Fault::UnsupportedField`], or [`Fault::InvalidRequest`] for what engines could not read; nothing is quoted.
pub(super) fn check(name: &'static str, value: &[u8]) -> Result<(), Refusal> {
    let rule = if name == "messages" {
        Rule::Message
    } else {
        Rule::Text
    };
    let mut reader = serde_json::Deserializer::from_slice(value);
    rule.deserialize(&mut reader).map_err(|error| {
        let (fault, message) = if error.is_data() {
            let message = "refers to media outside the request: give images, audio, video and files inline, as a \
                           `data:` URL or base64";
            (Fault::UnsupportedField, message)
        } else {
            // The JSON is valid, so what is left: half a surrogate pair, a number beyond what engines read.
            (Fault::InvalidRequest, "holds a string that is not Unicode, or a number that is out of range")
        };
        Refusal::new(fault, format!("`{name}` {message}")).about(name)
    })
}

/// What may stand in one place.
#[derive(Clone, Copy)]
enum Rule {
    /// The list of messages, or one of them.
    Message,
    /// Words: any string; objects in it are looked into.
    Text,
    /// Media by address: `data:` only.
    Address,
    /// Media as bytes: base64, or `data:`.
    Inline,
    /// Not to be there at all, unless it is null.
    Nothing,
    /// Anything else: no string that is an address.
    Other,
}

impl Rule {
    /// The rule for a member of a content part, or of anything inside one.
    fn of_part(name: &str) -> Option<Self> {
        let name = fold_name(name);
        Some(match &*name {
            "text" | "content" | "thinking" | "reasoning" | "reasoning_content" | "refusal" | "summary"
            | "title" | "context" | "prompt" | "prompt_string" => Self::Text,
            // Calls and results of tools, and the places where an earlier answer found things.
            "tool_calls" | "function_call" | "arguments" | "annotations" | "citations" => return None,
            "data" | "file_data" | "multimodal_data" | "bytes" | "b64_json" => Self::Inline,
            "image" | "images" | "video" | "videos" | "audio" | "audios" | "file" | "url" | "uri"
            | "path" => Self::Address,
            "input_image" | "input_audio" | "input_video" | "input_file" | "file_path" => Self::Address,
            name if name.ends_with("_url") || name.ends_with("_uri") || name.ends_with("_urls") => {
                Self::Address
            }
            name if name.ends_with("embeds") => Self::Nothing,
            _ => Self::Other,
        })
    }

    /// The rule for a member of a message.
    fn of_message(name: &str) -> Option<Self> {
        match &*fold_name(name) {
            // Tools in a message are as free as tools of the request.
            "tools" | "name" | "role" | "tool_call_id" => None,
            _ => Self::of_part(name),
        }
    }

    fn accepts(self, text: &str) -> bool {
        match self {
            Self::Message | Self::Text => true,
            Self::Address => text.starts_with("data:") || text.is_empty(),
            // llama.cpp fetches whatever begins with these four letters, and base64 has no dot or colon.
            Self::Inline => {
                text.starts_with("data:")
                    || (!text.starts_with("http") && memchr::memchr2(b':', b'.', text.as_bytes()).is_none())
            }
            Self::Nothing => false,
            Self::Other => !is_address(text),
        }
    }
}

/// Whether a string begins like `scheme://`, after what engines strip.
fn is_address(text: &str) -> bool {
    let text = text.trim_start_matches(|letter: char| letter.is_whitespace() || letter.is_control());
    text.split_once("://").is_some_and(|(scheme, _)| {
        scheme.len() <= 16
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

impl<'de> DeserializeSeed<'de> for Rule {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// An error of ours means "refused"; no error's text goes anywhere.
impl<'de> Visitor<'de> for Rule {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("media inside the request")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        if self.accepts(text) {
            Ok(())
        } else {
            Err(E::custom("address"))
        }
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.scalar()
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.scalar()
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        self.scalar()
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        self.scalar()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(self)?.is_some() {}
        self.scalar()
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if let Self::Nothing = self {
            return Err(A::Error::custom("embeddings"));
        }
        while let Some(name) = map.next_key::<String>()? {
            let rule = match self {
                Self::Message => Self::of_message(&name),
                _ => Self::of_part(&name),
            };
            match rule {
                Some(rule) => map.next_value_seed(rule)?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

impl Rule {
    fn scalar<E: serde::de::Error>(self) -> Result<(), E> {
        match self {
            Self::Nothing => Err(E::custom("embeddings")),
            _ => Ok(()),
        }
    }
}
