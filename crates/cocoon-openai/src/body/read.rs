//! What the network reads of a body.

use cocoon_types::{Endpoint, ModelName, Refusal};
use serde::Deserialize as _;
use serde_json::value::RawValue;

use super::{MAX_CHOICES, RequestBody, invalid};
use crate::json::members;

/// Members that `stream_options` may have; OpenAI has two, vLLM three.
const MAX_STREAM_OPTIONS: usize = 16;

impl RequestBody {
    pub(super) fn read_governed(&mut self) -> Result<(), Refusal> {
        self.model = self.read_model()?;
        match self.endpoint {
            Endpoint::ChatCompletions => self.require("messages", b"[", "`messages` must be an array")?,
            Endpoint::Completions => {
                self.require("prompt", b"[\"{", "`prompt` must be a string or an array")?;
            }
            Endpoint::Embeddings => {
                // vLLM also embeds a chat.
                if self.field("messages").is_none() {
                    self.require("input", b"[\"{", "`input` must be a string or an array")?;
                }
                return Ok(());
            }
        }
        self.stream = self.read_bool("stream")?;
        let asked = self.read_stream_options()?;
        self.wants_usage_chunk = self.stream && asked;
        let older = self.read_count("max_tokens")?;
        self.token_limit = self.read_count("max_completion_tokens")?.or(older);
        self.choices = self.read_choices()?;
        Ok(())
    }

    fn read_model(&self) -> Result<String, Refusal> {
        let wrong = |message| Err(invalid(message).about("model"));
        let Some(text) = self.field("model") else {
            return wrong("`model` is missing");
        };
        match serde_json::from_slice::<String>(text) {
            Ok(name) if name.is_empty() => wrong("`model` is empty"),
            Ok(name) if name.len() > ModelName::MAX_BYTES => wrong("`model` is longer than 256 bytes"),
            Ok(name) => Ok(name),
            Err(_) => wrong("`model` must be a string"),
        }
    }

    /// The member must be there, and its JSON begin with one of these bytes.
    fn require(&self, name: &'static str, first: &[u8], message: &str) -> Result<(), Refusal> {
        match self.field(name).and_then(<[u8]>::first) {
            Some(byte) if first.contains(byte) => Ok(()),
            Some(_) => Err(invalid(message).about(name)),
            None => Err(invalid(&format!("`{name}` is missing")).about(name)),
        }
    }

    fn read_bool(&self, name: &'static str) -> Result<bool, Refusal> {
        match self.field(name) {
            None | Some(b"null" | b"false") => Ok(false),
            Some(b"true") => Ok(true),
            Some(_) => Err(invalid(&format!("`{name}` must be true or false")).about(name)),
        }
    }

    /// A whole number of at least 1, `null` counting as absent.
    fn read_count(&self, name: &'static str) -> Result<Option<u32>, Refusal> {
        let Some(text) = self.field(name).filter(|text| *text != b"null") else {
            return Ok(None);
        };
        let wrong = |rule: &str| Err(invalid(&format!("`{name}` must be {rule}")).about(name));
        let digits = text.strip_prefix(b"-").unwrap_or(text);
        if !digits.iter().all(u8::is_ascii_digit) {
            return wrong("a whole number");
        }
        // What is left of valid JSON is digits only, so all that can fail is the size.
        let value = std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| digits.parse::<u32>().ok());
        match value {
            _ if digits.len() < text.len() => wrong("at least 1"),
            Some(0) => wrong("at least 1"),
            Some(value) if value <= i32::MAX.unsigned_abs() => Ok(Some(value)),
            _ => wrong("at most 2147483647"),
        }
    }

    fn read_stream_options(&self) -> Result<bool, Refusal> {
        let Some(text) = self.field("stream_options").filter(|text| *text != b"null") else {
            return Ok(false);
        };
        let wrong = |message| Err(invalid(message).about("stream_options"));
        let Ok(options) = members(text, MAX_STREAM_OPTIONS) else {
            return wrong("`stream_options` must be an object without doubled members");
        };
        let mut asked = false;
        for (name, value) in options {
            match (
                crate::fold_name(&name) == "include_usage",
                name.as_str(),
                value.get(),
            ) {
                (false, ..) => {}
                (true, "include_usage", "true") => asked = true,
                (true, "include_usage", "false" | "null") => {}
                _ => return wrong("`stream_options.include_usage` must be true or false"),
            }
        }
        Ok(asked)
    }

    fn read_choices(&self) -> Result<u32, Refusal> {
        let n = self.read_count("n")?.unwrap_or(1);
        // The original API lets `best_of` be 0 or null for "not used"; engines agree that it is then `n`.
        let best_of = match self.field("best_of") {
            Some(b"0") => 1,
            _ => self.read_count("best_of")?.unwrap_or(1),
        };
        let prompts = self.prompts()?;
        n.max(best_of)
            .checked_mul(prompts)
            .filter(|choices| *choices <= MAX_CHOICES)
            .ok_or_else(|| invalid(&format!("more than {MAX_CHOICES} choices in one request")).about("n"))
    }

    /// How many prompts `prompt` holds: an array of numbers is one prompt in model tokens, any other array holds
    /// one prompt per element.
    fn prompts(&self) -> Result<u32, Refusal> {
        let Some(text) = self.field("prompt").filter(|text| text.first() == Some(&b'[')) else {
            return Ok(1);
        };
        let wrong = || invalid("`prompt` must be a string or an array").about("prompt");
        let elements: Vec<&RawValue> = {
            let mut reader = serde_json::Deserializer::from_slice(text);
            Vec::deserialize(&mut reader).map_err(|_| wrong())?
        };
        let is_number = |element: &&RawValue| {
            element
                .get()
                .starts_with(|first: char| first == '-' || first.is_ascii_digit())
        };
        if elements.iter().all(is_number) {
            return Ok(1);
        }
        u32::try_from(elements.len()).map_err(|_| wrong())
    }
}
