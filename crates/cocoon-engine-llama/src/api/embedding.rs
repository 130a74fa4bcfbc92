use serde_json::Value;

use super::{Fields, Problem, completion::Prompt};

/// A request to `/v1/embeddings`.
pub(crate) struct Embedding {
    pub(crate) model: String,
    pub(crate) inputs: Vec<Prompt>,
    /// `encoding_format` base64: the numbers as little-endian single precision.
    pub(crate) base64: bool,
    pub(crate) dimensions: Option<i64>,
}

/// Inputs at most; OpenAI's limit.
const MAX_INPUTS: usize = 2048;

// === impl Embedding ===

impl Embedding {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let model = fields
            .string("model")?
            .ok_or_else(|| Problem::invalid("model", "`model` is required"))?;
        let inputs = Prompt::take(&mut fields, "input")?;
        if inputs.len() > MAX_INPUTS {
            return Err(Problem::invalid(
                "input",
                format!("`input` may have {MAX_INPUTS} entries at most"),
            ));
        }
        let base64 = match fields.take("encoding_format") {
            None => false,
            Some(Value::String(word)) if word == "float" => false,
            Some(Value::String(word)) if word == "base64" => true,
            Some(_) => {
                return Err(Problem::invalid(
                    "encoding_format",
                    "`encoding_format` must be float or base64",
                ));
            }
        };
        Ok(Self {
            model,
            inputs,
            base64,
            dimensions: fields.integer("dimensions", 1, i64::from(i32::MAX))?,
        })
    }
}
