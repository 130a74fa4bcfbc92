//! Which request fields each kind of engine is refused, and why.
//!
//! One file per kind. A field is listed when it would let a caller make the engine reach out (fetch, connect, read
//! files), run code of the caller's, change the server for others, touch other callers' work, or pass the agreed
//! limits. Everything else passes unchanged, known here or not. `null` counts as absent.
//!
//! WHEN CHANGING: names stand in folded form ([`cocoon_openai::fold_name`]), so that no spelling slips by.

use cocoon_openai::RequestBody;
use cocoon_types::{Fault, Refusal};

use crate::EngineKind;

mod built_in;
mod common;
mod generic;
mod llama_cpp;
mod lm_studio;
mod media;
mod ollama;
mod sglang;
mod structured;
mod template;
mod vllm;

/// A field that is not carried.
pub(crate) struct Refused {
    /// Its name, folded.
    name: &'static str,
    /// Ends the sentence "it would …".
    why: &'static str,
}

const fn refused(name: &'static str, why: &'static str) -> Refused {
    Refused { name, why }
}

/// The lists that hold for a kind.
fn lists(kind: EngineKind) -> &'static [&'static [Refused]] {
    match kind {
        EngineKind::Vllm => &[common::REFUSED, vllm::REFUSED],
        EngineKind::Sglang => &[common::REFUSED, sglang::REFUSED],
        EngineKind::LlamaCpp => &[common::REFUSED, llama_cpp::REFUSED],
        EngineKind::Ollama => &[common::REFUSED, ollama::REFUSED],
        EngineKind::LmStudio => &[common::REFUSED, lm_studio::REFUSED],
        EngineKind::BuiltIn => &[common::REFUSED, built_in::REFUSED],
        EngineKind::Generic => generic::LISTS,
    }
}

/// Whether the body may go to an engine of this kind.
///
/// # Errors
/// [`Fault::UnsupportedField`] naming the field; its value is never quoted.
pub(crate) fn check(kind: EngineKind, body: &RequestBody) -> Result<(), Refusal> {
    let present = |name: &str| body.field(name).filter(|value| *value != b"null");
    for field in lists(kind).iter().copied().flatten() {
        if present(field.name).is_some() {
            return Err(unsupported(field.name, field.why));
        }
    }
    if let Some(value) = present("chat_template_kwargs") {
        template::check(value)?;
    }
    if let Some(value) = present("structured_outputs") {
        structured::check(value)?;
    }
    for name in ["messages", "input", "prompt"] {
        if let Some(value) = present(name) {
            media::check(name, value)?;
        }
    }
    Ok(())
}

fn unsupported(name: &'static str, why: &str) -> Refusal {
    Refusal::new(
        Fault::UnsupportedField,
        format!("`{name}` is not carried: it would {why}"),
    )
    .about(name)
}

#[cfg(test)]
mod tests;
