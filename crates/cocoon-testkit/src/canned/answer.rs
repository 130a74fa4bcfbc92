//! Answers in vLLM's shapes.

use bytes::Bytes;
use serde_json::{Value, json};

use super::plan::Step;
use super::prompt::Prompt;
use super::{CannedFault, CannedOptions, part_text};

/// When every canned answer was made.
const CREATED: u64 = 1_700_000_000;

/// An event longer than any reader should take.
const HUGE: usize = 32 * 1024 * 1024;

/// A request for which an answer is made.
pub(super) struct Answer<'a> {
    pub prompt: &'a Prompt,
    pub options: &'a CannedOptions,
    pub chat: bool,
    pub number: u64,
}

impl Answer<'_> {
    /// The whole answer as one JSON object.
    pub(super) fn whole(&self) -> Value {
        let choices = (0..self.prompt.choices).map(|index| {
            let mut choice = json!({"index": index, "logprobs": null, "finish_reason": self.finish_reason()});
            if self.chat {
                choice["message"] = self.message();
            } else {
                choice["text"] = json!(self.texts().concat());
            }
            choice
        });
        let mut body = self.frame(if self.chat {
            "chat.completion"
        } else {
            "text_completion"
        });
        body["choices"] = choices.collect();
        if let Some(usage) = self.usage(self.prompt.parts) {
            body["usage"] = usage;
        }
        body
    }

    /// The answer as a stream of events.
    pub(super) fn stream(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.chat {
            steps.push(Step::Send(self.choices(
                0,
                &json!({"role": "assistant", "content": ""}),
                None,
            )));
        }
        let deltas = self.deltas();
        let middle = deltas.len() / 2;
        for (index, delta) in deltas.iter().enumerate() {
            if !self.prompt.pace.is_zero() {
                steps.push(Step::Wait(self.prompt.pace));
            }
            if index == middle && self.fault_in_the_middle(&mut steps) {
                return steps;
            }
            let made = u32::try_from(index + 1).unwrap_or(u32::MAX);
            steps.push(Step::Part(self.choices(made, delta, None)));
        }
        if deltas.is_empty() && self.fault_in_the_middle(&mut steps) {
            return steps;
        }
        let last = if self.chat { json!({}) } else { json!("") };
        steps.push(Step::Send(self.choices(
            self.prompt.parts,
            &last,
            Some(self.finish_reason()),
        )));
        if self.prompt.include_usage
            && let Some(usage) = self.usage(self.prompt.parts)
        {
            let mut chunk = self.frame(self.chunk_object());
            chunk["choices"] = json!([]);
            chunk["usage"] = usage;
            steps.push(Step::Send(event(&chunk)));
        }
        if self.prompt.fault != Some(CannedFault::NoDone) {
            steps.push(Step::Send(Bytes::from_static(b"data: [DONE]\n\n")));
        }
        steps
    }

    /// Adds what a fault does to a stream; whether the stream is over with that.
    fn fault_in_the_middle(&self, steps: &mut Vec<Step>) -> bool {
        match self.prompt.fault {
            Some(CannedFault::Cut) => {
                // Half an event before the end, as a crash leaves it.
                steps.push(Step::Send(Bytes::from_static(b"data: {\"id\":\"chatc")));
                steps.push(Step::Cut);
            }
            Some(CannedFault::HangMid) => steps.push(Step::Hang),
            Some(CannedFault::Garbage) => steps.push(Step::Send(garbage())),
            Some(CannedFault::HugeLine) => {
                steps.push(Step::Send(Bytes::from_static(b"data: ")));
                let piece = Bytes::from(vec![b'x'; 64 * 1024]);
                steps.extend((0..HUGE / piece.len()).map(|_| Step::Send(piece.clone())));
            }
            Some(CannedFault::ErrorEvent) => {
                let error = json!({"error": {"message": "canned failure", "type": "InternalServerError", "param": null, "code": 500}});
                steps.push(Step::Send(event(&error)));
                steps.push(Step::Send(Bytes::from_static(b"data: [DONE]\n\n")));
            }
            _ => return false,
        }
        true
    }

    /// One event with the same delta (or text) for every choice.
    fn choices(&self, made: u32, delta: &Value, finish: Option<&str>) -> Bytes {
        let mut text = Vec::new();
        for index in 0..self.prompt.choices {
            let mut choice = json!({"index": index, "logprobs": null, "finish_reason": finish});
            choice[if self.chat { "delta" } else { "text" }] = delta.clone();
            let mut chunk = self.frame(self.chunk_object());
            chunk["choices"] = json!([choice]);
            if self.prompt.include_usage && self.prompt.continuous_usage {
                chunk["usage"] = self.usage(made).unwrap_or(Value::Null);
            }
            text.extend_from_slice(&event(&chunk));
        }
        text.into()
    }

    fn deltas(&self) -> Vec<Value> {
        if !self.chat {
            return self.texts().into_iter().map(Value::String).collect();
        }
        let Some(name) = self.tool() else {
            return self
                .texts()
                .into_iter()
                .map(|text| json!({"content": text}))
                .collect();
        };
        let call = |function: Value| json!({"tool_calls": [{"index": 0, "function": function}]});
        let mut first = call(json!({"name": name, "arguments": ""}));
        first["tool_calls"][0]["id"] = json!("call_canned");
        first["tool_calls"][0]["type"] = json!("function");
        vec![
            first,
            call(json!({"arguments": "{\"canned\":"})),
            call(json!({"arguments": " true}"})),
        ]
    }

    fn message(&self) -> Value {
        match self.tool() {
            None => json!({"role": "assistant", "content": self.texts().concat()}),
            Some(name) => json!({"role": "assistant", "content": null, "tool_calls": [{
                "id": "call_canned", "type": "function",
                "function": {"name": name, "arguments": "{\"canned\": true}"},
            }]}),
        }
    }

    /// The tool that must be called: the one that is named, or the first when any is required.
    fn tool(&self) -> Option<&str> {
        let body = &self.prompt.body;
        match &body["tool_choice"] {
            Value::String(choice) if choice == "required" => body["tools"][0]["function"]["name"].as_str(),
            choice => choice["function"]["name"].as_str(),
        }
    }

    fn texts(&self) -> Vec<String> {
        if self.prompt.body["response_format"]["type"]
            .as_str()
            .is_some_and(|format| format.starts_with("json"))
        {
            return vec!["{\"canned\":".into(), " true}".into()];
        }
        let text = |index: u32| match self.prompt.last.get(index as usize) {
            _ if !self.prompt.echo => part_text(index),
            Some(word) => format!("{word} "),
            None => String::new(),
        };
        (0..self.prompt.parts).map(text).collect()
    }

    fn finish_reason(&self) -> &'static str {
        match (self.chat && self.tool().is_some(), self.prompt.cut_short) {
            (true, _) => "tool_calls",
            (false, true) => "length",
            (false, false) => "stop",
        }
    }

    fn usage(&self, parts: u32) -> Option<Value> {
        let (prompt, made) = (
            self.prompt.words,
            u64::from(parts) * u64::from(self.prompt.choices),
        );
        match self.prompt.fault {
            Some(CannedFault::NoUsage) => None,
            Some(CannedFault::WrongUsage) => Some(json!({
                "prompt_tokens": u64::MAX, "completion_tokens": -1, "total_tokens": "many",
                "prompt_tokens_details": {"cached_tokens": 1e9},
            })),
            _ => Some(json!({
                "prompt_tokens": prompt, "completion_tokens": made, "total_tokens": prompt + made,
                "prompt_tokens_details": {"cached_tokens": self.options.cached_tokens.min(prompt)},
                "completion_tokens_details": {"reasoning_tokens": self.options.reasoning_tokens.min(made)},
            })),
        }
    }

    fn frame(&self, object: &str) -> Value {
        let kind = if self.chat { "chatcmpl" } else { "cmpl" };
        json!({"id": format!("{kind}-canned{}", self.number), "object": object, "created": CREATED, "model": self.prompt.model})
    }

    fn chunk_object(&self) -> &'static str {
        if self.chat {
            "chat.completion.chunk"
        } else {
            "text_completion"
        }
    }
}

/// Bytes that are neither JSON nor an event.
pub(super) fn garbage() -> Bytes {
    (0_u32..4096)
        .map(|index| index.wrapping_mul(0x9e37_79b1).to_be_bytes()[0])
        .collect()
}

fn event(chunk: &Value) -> Bytes {
    format!("data: {chunk}\n\n").into()
}
