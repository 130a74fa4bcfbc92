use serde_json::{Map, Value, json};

use super::{Fields, Generation, Problem, tools::Tools};

/// A request to `/v1/chat/completions`.
pub(crate) struct Chat {
    pub(crate) generation: Generation,
    /// In the form that templates expect: `content` is a string, arguments of calls are objects.
    pub(crate) messages: Vec<Value>,
    pub(crate) tools: Tools,
    pub(crate) format: Format,
    /// `logprobs` with `top_logprobs`.
    pub(crate) logprobs: Option<u8>,
    /// `chat_template_kwargs`: further variables for the template (`enable_thinking` and the like).
    pub(crate) variables: Map<String, Value>,
}

/// `response_format`.
#[derive(Debug, PartialEq)]
pub(crate) enum Format {
    Text,
    JsonObject,
    JsonSchema(Value),
}

/// Messages at most; templates are charged per message and a context holds no more.
const MAX_MESSAGES: usize = 2048;
/// Further template variables at most.
const MAX_VARIABLES: usize = 32;
/// OpenAI's limit.
const MAX_TOP_LOGPROBS: i64 = 20;

// === impl Chat ===

impl Chat {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let generation = Generation::take(&mut fields)?;
        refuse_other_modalities(&mut fields)?;
        Ok(Self {
            generation,
            messages: take_messages(&mut fields)?,
            tools: Tools::take(&mut fields)?,
            format: Format::take(&mut fields)?,
            logprobs: take_logprobs(&mut fields)?,
            variables: take_variables(&mut fields)?,
        })
    }
}

fn refuse_other_modalities(fields: &mut Fields) -> Result<(), Problem> {
    match fields.take("modalities") {
        None => Ok(()),
        Some(Value::Array(list)) if list.iter().all(|kind| kind == "text") => Ok(()),
        Some(_) => Err(Problem::unsupported(
            "modalities",
            "this engine answers with text only",
        )),
    }
}

fn take_logprobs(fields: &mut Fields) -> Result<Option<u8>, Problem> {
    let wanted = fields.boolean("logprobs")?.unwrap_or(false);
    let top = fields.integer("top_logprobs", 0, MAX_TOP_LOGPROBS)?;
    match (wanted, top) {
        (true, top) => Ok(Some(top.and_then(|top| u8::try_from(top).ok()).unwrap_or(0))),
        (false, None | Some(0)) => Ok(None),
        (false, Some(_)) => Err(Problem::invalid(
            "top_logprobs",
            "`top_logprobs` needs `logprobs` to be true",
        )),
    }
}

fn take_variables(fields: &mut Fields) -> Result<Map<String, Value>, Problem> {
    let wrong = || {
        Problem::invalid(
            "chat_template_kwargs",
            format!(
                "`chat_template_kwargs` must be an object of at most {MAX_VARIABLES} numbers, strings or booleans"
            ),
        )
    };
    match fields.take("chat_template_kwargs") {
        None => Ok(Map::new()),
        Some(Value::Object(map)) => {
            let plain = |value: &Value| !value.is_object() && !value.is_array();
            if map.len() > MAX_VARIABLES || !map.values().all(plain) {
                return Err(wrong());
            }
            Ok(map)
        }
        Some(_) => Err(wrong()),
    }
}

fn take_messages(fields: &mut Fields) -> Result<Vec<Value>, Problem> {
    match fields.take("messages") {
        None => Err(Problem::invalid("messages", "`messages` is required")),
        Some(Value::Array(list)) if (1..=MAX_MESSAGES).contains(&list.len()) => list
            .into_iter()
            .enumerate()
            .map(|(index, message)| normal_message(index, message))
            .collect(),
        Some(_) => Err(Problem::invalid(
            "messages",
            format!("`messages` must be an array of 1 to {MAX_MESSAGES} messages"),
        )),
    }
}

fn normal_message(index: usize, message: Value) -> Result<Value, Problem> {
    let path = format!("messages[{index}]");
    let Value::Object(mut message) = message else {
        return Err(Problem::invalid(path, "a message is an object"));
    };
    let role = match message.get("role").and_then(Value::as_str) {
        // Templates of open models know no `developer`; it is what `system` was.
        Some("developer") => "system".to_owned(),
        Some(role @ ("system" | "user" | "assistant" | "tool")) => role.to_owned(),
        _ => {
            return Err(Problem::invalid(
                format!("{path}.role"),
                "a role is one of system, developer, user, assistant, tool",
            ));
        }
    };
    let calls = normal_calls(&path, message.get_mut("tool_calls"))?;
    let content = match message.remove("content") {
        Some(Value::String(text)) => text,
        Some(Value::Array(parts)) => join_parts(&path, parts)?,
        None | Some(Value::Null) if role == "assistant" => String::new(),
        _ => {
            return Err(Problem::invalid(
                format!("{path}.content"),
                "a message's content is a string or an array of parts",
            ));
        }
    };
    message.insert("role".into(), role.into());
    message.insert("content".into(), content.into());
    if !calls {
        message.remove("tool_calls");
    }
    Ok(Value::Object(message))
}

/// Turns the arguments of earlier calls into objects, as templates expect; says whether there are any calls.
fn normal_calls(path: &str, calls: Option<&mut Value>) -> Result<bool, Problem> {
    let wrong = || {
        Problem::invalid(
            format!("{path}.tool_calls"),
            "`tool_calls` is an array of calls, each with a `function`",
        )
    };
    let calls = match calls {
        None | Some(Value::Null) => return Ok(false),
        Some(Value::Array(calls)) => calls,
        Some(_) => return Err(wrong()),
    };
    for call in calls.iter_mut() {
        let function = call.get_mut("function").and_then(Value::as_object_mut);
        let function = function.ok_or_else(wrong)?;
        if let Some(Value::String(text)) = function.get("arguments") {
            let parsed = serde_json::from_str(text).unwrap_or_else(|_| json!(text));
            function.insert("arguments".into(), parsed);
        }
    }
    Ok(!calls.is_empty())
}

fn join_parts(path: &str, parts: Vec<Value>) -> Result<String, Problem> {
    let mut joined = String::new();
    for (index, part) in parts.iter().enumerate() {
        let at = || format!("{path}.content[{index}]");
        match part["type"].as_str() {
            Some("text") => {
                let text = part["text"]
                    .as_str()
                    .ok_or_else(|| Problem::invalid(at(), "a text part has a string `text`"))?;
                if index > 0 {
                    joined.push('\n');
                }
                joined.push_str(text);
            }
            Some("image_url" | "input_image" | "input_audio" | "file" | "video_url") => {
                return Err(Problem::unsupported(
                    at(),
                    "this model reads text only: images, audio and files are not supported",
                ));
            }
            _ => return Err(Problem::invalid(at(), "a part of content has the `type` text")),
        }
    }
    Ok(joined)
}

// === impl Format ===

impl Format {
    fn take(fields: &mut Fields) -> Result<Self, Problem> {
        let wrong = |param: &str, message: &str| Err(Problem::invalid(param, message));
        let Some(format) = fields.take("response_format") else {
            return Ok(Self::Text);
        };
        match format["type"].as_str() {
            Some("text") => Ok(Self::Text),
            Some("json_object") => Ok(Self::JsonObject),
            Some("json_schema") => match &format["json_schema"]["schema"] {
                schema @ Value::Object(_) => Ok(Self::JsonSchema(schema.clone())),
                _ => wrong(
                    "response_format.json_schema.schema",
                    "`response_format.json_schema.schema` must be a JSON schema",
                ),
            },
            _ => wrong(
                "response_format.type",
                "`response_format.type` must be text, json_object or json_schema",
            ),
        }
    }
}

#[cfg(test)]
mod tests;
