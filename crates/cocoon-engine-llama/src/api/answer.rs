//! Answers in OpenAI's shape, whole and as server-sent events.

use bytes::Bytes;
use cocoon_types::Usage;
use serde_json::{Value, json};

use super::tools::ToolCall;
use crate::engine::{FinishReason, TokenLogprob};

/// What stands around every answer to one request.
pub(crate) struct Envelope {
    pub(crate) id: String,
    /// Unix seconds.
    pub(crate) created: u64,
    pub(crate) model: String,
    pub(crate) shape: Shape,
    /// With `stream_options.include_usage` every chunk but the last has `"usage": null`.
    pub(crate) include_usage: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Chat,
    Completion,
}

/// Ends every stream that was answered in full.
pub(crate) const DONE: &str = "data: [DONE]\n\n";
const FINGERPRINT: &str = concat!("cocoon-engine-", env!("CARGO_PKG_VERSION"));
/// What OpenAI writes for "practically impossible"; JSON has no infinity.
const LEAST_LOGPROB: f32 = -9999.0;

// === impl Envelope ===

impl Envelope {
    /// One event of a stream.
    pub(crate) fn chunk(&self, choice: Value) -> Bytes {
        let mut body = self.body(true, vec![choice]);
        if self.include_usage {
            body["usage"] = Value::Null;
        }
        event(&body)
    }

    /// The event with the counts and no choices.
    pub(crate) fn usage_chunk(&self, usage: &Usage) -> Bytes {
        let mut body = self.body(true, Vec::new());
        body["usage"] = usage_value(usage);
        event(&body)
    }

    /// An answer that is not streamed.
    pub(crate) fn whole(&self, choices: Vec<Value>, usage: &Usage) -> Bytes {
        let mut body = self.body(false, choices);
        body["usage"] = usage_value(usage);
        body.to_string().into()
    }

    fn body(&self, stream: bool, choices: Vec<Value>) -> Value {
        let object = match (self.shape, stream) {
            (Shape::Chat, true) => "chat.completion.chunk",
            (Shape::Chat, false) => "chat.completion",
            (Shape::Completion, _) => "text_completion",
        };
        json!({
            "id": self.id,
            "object": object,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": FINGERPRINT,
            "choices": choices,
        })
    }
}

fn event(body: &Value) -> Bytes {
    format!("data: {body}\n\n").into()
}

/// A choice of a chat chunk.
pub(crate) fn chat_delta(index: usize, delta: Value, logprobs: Value, finish: Option<FinishReason>) -> Value {
    json!({
        "index": index,
        "delta": delta,
        "logprobs": logprobs,
        "finish_reason": finish.map(FinishReason::as_str),
    })
}

/// A choice of a whole chat answer.
pub(crate) fn chat_message(
    index: usize,
    text: String,
    calls: &[(String, ToolCall)],
    logprobs: Value,
    finish: FinishReason,
) -> Value {
    // OpenAI has null here when there are only calls.
    let content = if text.is_empty() && !calls.is_empty() {
        Value::Null
    } else {
        text.into()
    };
    let mut message = json!({"role": "assistant", "content": content, "refusal": null});
    if !calls.is_empty() {
        message["tool_calls"] = calls
            .iter()
            .map(|(id, call)| tool_call(id, call))
            .collect::<Vec<_>>()
            .into();
    }
    json!({
        "index": index,
        "message": message,
        "logprobs": logprobs,
        "finish_reason": finish.as_str(),
    })
}

/// A choice of a text completion, whole or a chunk.
pub(crate) fn text_choice(index: usize, text: &str, logprobs: Value, finish: Option<FinishReason>) -> Value {
    json!({
        "index": index,
        "text": text,
        "logprobs": logprobs,
        "finish_reason": finish.map(FinishReason::as_str),
    })
}

pub(crate) fn tool_call(id: &str, call: &ToolCall) -> Value {
    json!({
        "id": id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    })
}

fn usage_value(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt(),
        "completion_tokens": usage.completion(),
        "total_tokens": usage.total(),
        "prompt_tokens_details": {"cached_tokens": usage.cached()},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning()},
    })
}

/// `logprobs` of chat; null when there are none.
pub(crate) fn chat_logprobs(tokens: &[TokenLogprob]) -> Value {
    if tokens.is_empty() {
        return Value::Null;
    }
    let one = |bytes: &[u8], logprob: f32| {
        json!({
            "token": String::from_utf8_lossy(bytes),
            "logprob": logprob.max(LEAST_LOGPROB),
            "bytes": bytes,
        })
    };
    let content: Vec<Value> = tokens
        .iter()
        .map(|token| {
            let mut entry = one(&token.bytes, token.logprob);
            let top: Vec<Value> = token.top.iter().map(|(bytes, p)| one(bytes, *p)).collect();
            entry["top_logprobs"] = top.into();
            entry
        })
        .collect();
    json!({"content": content, "refusal": null})
}

/// `logprobs` of text completions; `offset` is where the first token's text begins, in characters.
pub(crate) fn text_logprobs(tokens: &[TokenLogprob], mut offset: usize) -> Value {
    if tokens.is_empty() {
        return Value::Null;
    }
    let (mut texts, mut own, mut tops, mut offsets) = (vec![], vec![], vec![], vec![]);
    for token in tokens {
        let text = String::from_utf8_lossy(&token.bytes).into_owned();
        let top: serde_json::Map<String, Value> = token
            .top
            .iter()
            .map(|(bytes, p)| {
                (
                    String::from_utf8_lossy(bytes).into_owned(),
                    json!(p.max(LEAST_LOGPROB)),
                )
            })
            .collect();
        offsets.push(offset);
        offset += text.chars().count();
        texts.push(text);
        own.push(token.logprob.max(LEAST_LOGPROB));
        tops.push(top);
    }
    json!({"tokens": texts, "token_logprobs": own, "top_logprobs": tops, "text_offset": offsets})
}

#[cfg(test)]
mod tests;
