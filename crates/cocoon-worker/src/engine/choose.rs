//! Which of an engine's models is served, and under which name.

use cocoon_engine::EngineModel;
use cocoon_types::ModelName;

use super::Wishes;

/// Names that a note lists at most; Ollama may have hundreds.
const MAX_NAMED: usize = 8;

/// The model that is served.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    /// As the engine calls it.
    pub(super) own: String,
    /// As the network will call it.
    pub(super) announced: ModelName,
    pub(super) context_length: Option<u32>,
}

/// Chooses; the error is a sentence for the worker's owner.
pub(super) fn model(wishes: &Wishes, models: &[EngineModel]) -> Result<Chosen, String> {
    let named = |name: &str| models.iter().find(|model| model.id == name);
    let model = match (&wishes.engine_model, &wishes.model, models) {
        (_, _, []) => return Err("the engine lists no model".into()),
        (Some(own), ..) => {
            named(own).ok_or_else(|| format!("the engine has no model {own:?}; {}", list(models)))?
        }
        (None, Some(name), [only]) => named(name.as_str())
            .or_else(|| named(name.base()))
            .unwrap_or(only),
        (None, Some(name), _) => named(name.as_str())
            .or_else(|| named(name.base()))
            .ok_or_else(|| {
                format!(
                    "the engine has no model {name}; {} (hint: engine_model = the engine's own name)",
                    list(models)
                )
            })?,
        (None, None, [only]) => only,
        (None, None, _) => return Err(format!("{} (hint: choose one with model = NAME)", list(models))),
    };
    let announced = match &wishes.model {
        Some(name) => name.clone(),
        None => ModelName::new(model.id.as_str()).map_err(|error| {
            format!("the engine's name for its model cannot be announced: {error} (hint: model = NAME)")
        })?,
    };
    Ok(Chosen {
        own: model.id.clone(),
        announced,
        context_length: model.context_length,
    })
}

fn list(models: &[EngineModel]) -> String {
    let names: Vec<&str> = models
        .iter()
        .take(MAX_NAMED)
        .map(|model| model.id.as_str())
        .collect();
    let more = if models.len() > MAX_NAMED { ", …" } else { "" };
    format!("it serves {:?}{more}", names)
}

#[cfg(test)]
mod tests;
