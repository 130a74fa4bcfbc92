use cocoon_types::DEFAULT_MAX_TOKENS;
use serde_json::Value;

use super::{Fields, Problem};
use crate::engine::Sampling;

/// What `/v1/chat/completions` and `/v1/completions` share.
pub(crate) struct Generation {
    pub(crate) model: String,
    pub(crate) sampling: Sampling,
    /// Output tokens at most, per choice.
    pub(crate) max_tokens: u32,
    pub(crate) stop: Vec<String>,
    /// `n`: answers per prompt.
    pub(crate) choices: u32,
    pub(crate) stream: bool,
    /// `stream_options.include_usage`.
    pub(crate) include_usage: bool,
}

/// Answers that one request may ask for; each is a sequence of its own. The waiting line holds 64 (see `engine`).
pub(crate) const MAX_CHOICES: i64 = 16;
/// Stop strings at most, and bytes of one. OpenAI takes four; sixteen still cost nothing per token.
const MAX_STOPS: usize = 16;
const MAX_STOP_BYTES: usize = 1024;
/// Entries of `logit_bias` at most; OpenAI's limit is 300.
const MAX_BIASES: usize = 1024;

/// Members that change the answer and that this engine does not have. Others that it does not know are ignored.
const REFUSED: [&str; 15] = [
    "audio",
    "prediction",
    "web_search_options",
    "functions",
    "function_call",
    "chat_template",
    "grammar",
    "json_schema",
    "guided_json",
    "guided_regex",
    "guided_choice",
    "guided_grammar",
    "structured_outputs",
    "use_beam_search",
    "prompt_logprobs",
];

// === impl Generation ===

impl Generation {
    /// Takes the shared members out of `fields`.
    pub(crate) fn take(fields: &mut Fields) -> Result<Self, Problem> {
        let model = fields
            .string("model")?
            .ok_or_else(|| Problem::invalid("model", "`model` is required"))?;
        fields.refuse(&REFUSED)?;
        let max_tokens = fields.integer("max_tokens", 1, i64::from(i32::MAX))?;
        let max_completion = fields.integer("max_completion_tokens", 1, i64::from(i32::MAX))?;
        let stream = fields.boolean("stream")?.unwrap_or(false);
        Ok(Self {
            model,
            sampling: take_sampling(fields)?,
            max_tokens: max_completion
                .or(max_tokens)
                .and_then(|limit| u32::try_from(limit).ok())
                .unwrap_or(DEFAULT_MAX_TOKENS),
            stop: take_stop(fields)?,
            choices: fields
                .integer("n", 1, MAX_CHOICES)?
                .and_then(|n| u32::try_from(n).ok())
                .unwrap_or(1),
            stream,
            include_usage: take_include_usage(fields, stream)?,
        })
    }
}

fn take_sampling(fields: &mut Fields) -> Result<Sampling, Problem> {
    let default = Sampling::default();
    let repetition = match fields.number("repetition_penalty", 0.01, 10.0)? {
        Some(vllm) => Some(vllm),
        None => fields.number("repeat_penalty", 0.01, 10.0)?,
    };
    Ok(Sampling {
        temperature: fields
            .number("temperature", 0.0, 2.0)?
            .unwrap_or(default.temperature),
        top_p: fields.number("top_p", 0.0, 1.0)?.unwrap_or(default.top_p),
        // vLLM writes "off" as -1, llama.cpp as 0.
        top_k: fields
            .integer("top_k", -1, i64::from(i32::MAX))?
            .and_then(|k| i32::try_from(k).ok())
            .unwrap_or(default.top_k),
        min_p: fields.number("min_p", 0.0, 1.0)?.unwrap_or(default.min_p),
        seed: fields.integer("seed", i64::MIN, i64::MAX)?.map(fold_seed),
        frequency_penalty: fields
            .number("frequency_penalty", -2.0, 2.0)?
            .unwrap_or(default.frequency_penalty),
        presence_penalty: fields
            .number("presence_penalty", -2.0, 2.0)?
            .unwrap_or(default.presence_penalty),
        repetition_penalty: repetition.unwrap_or(default.repetition_penalty),
        bias: take_bias(fields)?,
        ignore_end: fields.boolean("ignore_eos")?.unwrap_or(false),
    })
}

/// llama.cpp's seed has 32 bits, and all ones mean "random" to it.
fn fold_seed(seed: i64) -> u32 {
    let bits = seed.cast_unsigned();
    let folded = (bits ^ (bits >> 32)) & u64::from(u32::MAX);
    u32::try_from(folded).unwrap_or(0).min(u32::MAX - 1)
}

fn take_bias(fields: &mut Fields) -> Result<Vec<(i32, f32)>, Problem> {
    let wrong = || {
        Problem::invalid(
            "logit_bias",
            format!("`logit_bias` must map at most {MAX_BIASES} token ids to numbers from -100 to 100"),
        )
    };
    let map = match fields.take("logit_bias") {
        None => return Ok(Vec::new()),
        Some(Value::Object(map)) if map.len() <= MAX_BIASES => map,
        Some(_) => return Err(wrong()),
    };
    map.iter()
        .map(|(token, bias)| {
            let token: i32 = token.parse().map_err(|_| wrong())?;
            #[expect(clippy::cast_possible_truncation, reason = "logits have single precision")]
            match bias.as_f64() {
                Some(bias) if (-100.0..=100.0).contains(&bias) => Ok((token, bias as f32)),
                _ => Err(wrong()),
            }
        })
        .collect()
}

fn take_stop(fields: &mut Fields) -> Result<Vec<String>, Problem> {
    let wrong = || {
        Problem::invalid(
            "stop",
            format!(
                "`stop` must be a string or at most {MAX_STOPS} strings, each of 1 to {MAX_STOP_BYTES} bytes"
            ),
        )
    };
    let list = match fields.take("stop") {
        None => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(one) => vec![one],
    };
    if list.len() > MAX_STOPS {
        return Err(wrong());
    }
    list.into_iter()
        .map(|stop| match stop {
            Value::String(text) if !text.is_empty() && text.len() <= MAX_STOP_BYTES => Ok(text),
            _ => Err(wrong()),
        })
        .collect()
}

fn take_include_usage(fields: &mut Fields, stream: bool) -> Result<bool, Problem> {
    match fields.take("stream_options") {
        None => Ok(false),
        Some(_) if !stream => Err(Problem::invalid(
            "stream_options",
            "`stream_options` is only allowed when `stream` is true",
        )),
        Some(Value::Object(options)) => match options.get("include_usage") {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(include)) => Ok(*include),
            Some(_) => Err(Problem::invalid(
                "stream_options.include_usage",
                "`stream_options.include_usage` must be a boolean",
            )),
        },
        Some(_) => Err(Problem::invalid(
            "stream_options",
            "`stream_options` must be an object",
        )),
    }
}

#[cfg(test)]
mod tests;
