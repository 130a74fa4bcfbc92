//! The engine as its callers see it: the real binary with the real default model.
//!
//! `COCOON_TEST_MODEL` names the model file (SmolLM2-135M-Instruct); `./cocoon test` fetches it and sets it. Without it
//! every test here prints that it was skipped.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod constraints;
#[cfg(test)]
mod embeddings;
mod errors;
#[cfg(test)]
mod harness;
mod hostile;
mod life;
mod load;

use serde_json::{Value, json};

pub(crate) const ALIAS: &str = "smollm2-135m-instruct";
pub(crate) const FRANCE: &str = "What is the capital of France? Answer in one sentence.";

/// A chat request at temperature 0 with further members.
pub(crate) fn ask(question: &str, more: Value) -> Value {
    let mut body = json!({
        "model": ALIAS,
        "temperature": 0,
        "messages": [{"role": "user", "content": question}],
    });
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    body
}
