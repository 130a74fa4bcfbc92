//! The model file that the built-in engine serves, fetched when it is not here yet.

use std::path::PathBuf;

use anyhow::Context as _;
use cocoon_models::{Catalogue, Model, Store};
use cocoon_types::ModelName;

use crate::model::{self, PullView};

/// The name under which callers ask for the model, and its checked file.
pub(super) async fn obtain(wanted: Option<&str>) -> anyhow::Result<(ModelName, PathBuf)> {
    let catalogue = Catalogue::built_in();
    let model = match wanted {
        None => Model::Entry(Box::new(catalogue.default_model().clone())),
        Some(wanted) => model::resolve(&catalogue, wanted)?,
    };
    let name = match &model {
        Model::Entry(entry) => entry.name.clone(),
        Model::File(path) => path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
    };
    let name =
        ModelName::new(name).context("the model's file name cannot be a model's name; rename the file")?;
    let store = Store::open(cocoon_models::default_dir()?);
    let mut view = PullView::for_model(&model);
    let file = store.obtain(&model, &mut view).await;
    view.end();
    Ok((name, file.map_err(|error| model::pull_failed(&error))?))
}
