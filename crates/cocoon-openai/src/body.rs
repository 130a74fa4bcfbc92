use std::fmt;

use bytes::Bytes;
use cocoon_types::{DEFAULT_MAX_TOKENS, Endpoint, Fault, MAX_BODY_BYTES, Refusal};
use indexmap::IndexMap;

use crate::json::{self, ObjectError, fold_name};
use crate::options::CocoonOptions;

mod edit;
mod read;

/// Top-level members that a body may have; the richest engine API has about 80.
pub const MAX_MEMBERS: usize = 256;

/// Answers that one request may ask for, over all its prompts: OpenAI allows 128 a prompt, batches of prompts are small.
pub const MAX_CHOICES: u32 = 4096;

/// Members that the network reads or sets itself. One of them in another spelling (`Max_Tokens`) would pass us by and
/// reach an engine that ignores case.
const GOVERNED: [&str; 11] = [
    "best_of",
    "cocoon",
    "input",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "model",
    "n",
    "prompt",
    "stream",
    "stream_options",
];

/// A request body whose unknown members survive byte for byte.
///
/// Values are slices of the body that came; only the members that the network governs are read. Cloning is cheap.
#[derive(Clone)]
pub struct RequestBody {
    endpoint: Endpoint,
    /// By folded name, in the order in which they came.
    members: IndexMap<Box<str>, Member>,
    model: String,
    stream: bool,
    wants_usage_chunk: bool,
    token_limit: Option<u32>,
    choices: u32,
}

#[derive(Clone)]
struct Member {
    name: Box<str>,
    value: Bytes,
}

// === impl RequestBody ===

impl RequestBody {
    /// Reads a body for this endpoint.
    ///
    /// # Errors
    /// [`Fault::BodyTooLarge`] above [`MAX_BODY_BYTES`], else [`Fault::InvalidRequest`] with the member's name where
    /// one is at fault. No message quotes the body.
    pub fn parse(endpoint: Endpoint, body: &Bytes) -> Result<Self, Refusal> {
        if body.len() > MAX_BODY_BYTES {
            let message = format!("the body is larger than {MAX_BODY_BYTES} bytes");
            return Err(Refusal::new(Fault::BodyTooLarge, message));
        }
        let found = json::members(body, MAX_MEMBERS).map_err(|error| invalid(&what_is_wrong(error)))?;
        if !json::depth_is_bounded(body) {
            return Err(invalid(&format!(
                "the body is nested deeper than {} levels",
                json::MAX_DEPTH
            )));
        }
        let mut members = IndexMap::with_capacity(found.len());
        for (name, value) in found {
            let folded = fold_name(&name);
            if let Some(governed) = GOVERNED.into_iter().find(|governed| *governed == folded)
                && name != governed
            {
                return Err(invalid(&format!("`{governed}` must be spelled exactly so")).about(governed));
            }
            let folded: Box<str> = folded.into();
            let value = json::slice_of(body, value);
            members.insert(
                folded,
                Member {
                    name: name.into(),
                    value,
                },
            );
        }
        let mut body = Self {
            endpoint,
            members,
            model: String::new(),
            stream: false,
            wants_usage_chunk: false,
            token_limit: None,
            choices: 1,
        };
        body.read_governed()?;
        Ok(body)
    }

    /// The endpoint that the body is for.
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// The model asked for; not empty, otherwise unchecked.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Whether the answer is to be a stream of events; never for embeddings.
    pub fn is_stream(&self) -> bool {
        self.stream
    }

    /// Whether the caller itself asked for the chunk that holds the usage of a stream.
    pub fn wants_usage_chunk(&self) -> bool {
        self.wants_usage_chunk
    }

    /// Output tokens that the caller allows each choice; `max_completion_tokens` before `max_tokens`.
    pub fn token_limit(&self) -> Option<u32> {
        self.token_limit
    }

    /// Answers that the engine makes, in the worst case: the larger of `n` and `best_of`, for each prompt.
    pub fn choices(&self) -> u32 {
        self.choices
    }

    /// Output tokens that the request may cost in the worst case: limit (or [`DEFAULT_MAX_TOKENS`]) times choices.
    /// 0 for embeddings. This is what the network agrees on as the request's `max_tokens`.
    ///
    /// # Errors
    /// [`Fault::InvalidRequest`] when the product is above `i32::MAX`.
    pub fn worst_case_tokens(&self) -> Result<u32, Refusal> {
        if !self.endpoint.generates() {
            return Ok(0);
        }
        let limit = self.token_limit.unwrap_or(DEFAULT_MAX_TOKENS);
        limit
            .checked_mul(self.choices)
            .filter(|tokens| *tokens <= i32::MAX.unsigned_abs())
            .ok_or_else(|| {
                invalid("the token limit times the number of choices is too large").about("max_tokens")
            })
    }

    /// Takes the `cocoon` object out of the body; without one, the default.
    ///
    /// # Errors
    /// [`Fault::InvalidRequest`] naming the member of it that is unknown or wrong.
    pub fn take_cocoon(&mut self) -> Result<CocoonOptions, Refusal> {
        self.members
            .shift_remove("cocoon")
            .map_or(Ok(CocoonOptions::default()), |member| {
                CocoonOptions::parse(&member.value)
            })
    }

    /// Every member in order: its name as it came and its value's JSON text.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.members
            .values()
            .map(|member| (&*member.name, &member.value[..]))
    }

    /// The JSON text of one member, found by its folded name ([`fold_name`]), so that no spelling slips by.
    pub fn field(&self, folded: &str) -> Option<&[u8]> {
        self.members.get(folded).map(|member| &member.value[..])
    }
}

impl fmt::Debug for RequestBody {
    /// Shows no content, and of the members only their number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody")
            .field("endpoint", &self.endpoint)
            .field("members", &self.members.len())
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

fn invalid(message: &str) -> Refusal {
    Refusal::new(Fault::InvalidRequest, message)
}

fn what_is_wrong(error: ObjectError) -> String {
    match error {
        ObjectError::Syntax { line, column } => {
            format!("the body is not valid JSON (line {line}, column {column})")
        }
        ObjectError::NotAnObject => "the body must be a JSON object".into(),
        ObjectError::TooManyMembers => format!("the body has more than {MAX_MEMBERS} members"),
        ObjectError::NameTooLong => "the name of a member is too long".into(),
        ObjectError::Duplicate => {
            "the body has the same member twice (upper and lower case count as the same)".into()
        }
    }
}

#[cfg(test)]
mod tests;
