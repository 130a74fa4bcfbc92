use cocoon_types::Fault;
use serde_json::{Map, Value};

use super::Problem;

/// The members of a request body, taken one by one. A `null` member counts as absent, as in OpenAI's API.
pub(crate) struct Fields(Map<String, Value>);

// === impl Fields ===

impl Fields {
    /// Parses a body. serde_json bounds the depth (128); the listener bounds the size.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Problem> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            Ok(_) => Err(Problem::new(
                Fault::InvalidRequest,
                "the body must be a JSON object",
            )),
            Err(error) => Err(Problem::new(
                Fault::InvalidRequest,
                format!(
                    "the body is not JSON: line {}, column {}",
                    error.line(),
                    error.column()
                ),
            )),
        }
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    pub(crate) fn string(&mut self, name: &str) -> Result<Option<String>, Problem> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Problem::invalid(name, format!("`{name}` must be a string"))),
        }
    }

    pub(crate) fn boolean(&mut self, name: &str) -> Result<Option<bool>, Problem> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(_) => Err(Problem::invalid(name, format!("`{name}` must be a boolean"))),
        }
    }

    /// An integer within `least..=most`.
    pub(crate) fn integer(&mut self, name: &str, least: i64, most: i64) -> Result<Option<i64>, Problem> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        match value.as_i64() {
            Some(value) if (least..=most).contains(&value) => Ok(Some(value)),
            _ => Err(Problem::invalid(
                name,
                format!("`{name}` must be an integer from {least} to {most}"),
            )),
        }
    }

    /// A number within `least..=most`.
    pub(crate) fn number(&mut self, name: &str, least: f32, most: f32) -> Result<Option<f32>, Problem> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "llama.cpp samples in single precision"
        )]
        match value.as_f64().map(|value| value as f32) {
            Some(value) if (least..=most).contains(&value) => Ok(Some(value)),
            _ => Err(Problem::invalid(
                name,
                format!("`{name}` must be a number from {least} to {most}"),
            )),
        }
    }

    /// Refuses each of these members unless it is absent or has the value that means nothing.
    pub(crate) fn refuse(&mut self, names: &[&str]) -> Result<(), Problem> {
        for name in names {
            let asked = match self.take(name) {
                None | Some(Value::Bool(false)) => false,
                Some(Value::Array(list)) => !list.is_empty(),
                Some(Value::String(text)) => !text.is_empty(),
                Some(_) => true,
            };
            if asked {
                return Err(Problem::unsupported(
                    *name,
                    format!("this engine does not support `{name}`"),
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
