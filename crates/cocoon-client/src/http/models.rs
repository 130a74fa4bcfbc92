use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use cocoon_types::{Fault, Refusal};
use serde::Serialize;

use crate::links::{Model, Models};

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Entry<'a>>,
}

/// OpenAI's four members and our own.
#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    object: &'static str,
    /// Not known of a model in this network; OpenAI's SDKs want a number.
    created: u64,
    owned_by: &'static str,
    cocoon: Cocoon,
}

#[derive(Serialize)]
struct Cocoon {
    /// Workers that serve it now, counted per proxy.
    workers: u64,
    /// The lowest price, in per mille of the base price.
    min_coefficient: i32,
    active_requests: u64,
    max_active_requests: u64,
}

/// The answer to `GET /v1/models`.
pub(super) fn list(models: &Models) -> Response {
    let data = models.iter().map(|(name, model)| entry(name, model)).collect();
    Json(List { object: "list", data }).into_response()
}

/// The answer to `GET /v1/models/{name}`.
///
/// # Errors
/// [`Fault::UnknownModel`] when no worker serves it.
pub(super) fn one(models: &Models, name: &str) -> Result<Response, Refusal> {
    let model = models
        .get(name)
        .ok_or_else(|| Refusal::new(Fault::UnknownModel, "no worker serves a model of this name"))?;
    Ok(Json(entry(name, model)).into_response())
}

fn entry<'a>(id: &'a str, model: &Model) -> Entry<'a> {
    Entry {
        id,
        object: "model",
        created: 0,
        owned_by: "cocoon",
        cocoon: Cocoon {
            workers: model.workers,
            min_coefficient: model.min_coefficient,
            active_requests: model.active_requests,
            max_active_requests: model.max_active_requests,
        },
    }
}
