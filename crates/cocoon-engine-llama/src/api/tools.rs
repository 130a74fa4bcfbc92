//! Tools: what the caller offers, whether a call is forced, and calls found in the model's text.

use serde_json::{Map, Value, json};

use super::{Fields, Problem};

mod scan;

pub(crate) use scan::ToolScanner;

/// Functions that the model may call.
#[derive(Default)]
pub(crate) struct Tools {
    /// As the caller wrote them, for the template.
    pub(crate) definitions: Vec<Value>,
    functions: Vec<Function>,
    pub(crate) choice: ToolChoice,
}

struct Function {
    name: String,
    parameters: Value,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum ToolChoice {
    #[default]
    Auto,
    None,
    Required,
    Named(String),
}

/// One call that the model made.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ToolCall {
    pub(crate) name: String,
    /// JSON text, as OpenAI has it.
    pub(crate) arguments: String,
}

/// Tools at most; OpenAI's limit.
const MAX_TOOLS: usize = 128;
/// Bytes of a function's name at most; OpenAI's limit.
const MAX_NAME: usize = 64;

// === impl Tools ===

impl Tools {
    /// Takes `tools` and `tool_choice`.
    pub(crate) fn take(fields: &mut Fields) -> Result<Self, Problem> {
        let definitions = match fields.take("tools") {
            None => Vec::new(),
            Some(Value::Array(list)) if list.len() <= MAX_TOOLS => list,
            Some(_) => {
                return Err(Problem::invalid(
                    "tools",
                    format!("`tools` must be an array of at most {MAX_TOOLS} tools"),
                ));
            }
        };
        let functions = definitions
            .iter()
            .enumerate()
            .map(|(index, definition)| Function::parse(index, definition))
            .collect::<Result<Vec<_>, _>>()?;
        let choice = take_choice(fields, &functions)?;
        Ok(Self {
            definitions,
            functions,
            choice,
        })
    }

    /// Whether the template is told of the tools.
    pub(crate) fn offered(&self) -> bool {
        !self.functions.is_empty() && self.choice != ToolChoice::None
    }

    /// The schema that the whole answer must follow, if the caller forces a call.
    pub(crate) fn forced_schema(&self) -> Option<Value> {
        let named = match &self.choice {
            ToolChoice::Auto | ToolChoice::None => return None,
            ToolChoice::Required => None,
            ToolChoice::Named(name) => Some(name),
        };
        let calls: Vec<Value> = self
            .functions
            .iter()
            .filter(|function| named.is_none_or(|name| *name == function.name))
            .map(Function::call_schema)
            .collect();
        Some(json!({"anyOf": calls}))
    }

    /// What a model whose template knows no tools is told when a call is forced.
    pub(crate) fn instructions(&self) -> String {
        let mut text = String::from(
            "Answer with one function call, as a JSON object with the members \"name\" and \"arguments\". \
             The functions are:\n",
        );
        for definition in &self.definitions {
            text.push_str(&definition["function"].to_string());
            text.push('\n');
        }
        text
    }
}

fn take_choice(fields: &mut Fields, functions: &[Function]) -> Result<ToolChoice, Problem> {
    let wrong = |message: &str| Err(Problem::invalid("tool_choice", message));
    let choice = match fields.take("tool_choice") {
        None => return Ok(ToolChoice::Auto),
        Some(Value::String(word)) => match word.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" => ToolChoice::Required,
            _ => return wrong("`tool_choice` must be none, auto, required or name a function"),
        },
        Some(object) => match object["function"]["name"].as_str() {
            Some(name) if functions.iter().any(|function| function.name == name) => {
                ToolChoice::Named(name.to_owned())
            }
            Some(_) => return wrong("`tool_choice` names a function that is not among `tools`"),
            None => return wrong("`tool_choice` must be none, auto, required or name a function"),
        },
    };
    if choice == ToolChoice::Required && functions.is_empty() {
        return wrong("`tool_choice` requires a call, but there are no `tools`");
    }
    Ok(choice)
}

// === impl Function ===

impl Function {
    fn parse(index: usize, definition: &Value) -> Result<Self, Problem> {
        let path = format!("tools[{index}]");
        if definition["type"].as_str().unwrap_or("function") != "function" {
            return Err(Problem::unsupported(
                format!("{path}.type"),
                "only tools of type `function` are supported",
            ));
        }
        let function = &definition["function"];
        let name = function["name"].as_str().unwrap_or_default();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(plain) {
            return Err(Problem::invalid(
                format!("{path}.function.name"),
                "a function's name has 1 to 64 letters, digits, underscores, dashes or dots",
            ));
        }
        let parameters = match &function["parameters"] {
            Value::Null => json!({"type": "object", "properties": {}}),
            parameters @ Value::Object(_) => parameters.clone(),
            _ => {
                return Err(Problem::invalid(
                    format!("{path}.function.parameters"),
                    "a function's parameters are a JSON schema",
                ));
            }
        };
        Ok(Self {
            name: name.to_owned(),
            parameters,
        })
    }

    fn call_schema(&self) -> Value {
        json!({
            "type": "object",
            "properties": {"name": {"const": self.name}, "arguments": self.parameters},
            "required": ["name", "arguments"],
            "additionalProperties": false,
        })
    }
}

// === impl ToolCall ===

impl ToolCall {
    /// Reads `{"name": …, "arguments": {…}}`; some models write `parameters`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let Ok(Value::Object(mut call)) = serde_json::from_str::<Value>(text.trim()) else {
            return None;
        };
        let Some(Value::String(name)) = call.remove("name") else {
            return None;
        };
        let arguments = match call.remove("arguments").or_else(|| call.remove("parameters")) {
            None => Value::Object(Map::new()),
            Some(Value::String(text)) => serde_json::from_str(&text).ok()?,
            Some(value) => value,
        };
        arguments.is_object().then(|| Self {
            name,
            arguments: arguments.to_string(),
        })
    }
}

#[cfg(test)]
mod tests;
