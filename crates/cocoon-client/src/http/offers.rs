//! `/cocoon/v1/offers`: what each proxy has shown this gateway, to be compared with what others were shown.

use axum::{
    Json,
    http::Uri,
    response::{IntoResponse as _, Response},
};
use cocoon_types::{Fault, ModelName, Refusal};
use serde_json::{Value, json};

use super::Gateway;
use crate::sealed::Board;

/// Epochs and digests, by proxy and model: of the models that were asked for lately, or of the one that is named
/// (`?model=NAME`), which is then asked for.
///
/// # Errors
/// [`Fault::InvalidRequest`] for a question that is none.
pub(super) async fn show(gateway: &Gateway, uri: &Uri) -> Result<Response, Refusal> {
    let query = uri.query().unwrap_or_default();
    let model = match query.strip_prefix("model=") {
        None if query.is_empty() => None,
        Some(name) => super::route::decode(name).and_then(|name| ModelName::new(&name).ok()),
        None => None,
    };
    if model.is_none() && !query.is_empty() {
        return Err(Refusal::new(
            Fault::InvalidRequest,
            "the query takes model=NAME and nothing else",
        ));
    }
    let mut proxies = Vec::new();
    for (addr, board, link) in gateway.links.boards() {
        let (models, error) = match &model {
            None => (board.models(), None),
            Some(model) => {
                let asked = board.list(model, &link).await;
                (vec![model.clone()], asked.err().map(|error| error.to_string()))
            }
        };
        proxies.push(json!({
            "proxy": addr,
            "key": hex::encode(board.proxy()),
            "models": models.iter().map(|model| of_model(&board, model)).collect::<Vec<_>>(),
            "error": error,
        }));
    }
    Ok(Json(json!({"proxies": proxies})).into_response())
}

fn of_model(board: &Board, model: &ModelName) -> Value {
    let mut shown = board.shown(model);
    shown["model"] = json!(model.as_str());
    shown
}
