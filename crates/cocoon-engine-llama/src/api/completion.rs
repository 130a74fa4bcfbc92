use serde_json::Value;

use super::{Fields, Generation, Problem, generation::MAX_CHOICES};

/// A request to `/v1/completions`.
pub(crate) struct Completion {
    pub(crate) generation: Generation,
    pub(crate) prompts: Vec<Prompt>,
    /// `logprobs`: how many alternatives per token.
    pub(crate) logprobs: Option<u8>,
}

/// A prompt or an input to embed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Prompt {
    Text(String),
    /// Token ids; checked against the vocabulary by the server.
    Tokens(Vec<i32>),
}

/// OpenAI's limit for this endpoint is 5; ours is that of chat.
const MAX_LOGPROBS: i64 = 20;

// === impl Completion ===

impl Completion {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let generation = Generation::take(&mut fields)?;
        fields.refuse(&["echo", "suffix"])?;
        let best_of = fields.integer("best_of", 1, MAX_CHOICES)?;
        if best_of.is_some_and(|best| best > i64::from(generation.choices)) {
            return Err(Problem::unsupported(
                "best_of",
                "this engine does not choose among answers: leave `best_of` out",
            ));
        }
        let prompts = Prompt::take(&mut fields, "prompt")?;
        let choices = prompts.len().saturating_mul(generation.choices as usize);
        if i64::try_from(choices).unwrap_or(i64::MAX) > MAX_CHOICES {
            return Err(Problem::invalid(
                "prompt",
                format!("prompts times `n` may be {MAX_CHOICES} at most"),
            ));
        }
        let logprobs = fields
            .integer("logprobs", 0, MAX_LOGPROBS)?
            .and_then(|top| u8::try_from(top).ok());
        Ok(Self {
            generation,
            prompts,
            logprobs,
        })
    }
}

// === impl Prompt ===

impl Prompt {
    /// Takes a string, an array of strings, an array of token ids, or an array of such arrays.
    pub(crate) fn take(fields: &mut Fields, name: &str) -> Result<Vec<Self>, Problem> {
        let wrong = || {
            Problem::invalid(
                name,
                format!("`{name}` must be a string, an array of strings, or arrays of token ids"),
            )
        };
        match fields.take(name) {
            None => Err(Problem::invalid(name, format!("`{name}` is required"))),
            Some(Value::String(text)) => Ok(vec![Self::Text(text)]),
            Some(Value::Array(list)) if list.is_empty() => Err(wrong()),
            Some(Value::Array(list)) if list[0].is_number() => {
                Ok(vec![Self::tokens(&list).ok_or_else(wrong)?])
            }
            Some(Value::Array(list)) => list
                .into_iter()
                .map(|one| match one {
                    Value::String(text) => Ok(Self::Text(text)),
                    Value::Array(tokens) if !tokens.is_empty() => Self::tokens(&tokens).ok_or_else(wrong),
                    _ => Err(wrong()),
                })
                .collect(),
            Some(_) => Err(wrong()),
        }
    }

    fn tokens(list: &[Value]) -> Option<Self> {
        let token = |value: &Value| value.as_i64().and_then(|token| i32::try_from(token).ok());
        list.iter().map(token).collect::<Option<_>>().map(Self::Tokens)
    }
}

#[cfg(test)]
mod tests;
