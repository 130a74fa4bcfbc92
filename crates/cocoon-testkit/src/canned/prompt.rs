//! What a canned engine understands of a request.

use std::time::Duration;

use serde_json::Value;

use super::{CannedFault, CannedOptions};

/// A request, read.
pub(super) struct Prompt {
    pub body: Value,
    pub model: String,
    pub fault: Option<CannedFault>,
    /// Words of all messages or prompts: its prompt tokens.
    pub words: u64,
    /// Words of the last message, for echoing.
    pub last: Vec<String>,
    pub stream: bool,
    pub include_usage: bool,
    pub continuous_usage: bool,
    /// Answers that are asked for.
    pub choices: u32,
    pub parts: u32,
    /// The limit was below the parts.
    pub cut_short: bool,
    pub pace: Duration,
    pub echo: bool,
}

impl Prompt {
    /// Reads a body; `instance` is the fault of the engine itself.
    pub(super) fn read(body: Value, options: &CannedOptions, instance: Option<CannedFault>) -> Self {
        let named = body["model"].as_str().unwrap_or_default();
        let (model, by_model) = named
            .split_once('#')
            .map_or((named, None), |(model, fault)| (model, Some(fault)));
        let asked = body["x_fault"].as_str().or(by_model);
        let fault = asked.map_or(instance, |fault| fault.parse().ok());
        let prompts = match (&body["messages"], &body["prompt"], &body["input"]) {
            (messages @ Value::Array(_), ..) => vec![messages],
            (_, prompt @ Value::Array(several), _) if several.iter().all(Value::is_number) => vec![prompt],
            (_, Value::Array(several), _) => several.iter().collect(),
            (_, Value::Null, input) => vec![input],
            (_, prompt, _) => vec![prompt],
        };
        let count = |name: &str| body[name].as_u64().and_then(|value| u32::try_from(value).ok());
        let limit = count("max_completion_tokens")
            .or(count("max_tokens"))
            .unwrap_or(u32::MAX);
        let wanted = count("x_parts").unwrap_or(options.parts);
        let pace = match fault {
            Some(CannedFault::Slow(pause)) => pause,
            _ => count("x_pace_ms").map_or(options.pace, |pause| Duration::from_millis(pause.into())),
        };
        let choices = count("n").unwrap_or(1).max(1);
        Self {
            model: model.to_owned(),
            fault,
            words: prompts.iter().map(|prompt| words(prompt).len() as u64).sum(),
            last: last_message(&body, &prompts),
            stream: body["stream"].as_bool().unwrap_or(false),
            include_usage: body["stream_options"]["include_usage"].as_bool().unwrap_or(false),
            continuous_usage: body["stream_options"]["continuous_usage_stats"]
                .as_bool()
                .unwrap_or(false),
            choices: choices.saturating_mul(u32::try_from(prompts.len()).unwrap_or(1)),
            parts: wanted.min(limit),
            cut_short: limit < wanted,
            pace,
            echo: body["x_echo"].as_bool().unwrap_or(false),
            body,
        }
    }
}

fn last_message(body: &Value, prompts: &[&Value]) -> Vec<String> {
    let message = body["messages"].as_array().and_then(|messages| messages.last());
    message.or(prompts.last().copied()).map(words).unwrap_or_default()
}

/// The words of everything that is text in a message, its role and other names aside.
fn words(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => text.split_whitespace().map(str::to_owned).collect(),
        Value::Number(number) => vec![number.to_string()],
        Value::Array(several) => several.iter().flat_map(words).collect(),
        Value::Object(members) => ["content", "text"]
            .iter()
            .filter_map(|name| members.get(*name))
            .flat_map(words)
            .collect(),
        Value::Null | Value::Bool(_) => Vec::new(),
    }
}
